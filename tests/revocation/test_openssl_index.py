"""Lines of index.txt: what `openssl ca` writes is read, and a line that cannot be right is told."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.identifiers import SerialNumber
from revocation.openssl_index import IndexFault, IndexRow, read_index
from revocation.reasons import Reason

GOOD = "V\t301231235959Z\t\t0FA1\tunknown\t/CN=a\n"
REVOKED = "R\t301231235959Z\t260101120000Z,{}\t0FA2\tunknown\t/CN=b\n"


def only(text: str) -> IndexRow | IndexFault:
    (found,) = read_index(text)
    return found


def test_a_good_line_tells_serial_and_end() -> None:
    ends = datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert only(GOOD) == IndexRow(1, SerialNumber(0xFA1), ends, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("keyCompromise", Reason.KEY_COMPROMISE),
        ("CACompromise", Reason.CA_COMPROMISE),
        ("superseded", Reason.SUPERSEDED),
        ("certificateHold", Reason.CERTIFICATE_HOLD),
        ("holdInstruction,1.2.840.10040.2.2", Reason.CERTIFICATE_HOLD),
        ("keyTime,20251231000000Z", Reason.KEY_COMPROMISE),
        ("CAkeyTime,20251231000000Z", Reason.CA_COMPROMISE),
    ],
)
def test_a_revocation_has_its_time_and_reason(text: str, reason: Reason) -> None:
    found = only(REVOKED.format(text))
    assert isinstance(found, IndexRow)
    assert found.revoked == (reason, datetime(2026, 1, 1, 12, tzinfo=UTC))


def test_a_revocation_without_reason_is_unspecified() -> None:
    found = only(REVOKED.replace(",{}", ""))
    assert isinstance(found, IndexRow)
    assert found.revoked is not None
    assert found.revoked[0] is Reason.UNSPECIFIED


@pytest.mark.parametrize(
    ("text", "year"),
    [("491231000000Z", 2049), ("500101000000Z", 1950), ("680101000000Z", 1968),
     ("690101000000Z", 1969), ("20500101000000Z", 2050)],
)  # fmt: skip
def test_years_of_two_digits_are_those_of_rfc_5280(text: str, year: int) -> None:
    found = only(GOOD.replace("301231235959Z", text))
    assert isinstance(found, IndexRow)
    assert found.not_after.year == year


@pytest.mark.parametrize(
    "line",
    [
        "V 301231235959Z  0FA1 unknown /CN=a",
        GOOD.replace("V\t", "X\t"),
        GOOD.replace("V\t", "R\t"),
        REVOKED.format("keyCompromise").replace("R\t", "V\t"),
        REVOKED.format("boredom"),
        GOOD.replace("0FA1", "00"),
        GOOD.replace("0FA1", "-1"),
        GOOD.replace("0FA1", "F" * 40),
        GOOD.replace("301231235959Z", "301331235959Z"),
        GOOD.replace("301231235959Z", "2030-12-31"),
    ],
)
def test_a_line_that_cannot_be_right_is_a_fault(line: str) -> None:
    assert isinstance(only(line), IndexFault)


def test_a_serial_number_that_comes_twice_is_a_fault() -> None:
    revoked = REVOKED.format("superseded").replace("0FA2", "0FA1")
    first, second, third = read_index(GOOD + "\n" + GOOD + revoked)
    assert isinstance(first, IndexRow)
    why = "its serial number stands on an earlier line, too"
    assert (second, third) == (IndexFault(3, why, may_be_revoked=False), IndexFault(4, why))


@given(st.text(alphabet="VRE\t\n,0123456789Zabf", max_size=200))
def test_any_text_gives_rows_and_faults_only(text: str) -> None:
    assert all(isinstance(found, IndexRow | IndexFault) for found in read_index(text))
