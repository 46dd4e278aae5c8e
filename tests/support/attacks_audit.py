"""Attacks on the log, its payloads and its heads, by the code that refuses."""

from tests.support.story_sql import copied, over

NEWEST = "(SELECT MAX(e.sequence) FROM audit_event e)"


def retained(values: str) -> str:
    """A row that says which event dropped what, past the program."""
    return f"INSERT INTO audit_retention (sequence, payloads_below, headers_below) {values}"


AUDIT_ATTACKS = {
    "AUD01": (
        copied("audit_event", "sequence = 0", sequence="100000"),
        *over("audit_event", "sequence = 0", "sequence", "header = excluded.leaf_sha256"),
    ),
    "AUD02": (
        "UPDATE audit_event SET header = leaf_sha256 WHERE sequence = 0",
        "UPDATE audit_event SET sequence = 100000 WHERE sequence = 0",
        "DELETE FROM audit_event WHERE sequence = 0",
        "DELETE FROM audit_event",
        # The newest event is no retention event, and of one only what lies before it goes.
        "UPDATE audit_event SET header = leaf_sha256, payloads = 0 WHERE sequence = 0",
        "UPDATE audit_event SET header = substr(header, 1, 0) WHERE sequence = 0",
        "UPDATE audit_event SET header = substr(header, 1, 0)",
        "UPDATE audit_event SET payloads = 2 WHERE payloads = 1",
    ),
    "AUD03": (
        copied("audit_head", "size = :head", size="size - 1"),
        copied("audit_head", "size = :head", size="size + 1000"),
        *over("audit_head", "size = :head", "size", "note = ''"),
        "UPDATE audit_head SET note = ''",
        "DELETE FROM audit_head",
    ),
    "AUD04": (
        copied("audit_payload", "sequence = :told", number="1"),
        copied("audit_payload", "sequence = :told", sequence=NEWEST),
        copied("audit_payload", "sequence = :told", sequence="100000"),
        copied("audit_payload", "sequence = :told", sequence=f"1 + {NEWEST}"),
        *over("audit_payload", "sequence = :told", "sequence, number", "sealed = excluded.sealed"),
    ),
    "AUD05": (
        "UPDATE audit_payload SET number = 5",
        "UPDATE audit_payload SET subject_id = 'nobody' WHERE sequence = :told",
        "UPDATE audit_payload SET sequence = 0 WHERE sequence = :told",
        "DELETE FROM audit_payload WHERE sequence = :told",
        "DELETE FROM audit_payload WHERE subject_id = :live_subject",
        "DELETE FROM audit_payload",
    ),
    "AUD06": (
        retained("VALUES (0, 0, 0)"),
        retained("SELECT 1 + MAX(sequence), 1, 1 FROM audit_event"),
        retained("SELECT MAX(sequence), MAX(sequence) + 1, 0 FROM audit_event"),
        retained("SELECT MAX(sequence), 0, 0 FROM audit_event"),
        copied("audit_retention", "1 = 1", headers_below="0"),
        *over("audit_retention", "1 = 1", "sequence", "payloads_below = 0"),
        "UPDATE audit_retention SET payloads_below = payloads_below + 1",
        "UPDATE audit_retention SET sequence = sequence + 1",
        "DELETE FROM audit_retention",
    ),
}
