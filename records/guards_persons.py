"""What the database refuses about proofing natural persons: trainings, texts, nonces, attempts."""

from records.triggers import Guard, changed, same_row

LEAST_DAYS = 7
"""Days for which no application lapses, by the database's own clock."""
TRAINING_DAYS = 366
PRESENTATION_DAYS = 2
_DAY = 86_400_000_000
_OTHER_ADMINISTRATOR = (
    "EXISTS (SELECT 1 FROM officer o WHERE o.id = NEW.recorded_by"
    " AND o.person_id = NEW.recorded_person AND o.person_id <> NEW.person_id"
    " AND o.role = 'security_administrator' AND o.state = 'active')"
)
_BY_OPERATOR = "(NEW.recorded_by = 'system:operator' AND NEW.recorded_person IS NULL)"
_SUBJECT_STAYS = (
    "EXISTS (SELECT 1 FROM application a JOIN subject s ON s.id = a.subject_id"
    " WHERE a.id = OLD.application_id AND s.state <> 'erasing')"
)
_SECOND_OFFICER = (
    "EXISTS (SELECT 1 FROM application a, officer o WHERE a.id = NEW.application_id"
    " AND a.state = 'referred' AND o.id = NEW.officer_id AND o.person_id = NEW.person_id"
    " AND o.role = 'registration_officer' AND o.state = 'active'"
    " AND a.proofing_person <> NEW.person_id)"
)
_OTHER_REVIEWER = (
    "EXISTS (SELECT 1 FROM officer o WHERE o.id = NEW.decided_by"
    " AND o.person_id = NEW.decided_person AND o.state = 'active'"
    " AND o.person_id <> OLD.opened_person)"
)

PERSON_GUARDS = (
    Guard(
        "PER01",
        "training",
        "INSERT",
        f"{same_row('training', 'id')} OR NEW.valid_until <= NEW.trained_at"
        f" OR NEW.valid_until > NEW.trained_at + {TRAINING_DAYS * _DAY}"
        f" OR NOT ({_BY_OPERATOR} OR {_OTHER_ADMINISTRATOR})",
        "a training holds for a year at most, and is recorded by another person",
    ),
    Guard("PER01", "training", "UPDATE", "1 = 1", "a record of training does not change"),
    Guard("PER01", "training", "DELETE", "1 = 1", "a record of training is kept"),
    Guard(
        "PER02",
        "presentation",
        "INSERT",
        f"{same_row('presentation', 'session_sha256', 'text_sha256')}"
        " OR NEW.completed_at IS NOT NULL",
        "a text is first shown, and then shown to its end",
    ),
    Guard(
        "PER02",
        "presentation",
        "UPDATE",
        changed("session_sha256", "text_sha256", "kind", "version", "language", "shown_at")
        + " OR OLD.completed_at IS NOT NULL OR NEW.completed_at IS NULL"
        " OR NEW.completed_at < OLD.shown_at",
        "when a text was shown does not change",
    ),
    Guard(
        "PER02",
        "presentation",
        "DELETE",
        f"OLD.shown_at > {{now}} - {PRESENTATION_DAYS * _DAY}",
        "what a session was shown is kept while it may be answered",
    ),
    Guard(
        "PER03",
        "proofing_nonce",
        "INSERT",
        f"{same_row('proofing_nonce', 'nonce_sha256')} OR NEW.used_at IS NOT NULL",
        "a nonce begins unused",
    ),
    Guard(
        "PER03",
        "proofing_nonce",
        "UPDATE",
        changed("nonce_sha256", "application_id", "purpose", "asked_at", "expires_at")
        + " OR OLD.used_at IS NOT NULL OR NEW.used_at IS NULL OR OLD.expires_at < {now}",
        "a nonce is used once, and before it expires",
    ),
    Guard(
        "PER03",
        "proofing_nonce",
        "DELETE",
        "OLD.expires_at >= {now}",
        "a nonce is kept until it has expired",
    ),
    Guard(
        "PER04",
        "failed_attempt",
        "INSERT",
        same_row("failed_attempt", "id"),
        "a failed attempt is never written over another",
    ),
    Guard("PER04", "failed_attempt", "UPDATE", "1 = 1", "a failed attempt does not change"),
    Guard(
        "PER04",
        "failed_attempt",
        "DELETE",
        _SUBJECT_STAYS,
        "a failed attempt is deleted only in the erasure of its subject",
    ),
    Guard(
        "PER05",
        "resolution",
        "INSERT",
        f"{same_row('resolution', 'application_id', 'number')} OR NOT {_SECOND_OFFICER}",
        "a referral is resolved by a registration officer who is another person",
    ),
    Guard("PER05", "resolution", "UPDATE", "1 = 1", "a resolution does not change"),
    Guard(
        "PER05",
        "resolution",
        "DELETE",
        _SUBJECT_STAYS,
        "a resolution is deleted only in the erasure of its subject",
    ),
    Guard(
        "PER06",
        "approval",
        "INSERT",
        "EXISTS (SELECT 1 FROM resolution r WHERE r.application_id = NEW.application_id"
        " AND r.person_id = NEW.person_id)",
        "whoever resolved a referral has vetted, and does not approve",
    ),
    Guard(
        "PER07",
        "derivation",
        "INSERT",
        same_row("derivation", "application_id", "credential_sha256"),
        "what an identity was derived from is never written over",
    ),
    Guard("PER07", "derivation", "UPDATE", "1 = 1", "what it was derived from does not change"),
    Guard(
        "PER07",
        "derivation",
        "DELETE",
        _SUBJECT_STAYS,
        "what an identity was derived from is deleted only in the erasure of its subject",
    ),
    Guard(
        "PER08",
        "derivation_review",
        "INSERT",
        f"{same_row('derivation_review', 'application_id', 'credential_sha256')}"
        " OR NEW.decision IS NOT NULL"
        f" OR NOT {same_row('derivation', 'application_id', 'credential_sha256')}",
        "a review begins undecided, for what an identity was derived from",
    ),
    Guard(
        "PER08",
        "derivation_review",
        "UPDATE",
        changed("application_id", "credential_sha256", "opened_by", "opened_person", "opened_at")
        + f" OR OLD.decision IS NOT NULL OR NEW.decision IS NULL OR NOT {_OTHER_REVIEWER}",
        "a review is decided once, by another person than the one who opened it",
    ),
    Guard(
        "PER08",
        "derivation_review",
        "DELETE",
        _SUBJECT_STAYS,
        "a review is deleted only in the erasure of its subject",
    ),
    Guard(
        "PER09",
        "application",
        "UPDATE",
        # An approved one ends with the window of its activation, which may be minutes.
        "NEW.state = 'lapsed' AND OLD.state NOT IN ('lapsed', 'approved')"
        f" AND OLD.created_at > {{now}} - {LEAST_DAYS * _DAY}",
        "no application lapses in its first week unless it was approved",
    ),
)
