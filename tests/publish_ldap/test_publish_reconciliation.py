"""The comparison of a directory with what is expected of it, without a directory."""

from hashlib import sha256

import pytest
from cryptography import x509

from ca.identifiers import SerialNumber
from publish_ldap.reconciliation import Comparison, DriftKind, Expected, compare
from tests.support.directory_certificates import Published, an_issuer

OURS = an_issuer()


def judge(issuer: x509.Name, serial: SerialNumber) -> tuple[str, bool] | None:
    """Even serial numbers are good."""
    return ("issuing", serial % 2 == 0) if issuer == OURS else None


def compared(state: str | None, *shown: tuple[str, bytes], of: Published) -> Comparison:
    known = (
        {} if state is None else {sha256(of.der).hexdigest(): Expected(7, state, "issuing", "01")}
    )
    return compare(1, known, shown, judge)


@pytest.mark.parametrize(
    ("state", "entries", "kinds"),
    [
        ("published", ["a"], []),
        ("published", [], ["missing"]),
        ("published", ["a", "b"], ["duplicate"]),
        ("published", ["a", "a"], []),
        ("withdrawn", [], []),
        ("withdrawn", ["a"], ["withdrawn"]),
        ("withdrawn", ["a", "b"], ["withdrawn", "withdrawn"]),
        ("pending", [], []),
        ("pending", ["a"], []),
        ("withdrawing", ["a"], []),
        ("withdrawing", [], []),
    ],
)
def test_what_is_recorded_and_what_is_shown(
    state: str, entries: list[str], kinds: list[str]
) -> None:
    one = Published()
    found = compared(state, *((entry, one.der) for entry in entries), of=one)
    assert [each.kind for each in found.drift] == kinds
    assert all((each.task_id, each.server) == (7, 1) for each in found.drift)


@pytest.mark.parametrize(
    ("serial", "kind"), [(0x0102, DriftKind.UNASKED), (0x0103, DriftKind.ENDED)]
)
def test_what_no_publication_knows_is_judged_by_its_certificate(
    serial: int, kind: DriftKind
) -> None:
    one = Published(OURS, SerialNumber(serial))
    (found,) = compared(None, ("a", one.der), of=one).drift
    assert (found.kind, found.issuer, found.serial) == (kind, "issuing", f"{serial:04x}")


def test_what_others_issued_or_nobody_can_read_is_not_ours() -> None:
    theirs = Published(an_issuer("Another CA"))
    found = compared(None, ("a", theirs.der), ("b", b"no certificate"), of=theirs)
    assert found == Comparison(0, ())
