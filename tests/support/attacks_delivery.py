"""Attacks on credentials, codes, letters, secrets and duties, by the code that refuses."""

from tests.support.story_sql import copied, over

_DELIVERED = "application_id = :delivered_application"


def _duty(application: str, task: str, officer: str, **changes: str) -> str:
    values = {
        "application_id": f":{application}_application",
        "package_sha256": f":{application}_package",
        "task": f"'{task}'",
        "officer_id": f":{officer}",
        "person_id": f":{officer}_person",
        **changes,
    }
    return copied("duty", f"{_DELIVERED} AND task = 'personalisation'", **values)


def _code(application: str, **changes: str) -> str:
    values = {"id": "'code-x'", "application_id": f":{application}_application", **changes}
    return copied("activation_code", "application_id = :delivered_application", **values)


_CODE = "UPDATE activation_code SET {} WHERE application_id = :delivered_application"
_CREDENTIAL = "UPDATE credential SET {} WHERE application_id = :{}_application"
_LETTER = "UPDATE print_job SET {} WHERE application_id = :{}_application"
_HIGH_CERTIFICATE = copied(
    "certificate",
    "serial = :live",
    serial="'01fe'",
    status="'intent'",
    application_id=":bare_application",
    subject_id=":bare_subject",
    spki_sha256=":bare_spki",
    sealed_der="NULL",
    fingerprint="NULL",
    issued_at="NULL",
)

DELIVERY_ATTACKS = {
    "DEL01": (
        copied(
            "credential",
            "application_id = :prepared_application",
            application_id=":submitted_application",
        ),
        copied(
            "credential",
            "application_id = :delivered_application",
            application_id=":approved_application",
        ),
        *over(
            "credential",
            "application_id = :prepared_application",
            "application_id",
            "channel = 'post'",
        ),
    ),
    "DEL02": (
        _CREDENTIAL.format("channel = 'post'", "prepared"),
        _CREDENTIAL.format(
            "step = 'activated', activated_at = 1, sealed_activation = :salt", "prepared"
        ),
        _CREDENTIAL.format("step = 'delivered', ended_at = NULL, ending = NULL", "ended"),
        _CREDENTIAL.format("sealed_activation = :salt", "activated"),
    ),
    "DEL03": (
        _CREDENTIAL.format(
            "step = 'activated', activated_at = 1, sealed_activation = :salt", "delivered"
        ),
    ),
    "DEL04": tuple(
        f"DELETE FROM {table} WHERE application_id = :delivered_application"  # noqa: S608
        for table in ("credential", "activation_code", "print_job", "revocation_secret")
    ),
    "DEL05": (
        _code("delivered", application_id="application_id"),
        _code("prepared", tries="3"),
        _code("prepared", used_at="made_at"),
        _code("prepared", expires_at="made_at"),
        _code("approved"),
        *over(
            "activation_code",
            "application_id = :delivered_application",
            "id",
            "digest = '00'",
            application_id=":prepared_application",
        ),
    ),
    "DEL06": (
        _CODE.format("digest = '00'"),
        _CODE.format("expires_at = expires_at + 1"),
        _CODE.format("tries = tries - 1"),
        _CODE.format("tries = tries + 2"),
        _CODE.format("used_at = expires_at + 1"),
        ("UPDATE activation_code SET used_at = NULL WHERE application_id = :activated_application"),
        (
            "UPDATE activation_code SET ended_at = NULL, ending = NULL"
            " WHERE application_id = :ended_application"
        ),
    ),
    "DEL07": (
        copied(
            "print_job",
            "application_id = :delivered_application",
            id="'letter-x'",
            sealed_letter="NULL",
            purged_at="made_at",
        ),
        *over("print_job", "application_id = :delivered_application", "id", "made_at = 1"),
        _LETTER.format("sealed_letter = NULL, purged_at = 1", "delivered"),
        _LETTER.format("sealed_letter = :salt", "delivered"),
        _LETTER.format("confirmed_by = 'x'", "printed"),
        _LETTER.format("sealed_letter = :salt, purged_at = NULL", "printed"),
    ),
    "DEL08": (
        *over(
            "revocation_secret",
            "application_id = :delivered_application",
            "application_id",
            "digest = '00'",
        ),
        (
            "UPDATE revocation_secret SET digest = '00'"
            " WHERE application_id = :delivered_application"
        ),
    ),
    "DEL09": (
        copied(
            "certificate",
            "serial = :live",
            serial="'01fd'",
            status="'intent'",
            application_id=":delivered_application",
            subject_id=":delivered_subject",
            spki_sha256=":delivered_spki",
            sealed_der="NULL",
            fingerprint="NULL",
            issued_at="NULL",
        ),
    ),
    "DUT01": (
        _duty("high", "code_dispatch", "operator_twice"),
        _duty("high", "personal_check", "high_proofer"),
        _duty("high", "code_dispatch", "high_approver_twice"),
    ),
    "DUT02": (
        _duty("prepared", "code_dispatch", "operator"),
        _duty("prepared", "code_dispatch", "ended"),
        _duty("prepared", "code_dispatch", "dispatcher", person_id="'somebody'"),
    ),
    "DUT03": (
        *over(
            "duty",
            "application_id = :delivered_application AND task = 'personalisation'",
            "application_id, package_sha256, task",
            "at = 1",
        ),
        "UPDATE duty SET signature = NULL, at = 1 WHERE application_id = :delivered_application",
        "DELETE FROM duty WHERE application_id = :delivered_application",
    ),
    "DUT04": (_duty("own", "code_dispatch", "own_dispatcher"),),
    "DUT05": (
        "UPDATE application SET proofing_person = :operator_person WHERE id = :back_application",
    ),
    "DUT06": (
        copied(
            "approval",
            "application_id = :approved_application",
            application_id=":high_verified_application",
            officer_id=":high_second",
            person_id=":high_second_person",
            package_sha256=":high_verified_package",
        ),
    ),
    "DUT07": (_HIGH_CERTIFICATE,),
}
