"""Attacks on data-subject cases, by the code that refuses."""

from tests.support.story_sql import copied, over

_NEW = {"id": "'K0000001'"}
_APPROVAL = "case_id = :waiting_case AND person_id = :first_person"
_SPARE = {"officer_id": ":spare_approver", "person_id": ":spare_person"}


def case(name: str, change: str) -> str:
    return f"UPDATE subject_case SET {change} WHERE id = :{name}_case"  # noqa: S608


def delivery(change: str) -> str:
    return f"UPDATE case_delivery SET {change} WHERE case_id = :delivered_case"  # noqa: S608


CASE_ATTACKS = {
    "CASE01": (
        copied("subject_case", "id = :received_case", **_NEW, state="'approved'"),
        copied("subject_case", "id = :received_case", **_NEW, subject_id="NULL"),
        copied("subject_case", "id = :received_case", **_NEW, subject_id="'nobody'"),
        copied("subject_case", "id = :received_case", **_NEW, subject_id=":doomed_subject"),
        copied("subject_case", "id = :received_case", **_NEW, package_sha256="'ab'"),
        copied("subject_case", "id = :received_case", **_NEW, proof_level="3"),
        *over("subject_case", "id = :received_case", "id", "kind = 'erasure'"),
        "DELETE FROM subject_case WHERE id = :received_case",
        "DELETE FROM subject_case WHERE id = :refused_case",
    ),
    "CASE02": (
        case("received", "state = 'assessing'"),
        case("received", "state = 'approved'"),
        case("assessed", "state = 'delivered'"),
        case("waiting", "state = 'carried_out'"),
        case("refused", "state = 'assessing'"),
        case("delivered", "state = 'cancelled'"),
        case("delivered", "state = 'nonsense'"),
    ),
    "CASE03": (
        *(
            case("assessed", change)
            for change in (
                "id = 'K0000001'",
                "kind = 'erasure'",
                "language = 'en'",
                "scopes = '[\"consent\"]'",
                "secret_sha256 = 'ab'",
                "received_at = 1",
                "opened_by = NULL",
                "opened_person = 'somebody'",
                "subject_id = :leaving_subject",
                "subject_id = NULL",
            )
        ),
        case("waiting", "subject_id = :leaving_subject"),
    ),
    "CASE04": (
        case("asked", "state = 'assessing'"),
        case("waiting", "proof_level = 3"),
        case("waiting", "proof_by = 'somebody'"),
        case("waiting", "proof_issuer = 'issuing', proof_serial = :live"),
        case("delivered", "proof_at = 1"),
        case("assessed", "proof_level = NULL"),
    ),
    "CASE05": (
        copied("case_approval", _APPROVAL, **_SPARE | {"officer_id": ":proofer"}),
        copied("case_approval", _APPROVAL, **_SPARE | {"person_id": "'somebody'"}),
        copied(
            "case_approval",
            _APPROVAL,
            officer_id=":verifying_approver",
            person_id=":proofer_person",
        ),
        copied("case_approval", _APPROVAL, **_SPARE, case_id="'K0000001'"),
        copied(
            "case_approval", _APPROVAL, officer_id=":helper_approver", person_id=":helper_person"
        ),
    ),
    "CASE06": (
        copied("case_approval", _APPROVAL, **_SPARE, package_sha256="'ab'"),
        copied("case_approval", _APPROVAL, **_SPARE, case_id=":assessed_case"),
        copied("case_approval", _APPROVAL, **_SPARE, case_id=":approved_case"),
        copied("case_approval", _APPROVAL, **_SPARE, case_id=":lapsed_case"),
    ),
    "CASE07": (
        case("assessed", "state = 'awaiting_approval'"),
        case("partial", "state = 'awaiting_approval', package_sha256 = 'ab'"),
        case(
            "assessed",
            "state = 'awaiting_approval', package_sha256 = 'ab', assignee = NULL,"
            " assignee_person = NULL",
        ),
        case("waiting", "package_sha256 = 'ab'"),
        case("approved", "package_sha256 = 'ab'"),
    ),
    "CASE08": (
        case("waiting", "state = 'approved'"),
        case("lapsed", "state = 'approved'"),
    ),
    "CASE09": (
        case("assessed", "state = 'refused'"),
        case("assessed", "extended_at = 1"),
        case("extended", "extended_at = 1"),
        case("extended", "extended_at = NULL"),
    ),
    "CASE10": (
        *over("case_approval", _APPROVAL, "case_id, person_id, package_sha256", "at = 1", at="1"),
        "UPDATE case_approval SET package_sha256 = 'ab' WHERE case_id = :waiting_case",
        "UPDATE case_approval SET case_id = :lapsed_case WHERE case_id = :waiting_case",
        "DELETE FROM case_approval WHERE case_id = :approved_case",
    ),
    "CASE11": (
        copied("case_part", "case_id = :waiting_case", name="'forged'"),
        copied("case_part", "case_id = :waiting_case", case_id="'K0000001'"),
        *over("case_part", "case_id = :assessed_case", "case_id, name", "records = 0"),
        "UPDATE case_part SET sha256 = 'ab' WHERE case_id = :waiting_case",
        "UPDATE case_part SET sha256 = NULL, records = NULL WHERE case_id = :approved_case",
        "UPDATE case_part SET name = 'other' WHERE case_id = :assessed_case",
        "DELETE FROM case_part WHERE case_id = :partial_case",
    ),
    "CASE12": (
        copied("case_file", "case_id = :waiting_case", number="9"),
        copied("case_file", "case_id = :waiting_case", case_id=":received_case"),
        *over("case_file", "case_id = :assessed_case", "case_id, number", "octets = 0"),
        "UPDATE case_file SET sealed_file = 'x' WHERE case_id = :assessed_case",
        "DELETE FROM case_file WHERE case_id = :waiting_case",
    ),
    "CASE13": (
        copied("case_delivery", "case_id = :delivered_case", case_id=":waiting_case"),
        copied("case_delivery", "case_id = :delivered_case", case_id=":assessed_case"),
        copied(
            "case_delivery",
            "case_id = :delivered_case",
            case_id=":approved_case",
            package_sha256="'ab'",
        ),
        copied(
            "case_delivery",
            "case_id = :delivered_case",
            case_id=":approved_case",
            downloaded_at="1",
        ),
        *over("case_delivery", "case_id = :delivered_case", "case_id", "level = 3", level="3"),
        *(
            delivery(change)
            for change in (
                "case_id = :waiting_case",
                "package_sha256 = 'ab'",
                "envelope_sha256 = 'ab'",
                "method = 'passphrase'",
                "level = 3",
                "delivered_at = 1",
                "expires_at = 1",
                "sealed_envelope = 'x'",
                "ended_at = 1",
            )
        ),
        "UPDATE case_delivery SET downloaded_at = NULL WHERE case_id = :fetched_case",
        "UPDATE case_delivery SET sealed_envelope = 'x' WHERE case_id = :ended_case",
        "UPDATE case_delivery SET ended_at = NULL WHERE case_id = :ended_case",
        "UPDATE case_delivery SET reminded_at = NULL WHERE case_id = :reminded_case",
        "DELETE FROM case_delivery WHERE case_id = :delivered_case",
        case("approved", "state = 'delivered'"),
    ),
    "CASE14": ("DELETE FROM data_key WHERE subject_id = :live_subject AND purpose = 'delivery'",),
}
