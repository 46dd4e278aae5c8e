from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import EventRefused, HeaderMalformed
from audit.events import MAX_INTEGER, Commitment, Event, Header, parse_header, seal_event
from audit.tree import leaf_hash
from tests.support.audit_store import START, an_event

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
WORDS = st.text(max_size=40).filter(str.isprintable)
INTEGERS = st.integers(-MAX_INTEGER, MAX_INTEGER)
DETAILS = st.dictionaries(KEYS, WORDS | INTEGERS | st.booleans() | st.none(), max_size=5)
TIMES = st.datetimes(timezones=st.just(UTC))


def test_a_header_has_exactly_the_stated_form() -> None:
    event = Event("case.closed", "system:job", "case:7", {"z": None, "a": "æ", "m": True, "n": -3})
    entry = seal_event(event, 12, datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC))
    assert (
        entry.header.decode()
        == '{"a":"system:job","d":{"a":"æ","m":true,"n":-3,"z":null},"e":"case.closed",'
        '"n":12,"o":"case:7","p":null,"t":"2026-03-01T12:00:05.000000Z"}'
    )
    assert entry.sequence == 12
    assert entry.leaf_hash == leaf_hash(entry.header)


def test_a_commitment_stands_in_its_place_of_the_header() -> None:
    entry = seal_event(an_event(), 3, START, Commitment(2, bytes(32)))
    assert f'"p":"2:{"00" * 32}"'.encode() in entry.header
    assert parse_header(entry.header).commitment == Commitment(2, bytes(32))


@pytest.mark.parametrize("count", [0, 17, -1])
def test_an_event_has_one_to_sixteen_payloads(count: int) -> None:
    with pytest.raises(EventRefused):
        Commitment(count, bytes(32))


@given(details=DETAILS, sequence=st.integers(0, MAX_INTEGER), now=TIMES)
def test_a_sealed_header_reads_back_as_what_was_sealed(
    details: dict[str, str | int | bool | None], sequence: int, now: datetime
) -> None:
    event = Event("case.closed", "system:operator", "case:7", details)
    assert parse_header(seal_event(event, sequence, now).header) == Header(sequence, now, event)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "issued"),
        ("type", "Certificate.issued"),
        ("type", "certificate.issued\n"),
        ("actor", "jens.hansen@example.dk"),
        ("actor", "officer-jens"),
        ("actor", "officer-3f2a"),
        ("actor", "system:"),
        ("object_id", ""),
        ("object_id", "Jens Hansen"),
        ("object_id", "x" * 129),
        ("details", {"Key": 1}),
        ("details", {"ratio": 0.5}),
        ("details", {"list": [1]}),
        ("details", {"octets": b"x"}),
        ("details", {"count": MAX_INTEGER + 1}),
        ("details", {"escape": "\x1b[2J"}),
        ("details", {"surrogate": "\ud800"}),
        ("details", {"long": "x" * 2048}),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(EventRefused) as refusal:
        replace(an_event(), **{field: value})  # type: ignore[arg-type]
    assert refusal.value.field == field
    assert refusal.value.rule


def test_the_details_of_an_event_cannot_be_changed_afterwards() -> None:
    details: dict[str, str | int | bool | None] = {"count": 1}
    event = Event("case.closed", "system:job", "case:7", details)
    details["count"] = 2
    assert event.details == {"count": 1}
    with pytest.raises(TypeError):
        event.details["count"] = 2  # type: ignore[index]


@pytest.mark.parametrize(
    "now", [START.replace(tzinfo=None), START.astimezone(timezone(timedelta(hours=1)))]
)
def test_only_aware_utc_times_are_sealed(now: datetime) -> None:
    with pytest.raises(EventRefused):
        seal_event(an_event(), 0, now)


def test_a_negative_sequence_number_is_refused() -> None:
    with pytest.raises(EventRefused):
        seal_event(an_event(), -1, START)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"p":null', b'"p": null'),
        (b'"p":null', b'"p":1'),
        (b'"p":null', b'"p":"1:00"'),
        (b'"p":null', b'"p":"17:' + b"0" * 64 + b'"'),
        (b'"p":null', b'"p":"01:' + b"0" * 64 + b'"'),
        (b'"p":null', b'"p":"1:' + b"A" * 64 + b'"'),
        (b',"p":null', b""),
        (b'"n":5', b'"n":5.0'),
        (b'"n":1', b'"n":true'),
        (b'"n":5', b'"n":NaN'),
        (b'"n":5', b'"n":5,"n":5'),
        (b'"n":5', b'"n":5,"q":1'),
        (b'"n":5', b'"n":-5'),
        (b'"n":5', b'"n":' + b"5" * 4000),
        (b'"d":{}', b'"d":[]'),
        (b'"d":{}', b'"d":null'),
        (b'"d":{}', b'"d":' + b"[" * 2000 + b"]" * 2000),
        (b'"d":{}', b'"d":{"a":1.5}'),
        (b"officer-3f2a9c01", b"Jens"),
        (b"officer", b"\xff"),
        (b"00Z", b"00+00:00"),
        (b'"2026-03-01T12:00:00.000000Z"', b"5"),
        (b"{", b"["),
        (b"}", b"}" + b" " * 5000),
    ],
)
def test_octets_that_are_no_canonical_header_are_refused(old: bytes, new: bytes) -> None:
    sealed = seal_event(an_event(), 1 if b"1" in old[:5] else 5, START).header
    assert old in sealed
    with pytest.raises(HeaderMalformed):
        parse_header(sealed.replace(old, new))


@given(octets=st.binary(max_size=60))
def test_junk_is_no_header(octets: bytes) -> None:
    with pytest.raises(HeaderMalformed):
        parse_header(octets)
