"""Holders are told (ISS-REV-L5, REG-IDN-L8): the database writes down what, with each change.

It stands in the statement of the change, so that no way of changing a status can forget it and no
crash comes between. Nobody is told of a death, and an erasure answers in its own case.
"""

from records.triggers import Effect, Guard

_WRITE = (
    "INSERT INTO holder_notice (application_id, occasion, at, state, due_at, tries) VALUES"
    " ({of}, {occasion}, {at}, 'due', {at}, 0)"
    " ON CONFLICT (application_id, occasion, at) DO NOTHING"
)
_STATUS = (
    "CASE WHEN NEW.status = 'held' THEN 'suspended' WHEN NEW.status = 'revoked' THEN 'revoked'"
    " WHEN OLD.status = 'held' THEN 'reactivated' ELSE 'issued' END"
)

NOTICE_EFFECTS = (
    Effect(
        "tell_status",
        "certificate",
        "UPDATE",
        "NEW.application_id IS NOT NULL AND NEW.status <> OLD.status"
        " AND NEW.issued_at IS NOT NULL AND COALESCE(NEW.cause, '') NOT IN ('death', 'erasure')",
        _WRITE.format(
            of="NEW.application_id",
            occasion=_STATUS,
            at="COALESCE(NEW.decided_at, NEW.issued_at)",
        ),
    ),
    Effect(
        "tell_proofing",
        "application",
        "UPDATE",
        "NEW.state IN ('verified', 'rejected') AND NEW.state <> OLD.state",
        _WRITE.format(
            of="NEW.id",
            occasion="CASE WHEN NEW.state = 'verified' THEN 'proofing_done'"
            " ELSE 'proofing_rejected' END",
            at="NEW.updated_at",
        ),
    ),
)
NOTICE_GUARDS = (
    Guard(
        "NOT01",
        "holder_notice",
        "UPDATE",
        "OLD.state <> 'due' OR NEW.application_id <> OLD.application_id"
        " OR NEW.occasion <> OLD.occasion OR NEW.at <> OLD.at",
        "what a holder was told, and of what, does not change",
    ),
    Guard(
        "NOT02",
        "holder_notice",
        "DELETE",
        "EXISTS (SELECT 1 FROM application a JOIN subject s ON s.id = a.subject_id"
        " WHERE a.id = OLD.application_id AND s.state <> 'erasing')",
        "a notice is deleted only in the erasure of its subject",
    ),
)
