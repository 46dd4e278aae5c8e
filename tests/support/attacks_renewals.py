"""Attacks on renewals, replacements and notices, by the code that refuses."""

from tests.support.story_sql import copied, over

_KEPT = "application_id = :renewed_application"


def another(application: str, serial: str, **changes: str) -> str:
    """A renewal of another certificate by another application."""
    named = {"application_id": f":{application}_application", "serial": f":{serial}_serial"}
    return copied("renewal", _KEPT, **named, **changes)


RENEWAL_ATTACKS = {
    "REN01": (
        another("suspended", "suspended"),
        another("bare", "suspended", basis="'replacement'"),
        another("approved", "bare"),
        another("bare", "bare", at="9223372036854775807"),
        copied("renewal", _KEPT, application_id=":bare_application", serial="'ab'"),
        *over("renewal", _KEPT, "application_id", "basis = 'replacement'"),
    ),
    "REN02": (copied("renewal", _KEPT, application_id=":again_application"),),
    "REN03": (
        "UPDATE renewal SET serial = :bare_serial",
        "UPDATE renewal SET basis = 'replacement'",
        "DELETE FROM renewal",
    ),
    "REN04": ("UPDATE application SET state = 'fulfilled' WHERE id = :renewed_application",),
}
NOTICE_ATTACKS = {
    "NOT01": (
        "UPDATE holder_notice SET at = 0 WHERE state = 'due'",
        "UPDATE holder_notice SET occasion = 'issued' WHERE occasion = 'suspended'",
        "UPDATE holder_notice SET application_id = :bare_application WHERE state = 'due'",
        (
            "UPDATE holder_notice SET state = 'due', channel = NULL, ended_at = NULL"
            " WHERE state = 'sent'"
        ),
    ),
    "NOT02": ("DELETE FROM holder_notice WHERE application_id = :renewed_application",),
}
