"""What the database refuses about erasures, retention and legal hold: four eyes, and no way back.

ERA is about cases; PKI33 to PKI35 about what is kept, whoever asks; RET about orders of two
persons.
"""

from gdpr_erasure.erasures import PERSONS, STEPS
from records.triggers import Guard, changed, same_row

_STEP = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state = '{further}')"
    for state, reached in STEPS.items()
    for further in sorted(reached)
)
_PERSONS = (
    "(SELECT COUNT(DISTINCT a.person_id) FROM erasure_approval a WHERE a.case_id = NEW.id"
    " AND a.rulings_sha256 = NEW.rulings_sha256)"
)
_ADMINISTRATOR = (
    "EXISTS (SELECT 1 FROM officer o WHERE o.id = NEW.{officer}"
    " AND o.role = 'security_administrator' AND o.state = 'active')"
)
_CASE_IN = "EXISTS (SELECT 1 FROM erasure e WHERE e.id = {row}.case_id AND e.state IN ({states}))"
_OTHER_PERSON = (
    "EXISTS (SELECT 1 FROM officer a, officer b WHERE a.id = OLD.asked_by"
    " AND b.id = NEW.approved_by AND a.person_id <> b.person_id)"
)
_HELD = (
    "EXISTS (SELECT 1 FROM retention_order h WHERE h.kind = 'hold' AND h.subject_id = {subject}"
    " AND h.approved_by IS NOT NULL AND NOT EXISTS (SELECT 1 FROM retention_order r"
    " WHERE r.hold_id = h.id AND r.kind = 'release' AND r.approved_by IS NOT NULL))"
)
_SHORTENED = (
    "EXISTS (SELECT 1 FROM retention_order s WHERE s.kind = 'shorten' AND s.approved_by IS NOT NULL"
    " AND s.subject_id = OLD.subject_id AND s.until_at <= NEW.keep_until)"
)
_SHORTER = (
    "OLD.keep_until IS NOT NULL AND (NEW.keep_until IS NULL OR NEW.keep_until < OLD.keep_until)"
    f" AND NOT {_SHORTENED}"
)
_ERASING = "EXISTS (SELECT 1 FROM subject s WHERE s.id = OLD.subject_id AND s.state <> 'erasing')"

