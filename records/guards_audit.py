"""Guards of the audit log: events and heads for good, payloads until they are declared gone.

A payload ends in two ways only: its subject's key was destroyed in the same transaction or before,
or the newest event of the log is a retention event that covers it. A header is emptied only by the
latter, and its leaf hash stays. So whatever is dropped has been told of in the log first.
"""

from records.triggers import Guard, changed, same_row

_NEWEST = "(SELECT MAX(e.sequence) FROM audit_event e)"
_MOST_BELOW = "COALESCE((SELECT MAX(r.{0}) FROM audit_retention r), 0)"
_HAS_KEY = (
    "EXISTS (SELECT 1 FROM data_key k WHERE k.subject_id = {row}.subject_id"
    " AND k.purpose = 'audit'{lock})"
)


def _declared_below(column: str) -> str:
    """The newest event is a retention event, and covers the entry of the row."""
    return (
        "EXISTS (SELECT 1 FROM audit_retention r"  # noqa: S608 - columns from the rules
        f" WHERE r.sequence = {_NEWEST} AND OLD.sequence < r.{column})"
    )


AUD_GUARDS = (
    Guard(
        "AUD01",
        "audit_event",
        "INSERT",
        f"NEW.sequence <> 1 + COALESCE({_NEWEST}, -1)",
        "audit events are numbered without a gap",
    ),
    Guard(
        "AUD02",
        "audit_event",
        "UPDATE",
        f"{changed('sequence', 'leaf_sha256', 'payloads')} OR length(NEW.header) <> 0"
        f" OR NOT {_declared_below('headers_below')}",
        "an audit event does not change; its header is emptied only by a retention event",
    ),
    Guard("AUD02", "audit_event", "DELETE", "1 = 1", "an audit event is not deleted"),
    Guard(
        "AUD03",
        "audit_head",
        "INSERT",
        "NEW.size <= COALESCE((SELECT MAX(h.size) FROM audit_head h), 0)"  # noqa: S608 - our own
        f" OR NEW.size > COALESCE({_NEWEST}, -1) + 1",
        "a head covers more events than the one before, and none that is not there",
    ),
    Guard("AUD03", "audit_head", "UPDATE", "1 = 1", "a signed head does not change"),
    Guard("AUD03", "audit_head", "DELETE", "1 = 1", "a signed head is not deleted"),
    Guard(
        "AUD04",
        "audit_payload",
        "INSERT",
        f"NEW.sequence IS DISTINCT FROM {_NEWEST} OR NEW.number <>"  # noqa: S608 - our own
        " (SELECT COUNT(*) FROM audit_payload p WHERE p.sequence = NEW.sequence)"
        " OR NEW.number >= (SELECT e.payloads FROM audit_event e WHERE e.sequence = NEW.sequence)"
        f" OR NOT {_HAS_KEY.format(row='NEW', lock='{share}')}",
        "a payload belongs to the newest event, as its header says, and to a key that is there",
    ),
    Guard("AUD05", "audit_payload", "UPDATE", "1 = 1", "a payload does not change"),
    Guard(
        "AUD05",
        "audit_payload",
        "DELETE",
        f"{_HAS_KEY.format(row='OLD', lock='')} AND NOT {_declared_below('payloads_below')}",
        "a payload ends with the key of its subject or by a retention event",
    ),
    Guard(
        "AUD06",
        "audit_retention",
        "INSERT",
        f"NEW.sequence IS DISTINCT FROM {_NEWEST} OR NEW.payloads_below > NEW.sequence"
        f" OR NEW.payloads_below < {_MOST_BELOW.format('payloads_below')}"
        f" OR NEW.headers_below < {_MOST_BELOW.format('headers_below')}"
        f" OR {same_row('audit_retention', 'sequence')}",
        "a retention is told of by the newest event, and never takes back an earlier one",
    ),
    Guard("AUD06", "audit_retention", "UPDATE", "1 = 1", "a retention does not change"),
    Guard("AUD06", "audit_retention", "DELETE", "1 = 1", "a retention is not deleted"),
)
