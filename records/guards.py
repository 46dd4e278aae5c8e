"""What the database itself refuses, whoever asks and whatever the program believes.

The codes are PKI (certificates, keys and publication), KEY (keys on their way out of the key
store), REV (bulk revocation), DTR (duties to revoke), RA (applications, officers, four eyes), PER
(proofing persons), CASE (data-subject cases), ERA (erasures), RET (orders about keeping), CON and
DIS (consents and disclosures), ORG (legal persons and mandates), ASC (associations), DEL (delivery
and activation), DUT (separation of duties), REN (renewal and replacement), NOT (notices) and AUD
(the log); PKI19 stands for every table at once. Whoever owns the database can take a guard away,
which `records.schema` notices, or write what the program would have written.
"""

import hashlib
from collections.abc import Iterator, Mapping

from records.guards_audit import AUD_GUARDS
from records.guards_bulk import BULK_GUARDS
from records.guards_cases import CASE_GUARDS
from records.guards_consents import CONSENT_EFFECTS, CONSENT_GUARDS
from records.guards_delivery import DELIVERY_GUARDS
from records.guards_duties import DUTY_DONE, DUTY_GUARDS
from records.guards_erasure import ERASURE_GUARDS
from records.guards_notices import NOTICE_EFFECTS, NOTICE_GUARDS
from records.guards_organisations import ORGANISATION_GUARDS
from records.guards_persons import PERSON_GUARDS
from records.guards_pki import PKI_GUARDS
from records.guards_ra import RA_GUARDS
from records.guards_renewals import RENEWAL_GUARDS
from records.guards_vault import KEY_DOOMED, KEY_GUARDS
from records.triggers import Effect, Trigger, render

# In this order: the guard that locks the subject (PKI18) comes before those that count on it.
GUARDS = (
    *PKI_GUARDS,
    *RA_GUARDS,
    *AUD_GUARDS,
    *BULK_GUARDS,
    *KEY_GUARDS,
    *CASE_GUARDS,
    *PERSON_GUARDS,
    *CONSENT_GUARDS,
    *DUTY_GUARDS,
    *ERASURE_GUARDS,
    *ORGANISATION_GUARDS,
    *DELIVERY_GUARDS,
    *RENEWAL_GUARDS,
    *NOTICE_GUARDS,
)


_RESPONSE_DUE = (
    "INSERT INTO ocsp_response (issuer, serial, version, not_after, due_at) VALUES"
    " (NEW.issuer, NEW.serial, (SELECT i.status_version FROM issuer i WHERE i.name = NEW.issuer),"
    " NEW.not_after, 0)"
)
_EMPTIED = "due_at = 0, this_update = NULL, next_update = NULL, sha1 = NULL, sha256 = NULL"

# Every change of status raises the issuer's version and is written down under it. A response that
# was made ahead is gone in the transaction that makes it untrue.
_CHANGED = (
    "UPDATE issuer SET status_version = status_version + 1 WHERE name = NEW.issuer;"
    " INSERT INTO status_change (issuer, version, serial, at, shard) SELECT i.name,"
    " i.status_version, NEW.serial, {at}, NEW.shard FROM issuer i WHERE i.name = NEW.issuer; "
)

# The publisher searches after each step; what its search says is when the latest change was seen.
_SEEN_IN_DIRECTORY = (
    "INSERT INTO status_visible (issuer, channel, first, last, at) SELECT c.issuer, 'directory',"
    " c.version, c.version, NEW.verified_at FROM status_change c WHERE c.issuer = NEW.issuer"
    " AND c.serial = NEW.serial AND c.version = (SELECT MAX(x.version) FROM status_change x"
    " WHERE x.issuer = c.issuer AND x.serial = c.serial) AND NOT EXISTS (SELECT 1 FROM"
    " status_visible v WHERE v.issuer = c.issuer AND v.channel = 'directory'"
    " AND v.last = c.version)"
)
_DIRECTORIES_ARE_BEHIND = (
    "EXISTS (SELECT 1 FROM publication p WHERE p.issuer = NEW.issuer AND p.serial = NEW.serial"
    " AND p.id <> NEW.id AND p.state IN ('pending', 'withdrawing'))"
)

EFFECTS = (
    Effect(
        "residue",
        "certificate",
        "DELETE",
        "OLD.revoked_at IS NOT NULL",
        "INSERT INTO revocation_residue"
        " (issuer, serial, revoked_at, reason, not_after, crl_entry, shard, erased_at) VALUES"
        " (OLD.issuer, OLD.serial, OLD.revoked_at, OLD.reason, OLD.not_after, OLD.crl_entry,"
        " OLD.shard, {now})",
    ),
    # CRL and OCSP made from the residue follow at once, so that they can be seen to hold the same.
    Effect(
        "residue_version",
        "revocation_residue",
        "INSERT",
        "1 = 1",
        f"{_CHANGED.replace('{at}', '{now}')}UPDATE ocsp_response SET {_EMPTIED}, version ="  # noqa: S608 - of our own constants
        " (SELECT i.status_version FROM issuer i WHERE i.name = NEW.issuer)"
        " WHERE issuer = NEW.issuer AND serial = NEW.serial",
    ),
    Effect(
        "status_version",
        "certificate",
        "UPDATE",
        "NEW.status <> OLD.status AND (NEW.revoked_at IS NOT NULL OR OLD.revoked_at IS NOT NULL)",
        _CHANGED.replace("{at}", "NEW.decided_at")
        + f"{_RESPONSE_DUE} ON CONFLICT (issuer, serial) DO UPDATE SET"
        f" {_EMPTIED}, version = excluded.version",
    ),
    Effect(
        "response_due",
        "certificate",
        "UPDATE",
        "NEW.status = 'issued' AND OLD.status = 'intent'",
        _RESPONSE_DUE,
    ),
    Effect(
        "directory_seen",
        "publication",
        "UPDATE",
        "NEW.state IN ('published', 'withdrawn') AND NEW.state <> OLD.state"
        f" AND NOT {_DIRECTORIES_ARE_BEHIND}",
        _SEEN_IN_DIRECTORY,
    ),
    Effect(
        "response_gone",
        "certificate",
        "DELETE",
        "OLD.revoked_at IS NULL",
        "DELETE FROM ocsp_response WHERE issuer = OLD.issuer AND serial = OLD.serial",
    ),
    *CONSENT_EFFECTS,
    DUTY_DONE,
    *NOTICE_EFFECTS,
    KEY_DOOMED,
)


def triggers(dialect: str) -> Iterator[Trigger]:
    """All guards and effects in the SQL of one engine."""
    return render(dialect, GUARDS, EFFECTS)


def expected(dialect: str) -> dict[tuple[str, str], str]:
    """The body of every trigger of this version by table and name, as the engine gives it back."""
    return {(trigger.table, trigger.name): trigger.body for trigger in triggers(dialect)}


def digest(bodies: Mapping[tuple[str, str], str]) -> bytes:
    """SHA-256 over triggers by table and name: what a database enforces."""
    lines = (f"{table} {name} {body}" for (table, name), body in sorted(bodies.items()))
    return hashlib.sha256("\n".join(lines).encode()).digest()
