"""What the database itself refuses, whoever asks and whatever the program believes.

Each guard is one condition on OLD and NEW in the SQL that SQLite and PostgreSQL share; `statements`
renders it as a trigger for either. The codes are PKI (certificates and keys), RA (four eyes) and
AUD (the log).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

NOW = {
    "sqlite": "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch from clock_timestamp()) * 1000000 AS BIGINT)",
}
# Tables that nobody may empty at once (PKI19, PostgreSQL; SQLite has no TRUNCATE).
NEVER_TRUNCATED = (
    "certificate",
    "revocation_residue",
    "crl",
    "subject",
    "data_key",
    "application",
    "approval",
    "publication",
    "audit_event",
    "audit_head",
)


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule: refuse the event on the table when the condition holds."""

    code: str
    table: str
    event: str
    when: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Effect:
    """One statement that follows from an event on a table when the condition holds."""

    name: str
    table: str
    event: str
    when: str
    statement: str


_UNOBSERVED = (
    "NOT EXISTS (SELECT 1 FROM status_observation o WHERE o.issuer = OLD.issuer"
    " AND o.serial = OLD.serial AND o.channel = '{channel}' AND o.observed_at >= OLD.revoked_at)"
)
_NOT_IN_CRL = _UNOBSERVED.replace("{channel}", "crl")
_NOT_IN_OCSP = _UNOBSERVED.replace("{channel}", "ocsp")
_FINAL = "('fulfilled', 'rejected', 'withdrawn', 'lapsed')"