_CASE_GUARDS = (
    Guard(
        "ERA01",
        "erasure",
        "INSERT",
        f"{same_row('erasure', 'id')} OR {same_row('erasure', 'subject_id')}"
        " OR NEW.state <> 'requested' OR NEW.kept IS NOT NULL",
        "an erasure begins as a request",
    ),
    Guard(
        "ERA02",
        "erasure",
        "UPDATE",
        f"NEW.state <> OLD.state AND NOT ({_STEP})",
        "an erasure takes no step that leaves one out",
    ),
    Guard(
        "ERA03",
        "erasure",
        "UPDATE",
        "NEW.state <> OLD.state AND NEW.state IN ('approved', 'frozen')"
        f" AND {_PERSONS} < {PERSONS}",
        "an erasure begins after two persons approved exactly its rulings",
    ),
    Guard(
        "ERA04",
        "erasure",
        "UPDATE",
        changed("id", "cause", "requested_at", "due_at", "holder", "opened_by")
        + " OR (OLD.state NOT IN ('requested', 'approved')"
        + f" AND ({changed('rulings', 'rulings_sha256')}))"
        + " OR (NEW.subject_id IS DISTINCT FROM OLD.subject_id AND (NEW.subject_id IS NOT NULL"
        + " OR NEW.state NOT IN ('destroyed', 'cancelled')))",
        "of whom a case is, why, and what was approved does not change",
    ),
    Guard("ERA05", "erasure", "DELETE", "1 = 1", "an erasure case is not deleted"),
    Guard(
        "ERA06",
        "erasure_approval",
        "INSERT",
        same_row("erasure_approval", "case_id", "rulings_sha256", "person_id")  # noqa: S608 - of our own constants
        + f" OR NOT {_ADMINISTRATOR.format(officer='officer_id')}"  # noqa: S608 - as above
        " OR NOT EXISTS (SELECT 1 FROM officer o WHERE o.id = NEW.officer_id"
        " AND o.person_id = NEW.person_id)"
        " OR NOT EXISTS (SELECT 1 FROM erasure e WHERE e.id = NEW.case_id"
        " AND e.state = 'requested' AND e.rulings_sha256 = NEW.rulings_sha256)"
        " OR EXISTS (SELECT 1 FROM erasure e, officer o WHERE e.id = NEW.case_id"
        " AND o.id = e.opened_by AND o.person_id = NEW.person_id)",
        "an active security administrator approves once, exactly the rulings of an open request,"
        " and not a case of the own",
    ),
    *(
        Guard("ERA07", "erasure_approval", change, "1 = 1", "an approval of an erasure stays")
        for change in ("UPDATE", "DELETE")
    ),
    Guard(
        "ERA08",
        "erasure_receipt",
        "INSERT",
        f"{same_row('erasure_receipt', 'case_id', 'number')}"  # noqa: S608 - as above
        f" OR NOT {_CASE_IN.format(row='NEW', states=repr('sealed') + ', ' + repr('done'))}"
        " OR NEW.number <> 1 + (SELECT COUNT(*) FROM erasure_receipt r"
        " WHERE r.case_id = NEW.case_id)",
        "receipts are numbered, and follow the seal",
    ),
    *(
        Guard("ERA08", "erasure_receipt", change, "1 = 1", "a receipt stays as it was signed")
        for change in ("UPDATE", "DELETE")
    ),
    Guard(
        "ERA09",
        "directory_debt",
        "INSERT",
        same_row("directory_debt", "directory", "issuer", "serial")  # noqa: S608 - as above
        + " OR NOT EXISTS (SELECT 1 FROM publication p WHERE p.directory = NEW.directory"
        " AND p.issuer = NEW.issuer AND p.serial = NEW.serial AND p.state = 'withdrawing')",
        "what is owed is a withdrawal that was asked for and not made",
    ),
    Guard(
        "ERA09",
        "directory_debt",
        "UPDATE",
        changed("directory", "issuer", "serial", "case_id"),
        "which withdrawal is owed does not change",
    ),
    Guard(
        "ERA09",
        "directory_debt",
        "DELETE",
        "OLD.verified_at IS NULL",
        "a withdrawal is owed until its directory was seen without the certificate",
    ),
)
_KEEP_GUARDS = (
    *(
        Guard(
            "PKI33",
            table,
            "DELETE",
            "OLD.keep_until IS NOT NULL AND OLD.keep_until > {now}",
            "nothing is deleted before the end of the time that it must be kept",
        )
        for table in ("certificate", "application")
    ),
    *(
        Guard(
            "PKI33",
            table,
            "UPDATE",
            _SHORTER,
            "a time to keep only grows, unless two persons shortened it",
        )
        for table in ("certificate", "application")
    ),
    *(
        Guard(
            "PKI34",
            table,
            "DELETE",
            _HELD.format(subject="OLD.id" if table == "subject" else "OLD.subject_id"),
            "nothing is deleted under a legal hold",
        )
        for table in ("certificate", "application", "data_key", "subject")
    ),
    Guard(
        "PKI35",
        "data_key",
        "DELETE",
        "OLD.purpose = 'evidence' AND EXISTS (SELECT 1 FROM application a"
        " WHERE a.subject_id = OLD.subject_id)",
        "a data key lives as long as what must be kept under it",
    ),
)
_ORDER_GUARDS = (
    Guard(
        "RET01",
        "retention_order",
        "INSERT",
        f"{same_row('retention_order', 'id')} OR {same_row('retention_order', 'hold_id')}"  # noqa: S608 - as above
        f" OR NEW.approved_by IS NOT NULL OR NOT {_ADMINISTRATOR.format(officer='asked_by')}"
        " OR (NEW.kind = 'release' AND NOT EXISTS (SELECT 1 FROM retention_order h"
        " WHERE h.id = NEW.hold_id AND h.kind = 'hold' AND h.subject_id = NEW.subject_id))",
        "an order about keeping is asked for by an active security administrator",
    ),
    Guard(
        "RET02",
        "retention_order",
        "UPDATE",
        changed("id", "kind", "subject_id", "directory", "hold_id", "until_at", "basis")
        + " OR "
        + changed("asked_by", "asked_at")
        + " OR OLD.approved_by IS NOT NULL",
        "an order about keeping does not change",
    ),
    Guard(
        "RET03",
        "retention_order",
        "UPDATE",
        f"NOT {_ADMINISTRATOR.format(officer='approved_by')} OR NOT {_OTHER_PERSON}",
        "an order about keeping is approved by a second security administrator",
    ),
    Guard(
        "RET04",
        "retention_order",
        "DELETE",
        f"{_HELD.format(subject='OLD.subject_id')} OR {_ERASING} OR OLD.subject_id IS NULL",
        "an order about keeping goes with its subject, and not under a hold",
    ),
)
ERASURE_GUARDS = (*_CASE_GUARDS, *_KEEP_GUARDS, *_ORDER_GUARDS)
