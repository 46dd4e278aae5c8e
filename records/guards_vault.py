"""What the database refuses about keys that are to die in the key store (`records.tables.vault`).

A key that was deleted here is dead in old copies too only after a seal, so its reference stays
until that seal is on record.
"""

from records.triggers import Effect, Guard, changed, same_row

_SEALED = "EXISTS (SELECT 1 FROM vault_seal s WHERE s.epoch = {row}.epoch)"

KEY_GUARDS = (
    Guard(
        "KEY01",
        "data_key",
        "INSERT",
        same_row("doomed_key", "key_ref"),
        "a key that is to die is given to nobody",
    ),
    Guard(
        "KEY02",
        "doomed_key",
        "INSERT",
        f"NEW.epoch IS NOT NULL OR {same_row('doomed_key', 'key_ref')}"
        f" OR {same_row('data_key', 'key_ref')}",
        "a key is to die once, and not while somebody has it",
    ),
    Guard(
        "KEY02",
        "doomed_key",
        "UPDATE",
        f"{changed('key_ref', 'doomed_at')} OR OLD.epoch IS NOT NULL"
        f" OR NOT {_SEALED.format(row='NEW')}",
        "a key that is to die changes only by the seal that ends it",
    ),
    Guard(
        "KEY02",
        "doomed_key",
        "DELETE",
        f"NOT {_SEALED.format(row='OLD')}",
        "a key that is to die is forgotten only after the seal that ended it",
    ),
    Guard(
        "KEY03",
        "vault_seal",
        "INSERT",
        "NEW.epoch <= COALESCE((SELECT MAX(s.epoch) FROM vault_seal s), 1)",
        "a seal begins a later epoch than those before",
    ),
    Guard("KEY03", "vault_seal", "UPDATE", "1 = 1", "a seal does not change"),
    Guard("KEY03", "vault_seal", "DELETE", "1 = 1", "a seal is not deleted"),
)

KEY_DOOMED = Effect(
    "key_doomed",
    "data_key",
    "DELETE",
    "1 = 1",
    "INSERT INTO doomed_key (key_ref, doomed_at) VALUES (OLD.key_ref, {now})",
)
