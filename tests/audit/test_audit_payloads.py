"""Payloads: sealed under keys of their subjects, committed to in the header, and ended."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from audit.errors import Break, ChainBroken, EventRefused, PayloadAltered
from audit.events import Detail, Event, parse_header
from audit.payload_watch import PayloadWatch
from audit.payloads import DROPPED, Payload, SealedPayload, open_payload, seal_payloads
from audit.retention import RetentionPeriods, kept_since
from tests.support.audit_store import MemoryAuditStore, an_event, key_of, time_of

ANNE: dict[str, Detail] = {"name": "Anne Ægte", "reason": "two documents disagree"}
BENT: dict[str, Detail] = {"name": "Bent Både"}


def two_subjects() -> MemoryAuditStore:
    store = MemoryAuditStore()
    store.append_with(an_event(), time_of(0), anne=ANNE, bent=BENT)
    store.append_with(an_event(), time_of(1), anne=ANNE)
    return store


def follow(store: MemoryAuditStore, watch: PayloadWatch) -> PayloadWatch:
    watch.begin(0, 0)
    for row in store.rows:
        watch.follow(parse_header(row.header))
    watch.close()
    return watch


def broken(store: MemoryAuditStore, *, keys: bool = True) -> tuple[int, Break]:
    with pytest.raises(ChainBroken) as found:
        follow(store, store.watch(keys=keys))
    return found.value.position, found.value.reason


def test_each_subject_has_a_payload_that_its_own_key_opens() -> None:
    store = two_subjects()
    commitment = parse_header(store.rows[0].header).commitment
    assert commitment is not None
    assert commitment.count == 2
    anne, bent, _ = store.payload_rows
    assert open_payload(commitment, bent, key_of("bent")) == '{"name":"Bent Både"}'.encode()
    for row, key in ((anne, "bent"), (bent, "anne")):
        with pytest.raises(PayloadAltered):
            open_payload(commitment, row, key_of(key))


def test_neither_subject_nor_content_stands_in_header_or_row() -> None:
    store = two_subjects()
    octets = b"".join(
        [*(row.header for row in store.rows), *(row.sealed for row in store.payload_rows)]
    )
    for word in ("anne", "Ægte", "bent", "Både", "disagree"):
        assert word.encode() not in octets
        assert word not in repr(store.payload_rows)
        assert word not in repr(Payload("anne", ANNE))


def test_one_content_at_two_events_is_committed_to_differently() -> None:
    commitments = {
        seal_payloads(sequence, [Payload("anne", ANNE)], [key_of("anne")])[0].digest
        for sequence in range(20)
    }
    assert len(commitments) == 20


def test_whoever_is_left_still_verifies_when_another_subject_is_erased() -> None:
    store = two_subjects()
    store.erase("anne", time_of(2))
    watch = follow(store, store.watch())
    assert (watch.present, watch.missing, watch.declared) == (1, 2, 2)
    assert follow(store, store.watch(keys=False)).present == 1


@pytest.mark.parametrize(
    "payloads", [[("anne", ANNE)] * 2, [(f"s{n}", BENT) for n in range(17)], []]
)
def test_too_many_payloads_or_two_of_one_subject_are_refused(
    payloads: list[tuple[str, dict[str, Detail]]],
) -> None:
    given = [Payload(*each) for each in payloads]
    with pytest.raises(EventRefused):
        seal_payloads(0, given, [key_of(each.subject_id) for each in given])


def test_a_payload_that_is_too_long_is_refused() -> None:
    with pytest.raises(EventRefused):
        Payload("anne", {"words": "x" * 16 * 1024})


def test_a_payload_that_is_gone_without_an_event_is_found_where_it_stood() -> None:
    for at in range(3):
        store = two_subjects()
        del store.payload_rows[at]
        assert broken(store, keys=False) == (0 if at < 2 else 1, Break.PAYLOAD_GONE)


def test_an_event_that_declares_too_much_is_found() -> None:
    store = two_subjects()
    kept = store.payload_rows[1]
    store.erase("bent", time_of(2))
    store.payload_rows.insert(1, kept)
    assert broken(store) == (2, Break.PAYLOAD_DECLARED)


def test_what_is_declared_accounts_for_nothing_that_goes_later() -> None:
    store = two_subjects()
    store.erase("anne", time_of(2))
    store.append_with(an_event(), time_of(3), carl=BENT)
    store.append(Event("case.closed", "system:job", "E-1", {}), time_of(4))
    del store.payload_rows[-1]
    assert broken(store) == (3, Break.PAYLOAD_GONE)


def test_a_payload_whose_key_is_gone_but_which_is_still_there_is_found() -> None:
    store = two_subjects()
    store.payload_rows[2] = replace(store.payload_rows[2], has_key=False)
    assert broken(store, keys=False) == (1, Break.PAYLOAD_KEY_GONE)


@pytest.mark.parametrize("number", [1, 2, 16])
def test_an_added_payload_is_found(number: int) -> None:
    store = two_subjects()
    store.payload_rows.append(replace(store.payload_rows[2], number=number))
    assert broken(store, keys=False) == (1, Break.PAYLOAD_ADDED)


@pytest.mark.parametrize("sequence", [2, 9])
def test_a_payload_of_an_event_without_any_or_of_none_is_found(sequence: int) -> None:
    store = two_subjects()
    store.append(an_event(), time_of(2))
    store.payload_rows.append(replace(store.payload_rows[2], sequence=sequence))
    assert broken(store, keys=False) == (sequence, Break.PAYLOAD_ADDED)


def test_swapped_payloads_are_found_without_any_key() -> None:
    store = two_subjects()
    first, last = store.payload_rows[0], store.payload_rows[2]
    store.payload_rows[0] = replace(first, sealed=last.sealed)
    assert broken(store, keys=False) == (0, Break.PAYLOAD_ALTERED)


@pytest.mark.parametrize("at", [0, 31, 32, 63, 64, 75, 76, -1])
def test_a_flipped_bit_of_a_payload_is_found(at: int) -> None:
    store = two_subjects()
    row = store.payload_rows[1]
    octets = bytearray(row.sealed)
    octets[at] ^= 1
    store.payload_rows[1] = replace(row, sealed=bytes(octets))
    assert broken(store) == (0, Break.PAYLOAD_ALTERED)


@pytest.mark.parametrize("length", [0, 64, 70, 90])
def test_a_payload_that_was_cut_is_found(length: int) -> None:
    store = two_subjects()
    row = store.payload_rows[1]
    store.payload_rows[1] = replace(row, sealed=row.sealed[:length])
    assert broken(store) == (0, Break.PAYLOAD_ALTERED)


def test_another_payload_under_the_right_key_is_found() -> None:
    store = two_subjects()
    (forged,) = seal_payloads(1, [Payload("anne", BENT)], [key_of("anne")])[1]
    openings = store.payload_rows[2].sealed[:32]
    store.payload_rows[2] = SealedPayload(1, 0, "anne", openings + forged[32:], has_key=True)
    assert broken(store) == (1, Break.PAYLOAD_ALTERED)


@pytest.mark.parametrize(
    ("now", "years", "since"),
    [
        (datetime(2029, 12, 31, 23, 59, tzinfo=UTC), 5, 2024),
        (datetime(2030, 1, 1, tzinfo=UTC), 5, 2025),
        (datetime(2026, 7, 1, tzinfo=UTC), 0, 2026),
        (datetime(2026, 7, 1, tzinfo=UTC), 3000, 1),
    ],
)
def test_a_year_is_kept_until_the_end_of_the_last_year_after_it(
    now: datetime, years: int, since: int
) -> None:
    assert kept_since(now, years) == datetime(since, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("personal", "administrative"), [(6, 5), (-1, 5)])
def test_a_payload_never_outlives_the_header_that_commits_to_it(
    personal: int, administrative: int
) -> None:
    with pytest.raises(ValueError, match="no longer than"):
        RetentionPeriods(personal, administrative)


def test_a_count_that_is_no_number_declares_nothing() -> None:
    store = two_subjects()
    del store.payload_rows[2]
    store.append(Event("case.closed", "system:job", "E-1", {DROPPED: True}), time_of(2))
    assert broken(store) == (1, Break.PAYLOAD_GONE)
