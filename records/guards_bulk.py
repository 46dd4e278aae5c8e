"""What the database refuses about bulk revocations: two persons, one digest, and forwards only."""

from records.triggers import Guard, changed, same_row

PLAN_DAYS = 7
"""Days after which a plan that nobody began may be deleted, by the database's own clock."""
_WEEK_AGO = f"({{now}} - {PLAN_DAYS * 86_400_000_000})"
_MAY = (
    "EXISTS (SELECT 1 FROM officer o WHERE o.id = {officer}"
    " AND o.role = 'security_administrator' AND o.state = 'active')"
)
_OTHER_PERSON = (
    "EXISTS (SELECT 1 FROM officer a, officer b WHERE a.id = NEW.planned_by AND b.id = NEW.begun_by"
    " AND a.person_id <> b.person_id)"
)
_PLANNING = (
    "EXISTS (SELECT 1 FROM bulk_revocation b WHERE b.id = NEW.bulk_id AND b.begun_by IS NULL"
    " AND NEW.number >= 0 AND NEW.number < b.total)"
)
_FORGOTTEN = (
    "EXISTS (SELECT 1 FROM bulk_revocation b WHERE b.id = OLD.bulk_id AND (b.ended_at IS NOT NULL"  # noqa: S608
    f" OR (b.begun_by IS NULL AND b.planned_at <= {_WEEK_AGO})){{lock}})"
)

BULK_GUARDS = (
    Guard(
        "REV01",
        "bulk_revocation",
        "INSERT",
        f"{same_row('bulk_revocation', 'id')} OR NEW.begun_by IS NOT NULL OR NEW.done <> 0"
        f" OR NOT {_MAY.format(officer='NEW.planned_by')}",
        "a bulk revocation begins as the plan of an active security administrator",
    ),
    Guard(
        "REV02",
        "bulk_revocation",
        "UPDATE",
        changed("id", "cause", "invalid_since", "selection", "sha256", "total", "left_out")
        + " OR "
        + changed("alone", "planned_by", "planned_at")
        + f" OR (OLD.begun_by IS NOT NULL AND ({changed('begun_by', 'begun_at', 'begun_sha256')}))"
        " OR NEW.done < OLD.done OR NEW.revoked < OLD.revoked"
        " OR (NEW.begun_by IS NULL AND NEW.done > 0)"
        f" OR (OLD.ended_at IS NOT NULL AND ({changed('ended_at')}))",
        "what was planned and begun does not change, and it goes forwards only",
    ),
    Guard(
        "REV03",
        "bulk_revocation",
        "UPDATE",
        "OLD.begun_by IS NULL AND NEW.begun_by IS NOT NULL AND (NEW.begun_sha256 <> OLD.sha256"
        f" OR NOT {_MAY.format(officer='NEW.begun_by')}"
        f" OR (OLD.total > OLD.alone AND NOT {_OTHER_PERSON}))",
        "a large bulk revocation is begun by a second security administrator, for exactly its"
        " digest",
    ),
    Guard(
        "REV02",
        "bulk_revocation",
        "DELETE",
        f"OLD.begun_by IS NOT NULL OR OLD.planned_at > {_WEEK_AGO}",
        "a bulk revocation is not deleted, but for a plan that nobody began in a week",
    ),
    Guard(
        "REV04",
        "bulk_certificate",
        "INSERT",
        f"{same_row('bulk_certificate', 'bulk_id', 'number')} OR NOT {_PLANNING}",
        "nothing is added to a selection after its plan",
    ),
    Guard("REV04", "bulk_certificate", "UPDATE", "1 = 1", "a selection does not change"),
    Guard(
        "REV04",
        "bulk_certificate",
        "DELETE",
        f"NOT {_FORGOTTEN}",
        "a selection is kept until all of it is done, or nobody began it in a week",
    ),
)