GUARDS = (
    Guard(
        "PKI01",
        "certificate",
        "DELETE",
        "OLD.status <> 'revoked' AND OLD.not_after >= {now}",
        "a certificate is deleted only after it was revoked or has expired",
    ),
    Guard(
        "PKI04",
        "certificate",
        "DELETE",
        f"OLD.not_after >= {{now}} AND ({_NOT_IN_CRL}"
        f" OR (OLD.sealed_der IS NOT NULL AND {_NOT_IN_OCSP}))",
        "a certificate is deleted only after CRL and OCSP were seen to say revoked",
    ),
    Guard(
        "PKI05",
        "certificate",
        "DELETE",
        "EXISTS (SELECT 1 FROM publication p WHERE p.issuer = OLD.issuer"
        " AND p.serial = OLD.serial AND NOT (p.state = 'withdrawn' AND p.verified_at IS NOT NULL))",
        "a certificate is deleted only after every directory was seen without it",
    ),
    Guard(
        "PKI06",
        "certificate",
        "INSERT",
        "EXISTS (SELECT 1 FROM certificate c WHERE c.issuer = NEW.issuer"
        " AND c.serial = NEW.serial)",
        "a certificate is never written over another",
    ),
    Guard(
        "PKI07",
        "certificate",
        "INSERT",
        "EXISTS (SELECT 1 FROM revocation_residue r WHERE r.issuer = NEW.issuer"
        " AND r.serial = NEW.serial)",
        "the serial number of an erased certificate is never used again",
    ),
    Guard(
        "PKI03",
        "certificate",
        "INSERT",
        "NEW.status <> 'intent'",
        "a certificate begins as an intent",
    ),
    Guard(
        "PKI08",
        "certificate",
        "UPDATE",
        "NEW.issuer <> OLD.issuer OR NEW.serial <> OLD.serial OR NEW.not_after <> OLD.not_after"
        " OR NEW.subject_id IS DISTINCT FROM OLD.subject_id OR NEW.sealed_tbs <> OLD.sealed_tbs",
        "issuer, serial, expiry, subject and signed octets of a certificate do not change",
    ),
    Guard(
        "PKI09",
        "certificate",
        "UPDATE",
        "OLD.status = 'revoked' AND (NEW.status <> OLD.status"
        " OR NEW.revoked_at <> OLD.revoked_at OR NEW.reason <> OLD.reason"
        " OR NEW.crl_entry <> OLD.crl_entry)",
        "a revocation is final",
    ),
    Guard(
        "PKI10",
        "certificate",
        "UPDATE",
        "OLD.sealed_der IS NOT NULL AND NEW.sealed_der IS DISTINCT FROM OLD.sealed_der"
        " OR OLD.status <> 'intent' AND NEW.status = 'intent'",
        "an issued certificate is neither blanked nor signed again",
    ),
    Guard(
        "PKI11",
        "subject",
        "DELETE",
        "EXISTS (SELECT 1 FROM certificate c WHERE c.subject_id = OLD.id)"
        " OR EXISTS (SELECT 1 FROM data_key k WHERE k.subject_id = OLD.id)",
        "a subject is deleted only after its certificates and keys",
    ),
    Guard(
        "PKI15",
        "data_key",
        "DELETE",
        "EXISTS (SELECT 1 FROM certificate c WHERE c.subject_id = OLD.subject_id)",
        "a data key is destroyed only after the certificates it opens are gone",
    ),
    Guard("PKI16", "data_key", "UPDATE", "1 = 1", "a data key is never overwritten"),
    Guard(
        "PKI17",
        "revocation_residue",
        "UPDATE",
        "1 = 1",
        "what remains of a revocation does not change",
    ),
    Guard(
        "PKI17",
        "revocation_residue",
        "DELETE",
        "OLD.not_after >= {now}",
        "what remains of a revocation is kept until the certificate would have expired",
    ),
    Guard(
        "PKI18",
        "certificate",
        "INSERT",
        "EXISTS (SELECT 1 FROM subject s WHERE s.id = NEW.subject_id AND s.state <> 'active')",
        "nothing is issued to a subject that is restricted or being erased",
    ),
    Guard(
        "PKI20",
        "crl",
        "INSERT",
        "NEW.number <> 1 + COALESCE((SELECT MAX(c.number) FROM crl c"
        " WHERE c.issuer = NEW.issuer), 0)",
        "CRL numbers rise by one (RFC 5280 5.2.3)",
    ),
    Guard("PKI20", "crl", "UPDATE", "1 = 1", "a CRL that was signed does not change"),
    Guard(
        "RA01",
        "approval",
        "INSERT",
        "EXISTS (SELECT 1 FROM application a WHERE a.id = NEW.application_id"
        " AND (a.proofing_person IS NULL OR a.proofing_person = NEW.person_id))",
        "the officer who approves is another person than the one who vetted",
    ),
    Guard(
        "RA02",
        "approval",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM application a WHERE a.id = NEW.application_id"
        " AND a.state = 'verified' AND a.package_sha256 = NEW.package_sha256)",
        "an approval is for exactly the package that was vetted",
    ),
    Guard(
        "RA03",
        "approval",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM officer o WHERE o.id = NEW.officer_id"
        " AND o.person_id = NEW.person_id AND o.role = 'approving_officer'"
        " AND o.state = 'active')",
        "only an active approving officer approves",
    ),
    Guard("RA04", "approval", "UPDATE", "1 = 1", "an approval does not change"),
    Guard(
        "RA05",
        "application",
        "UPDATE",
        f"OLD.state IN {_FINAL} AND (NEW.state <> OLD.state OR NEW.sealed_body <> OLD.sealed_body)",
        "a final state of an application is final",
    ),
    Guard(
        "RA06",
        "application",
        "UPDATE",
        "NEW.state = 'approved' AND NOT EXISTS (SELECT 1 FROM approval v"
        " WHERE v.application_id = NEW.id AND v.package_sha256 = NEW.package_sha256)",
        "an application is approved only by a recorded approval of its package",
    ),
    Guard(
        "AUD01",
        "audit_event",
        "INSERT",
        "NEW.sequence <> 1 + COALESCE((SELECT MAX(e.sequence) FROM audit_event e), -1)",
        "audit events are numbered without a gap",
    ),
    Guard("AUD02", "audit_event", "UPDATE", "1 = 1", "an audit event does not change"),
    Guard("AUD02", "audit_event", "DELETE", "1 = 1", "an audit event is not deleted"),
    Guard("AUD03", "audit_head", "UPDATE", "1 = 1", "a signed head does not change"),
    Guard("AUD03", "audit_head", "DELETE", "1 = 1", "a signed head is not deleted"),
)

