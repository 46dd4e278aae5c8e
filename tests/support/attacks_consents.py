"""Attacks on consents and on the list of recipients, by the code that refuses."""

from tests.support.story_sql import copied, over

_LIVE = "subject_id = :live_subject"

CONSENT_ATTACKS = {
    "CON01": (
        copied("consent", _LIVE, number="7", state="'withdrawn'"),
        copied("consent", _LIVE, subject_id="'nobody'"),
        copied("consent", _LIVE, subject_id=":doomed_subject", kind="'other'"),
        *over("consent", _LIVE, "subject_id, kind, number", "text_version = 2"),
    ),
    "CON02": (
        copied("consent", _LIVE, number="2"),
        copied("consent", _LIVE, subject_id=":officer_subject", state="'withdrawn'"),
    ),
    "CON03": (
        "UPDATE consent SET state = 'given' WHERE subject_id = :secretive_subject",
        "UPDATE consent SET at = 0",
        "DELETE FROM consent WHERE subject_id = :live_subject",
    ),
    "CON04": (
        copied(
            "publication",
            "serial = :secretive",
            id="999999",
            directory="'other'",
            state="'pending'",
        ),
        "UPDATE publication SET state = 'pending' WHERE serial = :secretive",
    ),
    "CON05": ("DELETE FROM subject WHERE id = :left_subject",),
    "DIS01": (
        copied("disclosure", _LIVE, recipient="'other'", ended_at="at"),
        *over("disclosure", _LIVE, "subject_id, recipient, issuer, serial, at", "ended_at = 9"),
        "UPDATE disclosure SET recipient = 'nobody'",
        "UPDATE disclosure SET ended_at = at WHERE ended_at IS NOT NULL",
        "DELETE FROM disclosure WHERE subject_id = :live_subject",
    ),
}
