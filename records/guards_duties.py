"""What the database refuses about duties to revoke: none is lost, and none dismissed alone."""

from records.triggers import Effect, Guard, changed, same_row

_SAME_IS_OPEN = (
    "EXISTS (SELECT 1 FROM revocation_duty d WHERE d.issuer = NEW.issuer"
    " AND d.serial = NEW.serial AND d.cause = NEW.cause AND d.state = 'open')"
)
_ADMINISTRATOR = (
    "EXISTS (SELECT 1 FROM officer o WHERE o.id = NEW.{who}_by AND o.person_id = NEW.{who}_person"
    " AND o.role = 'security_administrator' AND o.state = 'active')"
)
_LIVE = (
    "EXISTS (SELECT 1 FROM certificate c WHERE c.issuer = NEW.issuer AND c.serial = NEW.serial"
    " AND c.subject_id = NEW.subject_id AND c.status IN ('issued', 'held'))"
)
_REVOKED = (
    "EXISTS (SELECT 1 FROM certificate c WHERE c.issuer = NEW.issuer AND c.serial = NEW.serial"
    " AND c.status = 'revoked')"
)

DUTY_GUARDS = (
    Guard(
        "DTR01",
        "revocation_duty",
        "INSERT",
        f"{same_row('revocation_duty', 'id')} OR {_SAME_IS_OPEN}"
        " OR NEW.state <> 'open' OR NEW.decided_at IS NOT NULL OR NEW.proposed_by IS NOT NULL"
        f" OR NEW.deadline < NEW.opened_at OR NOT {_LIVE}",
        "a duty to revoke begins open, once, for a certificate that is not revoked",
    ),
    Guard(
        "DTR02",
        "revocation_duty",
        "UPDATE",
        f"OLD.state <> 'open' OR {changed('id', 'issuer', 'serial', 'subject_id', 'cause')}"
        f" OR {changed('opened_at', 'opened_by', 'deadline')}",
        "what a duty to revoke is about does not change, and its end is final",
    ),
    Guard(
        "DTR03",
        "revocation_duty",
        "UPDATE",
        f"NEW.state = 'revoked' AND NOT {_REVOKED}",
        "a duty to revoke is done when its certificate is revoked",
    ),
    Guard(
        "DTR04",
        "revocation_duty",
        "UPDATE",
        "(OLD.proposed_by IS NOT NULL AND"
        f" ({changed('proposed_by', 'proposed_person', 'no_reason')}))"
        " OR (OLD.proposed_by IS NULL AND NEW.proposed_by IS NOT NULL"
        f" AND (NEW.no_reason IS NULL OR NEW.state <> 'open'"
        f" OR NOT {_ADMINISTRATOR.format(who='proposed')}))",
        "one active security administrator says, once, why there is no reason to revoke",
    ),
    Guard(
        "DTR05",
        "revocation_duty",
        "UPDATE",
        "NEW.state = 'dismissed' AND (OLD.proposed_person IS NULL"
        " OR NEW.decided_person = OLD.proposed_person OR NEW.decided_at IS NULL"
        f" OR NOT {_ADMINISTRATOR.format(who='decided')})",
        "a duty to revoke is dismissed by a second security administrator, counted by person",
    ),
    Guard(
        "DTR06",
        "revocation_duty",
        "DELETE",
        "EXISTS (SELECT 1 FROM subject s WHERE s.id = OLD.subject_id AND s.state <> 'erasing')",
        "a duty to revoke is deleted only in the erasure of its subject",
    ),
)

# Whoever revokes, by whichever way, has done the duty: in the same statement, so that no crash
# comes between.
DUTY_DONE = Effect(
    "duty_done",
    "certificate",
    "UPDATE",
    "NEW.status = 'revoked' AND OLD.status <> 'revoked'",
    "UPDATE revocation_duty SET state = 'revoked', decided_by = NEW.decided_by,"
    " decided_at = NEW.decided_at WHERE issuer = NEW.issuer AND serial = NEW.serial"
    " AND state = 'open'",
)