EFFECTS = (
    Effect(
        "residue",
        "certificate",
        "DELETE",
        "OLD.status = 'revoked'",
        "INSERT INTO revocation_residue"
        " (issuer, serial, revoked_at, reason, not_after, crl_entry) VALUES (OLD.issuer,"
        " OLD.serial, OLD.revoked_at, OLD.reason, OLD.not_after, OLD.crl_entry)",
    ),
    # A CRL made from the residue follows at once, so that it can be seen to hold the same.
    Effect(
        "erased_version",
        "certificate",
        "DELETE",
        "OLD.status = 'revoked'",
        "UPDATE issuer SET status_version = status_version + 1 WHERE name = OLD.issuer",
    ),
    Effect(
        "status_version",
        "certificate",
        "UPDATE",
        "NEW.status = 'revoked' AND OLD.status <> 'revoked'",
        "UPDATE issuer SET status_version = status_version + 1 WHERE name = NEW.issuer",
    ),
)


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger as an engine stores it: `body` is what the engine gives back when asked."""

    name: str
    table: str
    body: str
    create: tuple[str, ...]


def triggers(dialect: str) -> Iterator[Trigger]:
    """All guards and effects in the SQL of one engine."""
    render = _sqlite_trigger if dialect == "sqlite" else _postgresql_trigger
    for number, guard in enumerate(GUARDS):
        name = f"guard_{number:02}_{guard.code.lower()}"
        when = guard.when.format(now=NOW[dialect])
        refusal = _refuse(dialect, f"{guard.code}: {guard.sentence}")
        yield render(name, f"BEFORE {guard.event}", guard.table, when, refusal)
    for effect in EFFECTS:
        event = f"AFTER {effect.event}"
        yield render(f"effect_{effect.name}", event, effect.table, effect.when, effect.statement)
    if dialect == "postgresql":
        body = _refuse(dialect, "PKI19: a table of records is never emptied at once")
        for table in NEVER_TRUNCATED:
            yield _postgresql(f"guard_truncate_{table}", "BEFORE TRUNCATE", table, f"{body};", "")


def schema_digest(dialect: str) -> str:
    """SHA-256 over every trigger's body: what the database is expected to enforce."""
    bodies = "\n".join(f"{t.name} {t.body}" for t in triggers(dialect))
    return hashlib.sha256(bodies.encode()).hexdigest()


def _refuse(dialect: str, text: str) -> str:
    if dialect == "sqlite":
        return f"SELECT RAISE(ABORT, '{text}')"
    return f"RAISE EXCEPTION '{text}' USING ERRCODE = '23001'"


def _sqlite_trigger(name: str, event: str, table: str, when: str, body: str) -> Trigger:
    when = when.replace("IS DISTINCT FROM", "IS NOT")
    statement = (
        f"CREATE TRIGGER {name} {event} ON {table} FOR EACH ROW WHEN {when} BEGIN {body}; END"
    )
    return Trigger(name, table, statement, (statement,))


def _postgresql_trigger(name: str, event: str, table: str, when: str, body: str) -> Trigger:
    result = "OLD" if event.endswith("DELETE") else "NEW"
    source = f"IF {when} THEN {body}; END IF; RETURN {result};"
    return _postgresql(name, event, table, source, "FOR EACH ROW ")


def _postgresql(name: str, event: str, table: str, source: str, each: str) -> Trigger:
    body = f" BEGIN {source} END "
    return Trigger(
        name,
        table,
        body,
        (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$",
            f"CREATE TRIGGER {name} {event} ON {table} {each}EXECUTE FUNCTION {name}()",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",
        ),
    )
