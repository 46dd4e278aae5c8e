"""Attacks on erasure cases, what is kept, and orders of two persons, by the code that refuses."""

from tests.support.story_sql import copied, over

_CASE = "id = :erasure_asked"
NEW = {"id": "'E-1'", "subject_id": "'subject-1'"}
_APPROVAL = (
    "INSERT INTO erasure_approval (case_id, rulings_sha256, person_id, officer_id, at)"
    " VALUES ({case}, {rulings}, {person}, {officer}, 0)"
)


def approval(**changes: str) -> str:
    """The second person's approval of the request, in some way changed."""
    values = {
        "case": ":erasure_asked",
        "rulings": ":rulings",
        "person": ":second_person",
        "officer": ":second_admin",
    }
    return _APPROVAL.format(**(values | changes))


def case(change: str, of: str = ":erasure_asked") -> str:
    return f"UPDATE erasure SET {change} WHERE id = {of}"  # noqa: S608


def order(change: str, of: str = ":release") -> str:
    return f"UPDATE retention_order SET {change} WHERE id = {of}"  # noqa: S608


ERASURE_ATTACKS = {
    "ERA01": (
        copied("erasure", _CASE, **NEW, state="'approved'"),
        copied("erasure", _CASE, **NEW, state="'done'"),
        copied("erasure", _CASE, id="'E-1'"),
        copied("erasure", _CASE, **NEW, kept="'{}'"),
        *over("erasure", _CASE, "id", "state = 'done'"),
    ),
    "ERA02": (
        case("state = 'frozen'"),
        case("state = 'destroyed'"),
        case("state = 'done'"),
        case("state = 'cancelled'", ":erasure_begun"),
        case("state = 'requested'", ":erasure_begun"),
        case("state = 'done'", ":erasure_begun"),
        case("state = 'rechecked'", ":erasure_done"),
    ),
    "ERA03": (case("state = 'approved'"),),
    "ERA04": (
        *(
            case(change)
            for change in (
                "id = 'E-1'",
                "cause = 'retention'",
                "requested_at = 0",
                "due_at = 0",
                "holder = 'x'",
                "opened_by = 'x'",
                "subject_id = 'subject-1'",
                "subject_id = NULL",
            )
        ),
        case("rulings = '{}'", ":erasure_begun"),
        case("rulings_sha256 = 'ab'", ":erasure_begun"),
        case("subject_id = NULL", ":erasure_begun"),
    ),
    "ERA05": (
        "DELETE FROM erasure WHERE id = :erasure_asked",
        "DELETE FROM erasure WHERE id = :erasure_begun",
    ),
    "ERA06": (
        approval(officer=":proofer", person="(SELECT person_id FROM officer WHERE id = :proofer)"),
        approval(officer="'nobody'"),
        approval(person="'another'"),
        approval(person=":first_person", officer=":first"),
        approval(rulings="'ab'"),
        approval(case=":erasure_begun"),
        approval(case="'E-1'"),
        *over(
            "erasure_approval",
            "case_id = :erasure_asked",
            "case_id, rulings_sha256, person_id",
            "at = 1",
            at="1",
        ),
    ),
    "ERA07": (
        "UPDATE erasure_approval SET at = 1 WHERE case_id = :erasure_asked",
        "DELETE FROM erasure_approval WHERE case_id = :erasure_begun",
    ),
    "ERA08": (
        (
            "INSERT INTO erasure_receipt (case_id, number, text, at)"
            " VALUES (:erasure_begun, 1, 'x', 0)"
        ),
        "INSERT INTO erasure_receipt (case_id, number, text, at) VALUES (:erasure_done, 3, 'x', 0)",
        *over("erasure_receipt", "case_id = :erasure_done", "case_id, number", "text = 'x'"),
        "UPDATE erasure_receipt SET text = 'x' WHERE case_id = :erasure_done",
        "DELETE FROM erasure_receipt WHERE case_id = :erasure_done",
    ),
    "ERA09": (
        (
            "INSERT INTO directory_debt (directory, issuer, serial, case_id, retry_at)"
            " VALUES ('main', :issuer, :live, 'E-1', 0)"
        ),
        *over("directory_debt", "serial = :owed", "directory, issuer, serial", "attempts = 1"),
        "UPDATE directory_debt SET serial = '01ff' WHERE serial = :owed",
        "UPDATE directory_debt SET case_id = 'E-1' WHERE serial = :owed",
        "DELETE FROM directory_debt WHERE serial = :owed",
    ),
    "PKI33": (
        "DELETE FROM application WHERE subject_id = :kept_subject",
        "DELETE FROM certificate WHERE serial = :held_serial",
        "UPDATE application SET keep_until = NULL WHERE subject_id = :kept_subject",
        "UPDATE application SET keep_until = 1 WHERE subject_id = :kept_subject",
        "UPDATE certificate SET keep_until = keep_until - 1 WHERE serial = :held_serial",
    ),
    "PKI34": (
        "DELETE FROM application WHERE subject_id = :sued_subject",
        "DELETE FROM certificate WHERE serial = :sued_serial",
        "DELETE FROM data_key WHERE subject_id = :sued_subject AND purpose = 'evidence'",
        "DELETE FROM subject WHERE id = :untouched_subject",
    ),
    "PKI35": ("DELETE FROM data_key WHERE subject_id = :kept_subject AND purpose = 'evidence'",),
    "RET01": (
        copied("retention_order", "id = :hold", id="'K-1'"),
        copied("retention_order", "id = :release", id="'K-1'"),
        copied(
            "retention_order",
            "id = :release",
            id="'K-1'",
            hold_id="'K-2'",
        ),
        copied(
            "retention_order",
            "id = :hold",
            id="'K-1'",
            asked_by=":proofer",
            approved_by="NULL",
            approved_at="NULL",
        ),
        *over("retention_order", "id = :release", "id", "basis = 'x'"),
    ),
    "RET02": (
        *(
            order(change)
            for change in (
                "id = 'K-1'",
                "subject_id = :live_subject",
                "basis = 'x'",
                "asked_by = :second_admin",
                "asked_at = 1",
            )
        ),
        order("approved_by = :first", ":hold"),
        order("approved_by = NULL, approved_at = NULL", ":hold"),
    ),
    "RET03": (
        order("approved_by = :first, approved_at = 1"),
        order("approved_by = :proofer, approved_at = 1"),
        order("approved_by = 'nobody', approved_at = 1"),
    ),
    "RET04": (
        "DELETE FROM retention_order WHERE id = :hold",
        "DELETE FROM retention_order WHERE id = :release",
    ),
}
