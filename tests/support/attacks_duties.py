"""Attacks on duties to revoke, by the code that refuses."""

from tests.support.story_sql import copied, over

_OPEN = "id = :open_duty"
_DISMISS = "UPDATE revocation_duty SET state = 'dismissed', decided_at = 9, "

DUTY_ATTACKS = {
    "DTR01": (
        copied("revocation_duty", _OPEN, id="'D-1'"),
        copied("revocation_duty", "id = :done_duty", id="'D-1'", state="'open'"),
        copied("revocation_duty", _OPEN, id="'D-1'", cause="'other'", state="'dismissed'"),
        copied("revocation_duty", _OPEN, id="'D-1'", cause="'other'", deadline="opened_at - 1"),
        copied("revocation_duty", _OPEN, id="'D-1'", cause="'other'", subject_id="'nobody'"),
        copied("revocation_duty", "id = :proposed_duty", id="'D-1'", cause="'other'"),
        *over("revocation_duty", _OPEN, "id", "deadline = 9"),
    ),
    "DTR02": (
        "UPDATE revocation_duty SET deadline = deadline + 1 WHERE id = :open_duty",
        "UPDATE revocation_duty SET serial = 'ab' WHERE id = :open_duty",
        "UPDATE revocation_duty SET cause = 'missing' WHERE id = :open_duty",
        "UPDATE revocation_duty SET state = 'open' WHERE id = :dismissed_duty",
        "UPDATE revocation_duty SET state = 'dismissed' WHERE id = :done_duty",
    ),
    "DTR03": ("UPDATE revocation_duty SET state = 'revoked' WHERE id = :open_duty",),
    "DTR04": (
        "UPDATE revocation_duty SET no_reason = 'other_person' WHERE id = :proposed_duty",
        (
            "UPDATE revocation_duty SET proposed_by = :duty_second,"
            " proposed_person = :duty_second_person WHERE id = :proposed_duty"
        ),
        (
            "UPDATE revocation_duty SET proposed_by = :duty_first,"
            " proposed_person = :duty_first_person"
            " WHERE id = :open_duty"
        ),
        (
            "UPDATE revocation_duty SET proposed_by = :proofer, proposed_person = :proofer_person,"
            " no_reason = 'other_person' WHERE id = :open_duty"
        ),
        (
            "UPDATE revocation_duty SET proposed_by = :duty_first,"
            " proposed_person = :duty_second_person, no_reason = 'other_person'"
            " WHERE id = :open_duty"
        ),
    ),
    "DTR05": (
        (
            f"{_DISMISS} decided_by = :duty_second, decided_person = :duty_second_person"
            " WHERE id = :open_duty"
        ),
        (
            f"{_DISMISS} decided_by = :duty_first, decided_person = :duty_first_person"
            " WHERE id = :proposed_duty"
        ),
        (
            f"{_DISMISS} decided_by = :duty_first, decided_person = :duty_second_person"
            " WHERE id = :proposed_duty"
        ),
        (
            f"{_DISMISS} decided_by = :proofer, decided_person = :proofer_person"
            " WHERE id = :proposed_duty"
        ),
    ),
    "DTR06": ("DELETE FROM revocation_duty WHERE id = :open_duty",),
}
