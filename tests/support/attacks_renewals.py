"""Attacks on renewals and replacements, by the code that refuses."""

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
