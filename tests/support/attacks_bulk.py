"""Attacks on bulk revocations, by the code that refuses."""

from tests.support.story_sql import copied, over

_BEGUN = "begun_by = {who}, begun_at = 1, begun_sha256 = {digest}"
_OWN = _BEGUN.format(who=":planner", digest="sha256")
NEW = {"id": "'bulk-1'"}
FRESH = {"begun_by": "NULL", "begun_at": "NULL", "begun_sha256": "NULL"}

BULK_ATTACKS = {
    "REV01": (
        copied("bulk_revocation", "id = :planned_bulk", **NEW, planned_by=":proofer"),
        copied("bulk_revocation", "id = :planned_bulk", **NEW, planned_by="'nobody'"),
        copied("bulk_revocation", "id = :begun_bulk", **NEW, done="0", revoked="0"),
        copied("bulk_revocation", "id = :begun_bulk", **NEW, **FRESH),
        *over("bulk_revocation", "id = :planned_bulk", "id", "total = 1", total="1"),
    ),
    "REV02": (
        *(
            f"UPDATE bulk_revocation SET {change} WHERE id = :planned_bulk"  # noqa: S608
            for change in (
                "id = 'bulk-1'",
                "cause = 'death'",
                "invalid_since = 1",
                "selection = '{}'",
                "sha256 = 'ab'",
                "total = 3",
                "left_out = 3",
                "alone = 100",
                "planned_by = :second",
                "planned_at = 1",
                "done = 1",
            )
        ),
        *(
            f"UPDATE bulk_revocation SET {change} WHERE id = :begun_bulk"  # noqa: S608
            for change in (
                "begun_by = :planner",
                "begun_at = 1",
                "begun_sha256 = 'ab'",
                "done = 0, revoked = 0",
                "revoked = 0",
                "begun_by = NULL, begun_at = NULL, begun_sha256 = NULL",
            )
        ),
        "UPDATE bulk_revocation SET ended_at = NULL WHERE id = :done_bulk",
        "DELETE FROM bulk_revocation WHERE id = :planned_bulk",
        "DELETE FROM bulk_revocation WHERE id = :done_bulk",
    ),
    "REV03": tuple(
        f"UPDATE bulk_revocation SET {change} WHERE id = :planned_bulk"  # noqa: S608
        for change in (
            _OWN,
            _BEGUN.format(who=":second", digest="'ab'"),
            _BEGUN.format(who=":proofer", digest="sha256"),
            _BEGUN.format(who=":invited", digest="sha256"),
            _BEGUN.format(who="'nobody'", digest="sha256"),
        )
    ),
    "REV04": (
        copied("bulk_certificate", "bulk_id = :planned_bulk AND number = 0", number="99"),
        copied("bulk_certificate", "bulk_id = :begun_bulk AND number = 0", number="-1"),
        copied("bulk_certificate", "bulk_id = :planned_bulk AND number = 0", bulk_id=":done_bulk"),
        *over(
            "bulk_certificate",
            "bulk_id = :planned_bulk AND number = 0",
            "bulk_id, number",
            "serial = '01ff'",
            serial="'01ff'",
        ),
        "UPDATE bulk_certificate SET serial = '01ff' WHERE bulk_id = :planned_bulk",
        "DELETE FROM bulk_certificate WHERE bulk_id = :planned_bulk",
        "DELETE FROM bulk_certificate WHERE bulk_id = :begun_bulk",
    ),
}
