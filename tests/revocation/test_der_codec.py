from datetime import UTC, datetime, timedelta, timezone

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from revocation import der
from revocation.errors import NotDer


@given(st.integers(-(1 << 200), 1 << 200))
def test_integers_are_written_as_others_write_them_and_read_back(value: int) -> None:
    written = der.integer(value)
    assert written == core.Integer(value).dump()
    assert der.Reader(written).integer() == value


@given(st.binary(max_size=70_000))
def test_octet_strings_are_written_as_others_write_them(content: bytes) -> None:
    written = der.octet_string(content)
    assert written == core.OctetString(content).dump()
    assert der.Reader(written).content(der.OCTET_STRING) == content


@pytest.mark.parametrize("dotted", ["2.5.29.20", "1.2.840.113549.1.1.11", "1.3.6.1.5.5.7.48.1.2"])
def test_object_identifiers_are_written_as_others_write_them(dotted: str) -> None:
    assert der.Reader(der.oid(dotted)).oid() == der.oid(dotted)
    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump()


@pytest.mark.parametrize("octets", ["0600", "060180", "06032a8001", "0602ff80", "0501"])
def test_an_object_identifier_that_is_not_the_shortest_is_not_der(octets: str) -> None:
    with pytest.raises(NotDer):
        der.Reader(bytes.fromhex(octets)).oid()


@pytest.mark.parametrize(
    "octets",
    ["", "30", "3001", "3080", "308100", "30817f" + 127 * "00", "30820080" + 128 * "00", "3085"],
)
def test_a_length_that_is_not_the_shortest_or_too_long_is_not_der(octets: str) -> None:
    with pytest.raises(NotDer):
        der.Reader(bytes.fromhex(octets)).enter(der.SEQUENCE)


@pytest.mark.parametrize("octets", ["0200", "02020001", "0202ff80", "0201"])
def test_an_integer_that_is_not_the_shortest_is_not_der(octets: str) -> None:
    with pytest.raises(NotDer):
        der.Reader(bytes.fromhex(octets)).integer()


def test_an_element_does_not_reach_out_of_its_parent() -> None:
    inside = der.Reader(bytes.fromhex("30020402aabb")).enter(der.SEQUENCE)
    with pytest.raises(NotDer):
        inside.content(der.OCTET_STRING)


@pytest.mark.parametrize("octets", ["", "1f8101"])
def test_only_an_element_of_a_low_tag_is_passed_over(octets: str) -> None:
    with pytest.raises(NotDer):
        der.Reader(bytes.fromhex(octets)).skip()


def test_octets_after_the_last_element_are_not_der() -> None:
    reader = der.Reader(bytes.fromhex("05000500"))
    reader.skip()
    with pytest.raises(NotDer):
        reader.finish()


def test_times_change_form_with_the_year_2050() -> None:
    last = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert der.choice_time(last) == b"\x17\x0d491231235959Z"
    assert der.choice_time(last + timedelta(seconds=1)) == b"\x18\x0f20500101000000Z"


def test_times_are_written_in_utc_and_whole_seconds() -> None:
    summer = datetime(2026, 7, 1, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert der.choice_time(summer) == b"\x17\x0d260701120000Z"
    assert der.generalized_time(summer) == b"\x18\x0f20260701120000Z"


def test_a_naive_time_is_not_written() -> None:
    with pytest.raises(ValueError, match="aware"):
        der.choice_time(datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - hypothesis asks
def test_times_read_back_to_the_second(moment: datetime) -> None:
    time = moment.replace(tzinfo=UTC)
    assert der.Reader(der.choice_time(time)).time() == time.replace(microsecond=0)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x17\x0d261332000000Z",  # no such month
        b"\x17\x0b2611220000Z",  # no seconds
        b"\x18\x0f20261122000000Z",  # before 2050, so UTCTime was due
        b"\x17\x0d26112200000\xffZ",
        b"\x04\x00",
    ],
)
def test_a_time_in_another_form_is_not_read(octets: bytes) -> None:
    with pytest.raises(NotDer):
        der.Reader(octets).time()
