"""What the database refuses about data-subject cases: order, identity, four eyes, one digest."""

from collections.abc import Iterable

from gdpr_erasure.cases import APPROVALS, PROVED, STEPS
from records.triggers import Guard, changed, same_row


def _listed(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_STEP = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state = '{further}')"
    for state, reached in STEPS.items()
    for further in sorted(reached)
)
_FINAL = _listed(state for state, further in STEPS.items() if not further)
_PROVED = _listed(PROVED)
_PROOF = ("method", "level", "at", "by", "issuer", "serial")
_PROOF_CHANGED = changed(*(f"proof_{column}" for column in _PROOF))
_GONE = "NOT EXISTS (SELECT 1 FROM subject s WHERE s.id = {subject} AND s.state <> 'erasing')"
_CASE_GOES = (
    "EXISTS (SELECT 1 FROM subject_case c JOIN subject s ON s.id = c.subject_id"
    " WHERE c.id = OLD.case_id AND s.state <> 'erasing')"
)
# The proof still holds: its certificate is good, and no certificate is at a higher level.
_VERIFIED = (
    "{case}.proof_level IS NOT NULL AND ({case}.proof_issuer IS NULL OR EXISTS (SELECT 1 FROM"
    " certificate x WHERE x.issuer = {case}.proof_issuer AND x.serial = {case}.proof_serial"
    " AND x.status = 'issued')) AND NOT EXISTS (SELECT 1 FROM application a JOIN certificate x"
    " ON x.application_id = a.id WHERE a.subject_id = {case}.subject_id AND (CASE a.level"
    " WHEN 'high' THEN 3 WHEN 'substantial' THEN 2 ELSE 1 END) > {case}.proof_level)"
)
_WHOLE = "NOT EXISTS (SELECT 1 FROM case_part p WHERE p.case_id = {case}.id AND p.sha256 IS NULL)"
_APPROVED = (
    "(SELECT COUNT(DISTINCT v.person_id) FROM case_approval v WHERE v.case_id = {case}.id"  # noqa: S608
    f" AND v.package_sha256 = {{case}}.package_sha256) >= {APPROVALS}"
)
_NEW_VERIFIED = _VERIFIED.format(case="NEW")
_CASE_GUARDS = (
    Guard(
        "CASE01",
        "subject_case",
        "INSERT",
        f"{same_row('subject_case', 'id')} OR NEW.state <> 'received'"
        " OR NEW.proof_level IS NOT NULL OR NEW.extended_at IS NOT NULL"
        " OR NEW.package_sha256 IS NOT NULL OR NEW.subject_id IS NULL"
        f" OR {_GONE.format(subject='NEW.subject_id')}",
        "a case begins with what was received from somebody who is there",
    ),
    Guard(
        "CASE01",
        "subject_case",
        "DELETE",
        f"OLD.state NOT IN ({_FINAL})"
        f" OR NOT (OLD.subject_id IS NULL OR {_GONE.format(subject='OLD.subject_id')})",
        "a case is deleted only after its end and the erasure of its person",
    ),
    Guard(
        "CASE02",
        "subject_case",
        "UPDATE",
        f"NEW.state <> OLD.state AND NOT ({_STEP})",
        "a case takes no step that leaves one out",
    ),
    Guard(
        "CASE03",
        "subject_case",
        "UPDATE",
        changed("id", "kind", "language", "scopes", "secret_sha256", "received_at")
        + " OR "
        + changed("opened_by", "opened_person")
        + " OR (NEW.subject_id IS DISTINCT FROM OLD.subject_id AND NOT"
        " (OLD.state IN ('received', 'identifying') AND NEW.subject_id IS NOT NULL)"
        f" AND NOT (NEW.subject_id IS NULL AND {_GONE.format(subject='OLD.subject_id')}))",
        "what a case asks for, since when and for whom, does not change",
    ),
    Guard(
        "CASE04",
        "subject_case",
        "UPDATE",
        f"(NEW.state IN ({_PROVED}) AND NEW.proof_level IS NULL)"
        f" OR (OLD.state NOT IN ('identifying', 'assessing') AND ({_PROOF_CHANGED}))",
        "a case goes on only for somebody whose identity was proved",
    ),
    Guard(
        "CASE07",
        "subject_case",
        "UPDATE",
        "(NEW.state = 'awaiting_approval' AND OLD.state <> 'awaiting_approval'"
        " AND (NEW.package_sha256 IS NULL OR NEW.assignee_person IS NULL"
        f" OR NOT {_WHOLE.format(case='NEW')}))"
        f" OR (OLD.state <> 'assessing' AND ({changed('package_sha256')}))",
        "what is approved is whole, and does not change on the way to its approval",
    ),
    Guard(
        "CASE08",
        "subject_case",
        "UPDATE",
        "NEW.state IN ('approved', 'delivered', 'carried_out') AND NEW.state <> OLD.state"
        f" AND NOT ({_APPROVED.format(case='NEW')} AND (OLD.state <> 'awaiting_approval'"
        f" OR ({_NEW_VERIFIED})))",
        "a case is approved by two persons, for one digest, while its identity holds",
    ),
    Guard(
        "CASE09",
        "subject_case",
        "UPDATE",
        "(NEW.state = 'refused' AND OLD.state <> 'refused' AND NEW.sealed_refusal IS NULL)"
        f" OR (({changed('extended_at')})"
        " AND (OLD.extended_at IS NOT NULL OR NEW.sealed_extension IS NULL))",
        "a refusal and an extension have their reasons, and a case is extended once",
    ),
    Guard(
        "CASE13",
        "subject_case",
        "UPDATE",
        "NEW.state = 'delivered' AND OLD.state <> 'delivered' AND NOT EXISTS (SELECT 1"
        " FROM case_delivery d WHERE d.case_id = NEW.id"
        " AND d.package_sha256 = NEW.package_sha256)",
        "a case is delivered by the package that was approved",
    ),
)
_APPROVAL_GUARDS = (
    Guard(
        "CASE10",
        "case_approval",
        "INSERT",
        same_row("case_approval", "case_id", "person_id", "package_sha256"),
        "an approval is never written over another",
    ),
    Guard(
        "CASE05",
        "case_approval",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM officer o JOIN subject_case c ON c.id = NEW.case_id"
        " WHERE o.id = NEW.officer_id AND o.person_id = NEW.person_id"
        " AND o.role = 'case_approver' AND o.state = 'active')"
        " OR EXISTS (SELECT 1 FROM subject_case c WHERE c.id = NEW.case_id"
        " AND (c.opened_person = NEW.person_id OR c.assignee_person = NEW.person_id"
        " OR c.proof_by = NEW.person_id OR EXISTS (SELECT 1 FROM officer o"
        " WHERE o.person_id = NEW.person_id AND o.subject_id = c.subject_id) OR EXISTS"
        " (SELECT 1 FROM case_file f JOIN officer o ON o.id = f.added_by"
        " WHERE f.case_id = c.id AND o.person_id = NEW.person_id)))",
        "a case is approved by an approver who had no hand in it and whom it is not about",
    ),
    Guard(
        "CASE06",
        "case_approval",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM subject_case c WHERE c.id = NEW.case_id"  # noqa: S608
        " AND c.state = 'awaiting_approval' AND c.package_sha256 = NEW.package_sha256"
        f" AND {_VERIFIED.format(case='c')})",
        "an approval is for exactly what waits for it, while the identity holds",
    ),
    Guard("CASE10", "case_approval", "UPDATE", "1 = 1", "an approval does not change"),
    Guard(
        "CASE10",
        "case_approval",
        "DELETE",
        _CASE_GOES,
        "an approval is deleted only in the erasure of the person",
    ),
)
_CONTENT_GUARDS = (
    *(
        Guard(
            "CASE11",
            "case_part",
            event,
            (f"{same_row('case_part', 'case_id', 'name')} OR " if event == "INSERT" else "")  # noqa: S608
            + (f"{changed('case_id', 'name')} OR " if event == "UPDATE" else "")
            + "NOT EXISTS (SELECT 1 FROM subject_case c WHERE c.id = NEW.case_id"
            " AND c.state = 'assessing')",
            "parts are collected while the case is assessed",
        )
        for event in ("INSERT", "UPDATE")
    ),
    Guard(
        "CASE11",
        "case_part",
        "DELETE",
        _CASE_GOES,
        "a part is deleted only in the erasure of the person",
    ),
    Guard(
        "CASE12",
        "case_file",
        "INSERT",
        f"{same_row('case_file', 'case_id', 'number')} OR NOT EXISTS (SELECT 1"  # noqa: S608
        " FROM subject_case c WHERE c.id = NEW.case_id"
        " AND c.state IN ('assessing', 'clarifying'))",
        "a file is added while the case is assessed, for somebody whose identity was proved",
    ),
    Guard("CASE12", "case_file", "UPDATE", "1 = 1", "a file of a case does not change"),
    Guard(
        "CASE12",
        "case_file",
        "DELETE",
        _CASE_GOES,
        "a file is deleted only in the erasure of the person",
    ),
)
_DELIVERY_GUARDS = (
    Guard(
        "CASE13",
        "case_delivery",
        "INSERT",
        f"{same_row('case_delivery', 'case_id')} OR NEW.downloaded_at IS NOT NULL"  # noqa: S608
        " OR NEW.ended_at IS NOT NULL OR NOT EXISTS (SELECT 1 FROM subject_case c"
        " WHERE c.id = NEW.case_id AND c.state = 'approved'"
        " AND c.package_sha256 = NEW.package_sha256"
        f" AND {_APPROVED.format(case='c')} AND {_WHOLE.format(case='c')})",
        "only what was approved is delivered, and whole",
    ),
    Guard(
        "CASE13",
        "case_delivery",
        "UPDATE",
        changed("case_id", "package_sha256", "envelope_sha256", "method", "level")
        + " OR "
        + changed("delivered_at", "expires_at")
        + f" OR (NEW.sealed_envelope IS NOT NULL AND ({changed('sealed_envelope')}))"
        f" OR (OLD.downloaded_at IS NOT NULL AND ({changed('downloaded_at')}))"
        f" OR (OLD.ended_at IS NOT NULL AND ({changed('ended_at')}))"
        f" OR (OLD.reminded_at IS NOT NULL AND ({changed('reminded_at')}))"
        " OR (NEW.ended_at IS NOT NULL AND NEW.sealed_envelope IS NOT NULL)",
        "what was delivered does not change, and is gone once it has ended",
    ),
    Guard(
        "CASE13",
        "case_delivery",
        "DELETE",
        "OLD.ended_at IS NULL AND " + _CASE_GOES,
        "a delivery is deleted only after its end, or in the erasure of the person",
    ),
    Guard(
        "CASE14",
        "data_key",
        "DELETE",
        "OLD.purpose = 'delivery' AND EXISTS (SELECT 1 FROM subject s WHERE s.id = OLD.subject_id"
        " AND s.state <> 'erasing') AND EXISTS (SELECT 1 FROM subject_case c LEFT JOIN"
        " case_delivery d ON d.case_id = c.id WHERE c.subject_id = OLD.subject_id"
        " AND (c.sealed_package IS NOT NULL OR d.sealed_envelope IS NOT NULL))",
        "the key of deliveries is destroyed when none is open",
    ),
)
CASE_GUARDS = (*_CASE_GUARDS, *_APPROVAL_GUARDS, *_CONTENT_GUARDS, *_DELIVERY_GUARDS)
