"""Attacks on keys that are to die in the key store, and on the record of seals."""

from tests.support.story_sql import copied, over

_GIVEN_AGAIN = (
    "data_key (subject_id, purpose, key_ref) SELECT :live_subject, 'new', key_ref FROM doomed_key"
)

VAULT_ATTACKS = {
    "KEY01": (
        f"INSERT INTO {_GIVEN_AGAIN}",
        f"REPLACE INTO {_GIVEN_AGAIN}",
    ),
    "KEY02": (
        *over("doomed_key", "1 = 1", "key_ref", "doomed_at = 0"),
        copied("doomed_key", "1 = 1", key_ref="'other'", epoch="7"),
        "INSERT INTO doomed_key (key_ref, doomed_at) SELECT key_ref, 0 FROM data_key",
        "UPDATE doomed_key SET doomed_at = 0",
        "UPDATE doomed_key SET key_ref = 'other'",
        "UPDATE doomed_key SET epoch = 7",
        "DELETE FROM doomed_key",
    ),
    "KEY03": (
        *over("vault_seal", "1 = 1", "epoch", "sealed_at = 0"),
        copied("vault_seal", "1 = 1", epoch="epoch - 1"),
        "UPDATE vault_seal SET tokens = '[]'",
        "UPDATE vault_seal SET sealed_at = 0",
        "DELETE FROM vault_seal",
    ),
}
