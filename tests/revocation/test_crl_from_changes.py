"""CRLs made from the one before: the same as one made anew, at the cost of what changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.identifiers import SerialNumber
from ca.signatures import SigningKey
from revocation.crl import CrlHeader, build_crl, check_crl, read_parts
from revocation.crl_entries import PIECE, encode_entry, order_of, splice, take_apart
from revocation.crl_issue import IssuedCrl, Workplace, issue_list
from revocation.crl_plan import CrlMade
from revocation.errors import CrlAbandoned, CrlRefused, EntriesVanished, PublicationFailed
from revocation.publication import CrlPolicy, CrlScope, IssuingKey
from revocation.reasons import Reason
from revocation.status import Revoked
from tests.support.revocation_pki import ISSUER, Pki, issuer_certificate
from tests.support.revocation_stores import MemoryCrlStore

NOW = datetime(2026, 11, 22, 8, 30, 5, tzinfo=UTC)
POLICY = CrlPolicy(validity=timedelta(days=7), renew_margin=timedelta(hours=6))
PKI = Pki.new()
HEADER = CrlHeader(1, NOW, NOW + timedelta(days=1))
REVOKED = Revoked(Reason.SUPERSEDED, NOW)
HELD = Revoked(Reason.CERTIFICATE_HOLD, NOW)


def issue(
    store: MemoryCrlStore, now: datetime = NOW, workplace: Workplace | None = None
) -> IssuedCrl:
    return issue_list(store, (PKI.issuing, CrlScope(ISSUER)), now, POLICY, workplace or Workplace())


def listed(store: MemoryCrlStore) -> set[int]:
    check_crl(store.der(), PKI.issuing.certificate, store.records[-1].this_update)
    return {entry.serial_number for entry in x509.load_der_x509_crl(store.der())}


def of_size(size: int, step: int = 10) -> MemoryCrlStore:
    store = MemoryCrlStore()
    for number in range(1, size + 1):
        store.revoke(SerialNumber(number * step), REVOKED)
    issue(store)
    return store


SERIALS = st.integers(1, 3000) | st.integers(1, (1 << 159) - 1)
STEPS = st.lists(
    st.tuples(st.sampled_from(["revoke", "hold", "release", "expire", "issue"]), SERIALS),
    max_size=60,
)


@settings(max_examples=60)
@given(STEPS, st.integers(0, 900))
def test_whatever_happened_it_is_the_crl_that_all_rows_would_make(
    steps: list[tuple[str, int]], size: int
) -> None:
    store, now = of_size(size, step=3), NOW
    for what, number in [*steps, ("issue", 0)]:
        serial = SerialNumber(max(number, 1))
        if what == "issue":
            now += timedelta(minutes=1)
            issue(store, now)
            check_crl(store.der(), PKI.issuing.certificate, now)
            begins, ends = read_parts(store.der()).entries
            entries = list(store.entries(store.records[-1].left_until))
            assert store.der()[begins:ends] == b"".join(entries)
            assert store.records[-1].entries == len(entries)
        elif what == "release" and store.revoked.get(serial) == HELD:
            store.release(serial)
        elif what == "expire" and serial in store.revoked:
            store.ends.setdefault(serial, now)
        elif what in {"revoke", "hold"} and serial not in store.revoked:
            store.revoke(serial, REVOKED if what == "revoke" else HELD)


def test_the_next_crl_costs_what_changed_and_not_what_is_listed() -> None:
    store = of_size(20 * PIECE)
    assert store.rows_read == 20 * PIECE
    store.revoke(SerialNumber(15), REVOKED)
    store.revoke(SerialNumber(17), REVOKED)
    assert issue(store).made is CrlMade.CHANGES
    assert (store.rows_read, store.pieces_read) == (20 * PIECE, 1)
    assert {15, 17} <= listed(store)


def test_all_rows_are_compared_once_a_day_and_agree() -> None:
    store = of_size(300)
    assert issue(store, NOW + timedelta(hours=23)).made is CrlMade.CHANGES
    assert issue(store, NOW + timedelta(hours=25)).made is CrlMade.COMPARED
    assert issue(store, NOW + timedelta(hours=48)).made is CrlMade.CHANGES


def test_rows_that_say_more_than_the_changes_win_and_it_is_told() -> None:
    store = of_size(300)
    store.revoked[SerialNumber(7)] = REVOKED  # past every record of a change
    assert issue(store).made is CrlMade.CHANGES
    assert 7 not in listed(store)
    found = issue(store, NOW + timedelta(days=2))
    assert found.made is CrlMade.MENDED
    assert 7 in listed(store)
    assert found.record.oldest_base == found.record.number  # no delta reaches over it


def test_no_delta_reaches_over_a_crl_that_was_mended() -> None:
    scope, store = CrlScope(ISSUER, delta_url="http://127.0.0.1/delta.crl"), of_size(3)
    store.revoked[SerialNumber(7)] = REVOKED
    made = []
    for days in (1, 2, 2, 3):
        found = issue_list(store, (PKI.issuing, scope), NOW + timedelta(days), POLICY, Workplace())
        made.append((found.made, found.delta and found.delta.base))
        store.revoke(SerialNumber(100 + len(made)), REVOKED)
    assert made == [
        (CrlMade.MENDED, None),  # number 2, by the daily comparison
        (CrlMade.COMPARED, 2),
        (CrlMade.CHANGES, 2),
        (CrlMade.COMPARED, 2),
    ]


def test_rows_that_were_lost_stay_listed_and_it_is_told() -> None:
    store = of_size(300)
    del store.revoked[SerialNumber(10)]
    assert issue(store, NOW + timedelta(days=2)).made is CrlMade.KEPT
    assert 10 in listed(store)


@pytest.mark.parametrize("size", [1, 2, 300, 5 * PIECE])
def test_what_only_the_rows_have_is_listed_with_what_only_the_crl_has(size: int) -> None:
    store, days = of_size(size), timedelta(days=1)
    lost, unheard = SerialNumber(10), SerialNumber(7)
    del store.revoked[lost]
    store.revoked[unheard] = REVOKED  # past every record of a change
    made = [issue(store, NOW + 2 * days).made]
    assert listed(store) == {unheard, lost, *store.revoked}
    assert store.records[-1].entries == size + 1
    assert store.records[-1].oldest_base == 2  # no delta has what no change tells
    made += [issue(store, NOW + times * days).made for times in (2, 2.9, 3)]
    assert made == [CrlMade.KEPT, CrlMade.CHANGES, CrlMade.CHANGES, CrlMade.KEPT]
    assert {unheard, lost} <= listed(store)


def test_nothing_is_kept_from_a_crl_that_is_damaged() -> None:
    store = of_size(3)
    del store.revoked[SerialNumber(10)]
    (first, _), *_ = store.firsts()
    store.stored[first] = store.stored[first].replace(b"\x0a\x01\x04", b"\x0a\x01\x01", 1)
    with pytest.raises(EntriesVanished):
        issue(store, NOW + timedelta(days=2))


@pytest.mark.parametrize("harm", ["changed", "lost", "swapped"])
def test_pieces_that_are_not_as_recorded_are_made_anew_from_all_rows(harm: str) -> None:
    store = of_size(3 * PIECE)
    first, second = [first for first, _ in store.firsts()][:2]
    if harm == "changed":
        store.stored[first] = store.stored[first].replace(b"\x0a\x01\x04", b"\x0a\x01\x01", 1)
    elif harm == "lost":
        del store.stored[second]
    else:
        store.stored[first], store.stored[second] = store.stored[second], store.stored[first]
    assert issue(store).made is CrlMade.MENDED
    assert len(listed(store)) == 3 * PIECE
    assert issue(store).made is CrlMade.CHANGES


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=10)])
def test_what_left_while_the_clock_was_ahead_comes_back_when_it_is_right(ahead: timedelta) -> None:
    store, expires = of_size(300), NOW + ahead / 2
    store.ends = {SerialNumber(10): expires, SerialNumber(20): NOW - timedelta(days=1)}
    found = []
    twice_ahead = (NOW + ahead, NOW + ahead + timedelta(minutes=1))
    times = (NOW, *twice_ahead, NOW, NOW, expires, expires + timedelta(minutes=1))
    for moment in times:
        record = issue(store, moment).record
        found.append(({10, 20} & listed(store), record.left_until < moment))
    assert found == [
        ({10}, True),
        ({10}, True),
        (set[int](), True),
        ({10}, True),
        ({10}, True),
        ({10}, True),
        (set(), True),
    ]
    assert issue(store, times[-1]).made is CrlMade.CHANGES


def test_what_did_not_expire_does_not_leave_by_one_crl_of_a_clock_that_was_ahead() -> None:
    store = of_size(3)
    store.ends = {SerialNumber(10): NOW + timedelta(days=5)}
    for ahead in (10, 0, 0):
        issue(store, NOW + timedelta(days=ahead))
        assert 10 in listed(store)


def test_a_lost_row_is_not_forgotten_when_the_crl_is_made_anew() -> None:
    store = of_size(3)
    del store.revoked[SerialNumber(10)]
    store.changed.append(SerialNumber(10))
    with pytest.raises(EntriesVanished):
        issue(store)


def test_an_entry_with_an_invalidity_date_is_one_too() -> None:
    dated = encode_entry(SerialNumber(1 << 150), NOW, Reason.KEY_COMPROMISE, NOW - timedelta(1))
    plain = encode_entry(SerialNumber((1 << 150) + 1), NOW, Reason.KEY_COMPROMISE)
    assert list(take_apart(dated + plain).values()) == [dated, plain]
    crl = build_crl(PKI.issuing.certificate, PKI.issuing.key, HEADER, [dated, plain])
    assert check_crl(crl, PKI.issuing.certificate, NOW) == HEADER
    found = next(iter(x509.load_der_x509_crl(crl)))
    since = found.extensions.get_extension_for_class(x509.InvalidityDate).value
    assert since.invalidity_date_utc == NOW - timedelta(1)


def test_an_entry_that_is_none_is_refused() -> None:
    entries = {order_of(SerialNumber(n)): encode_entry(SerialNumber(n), NOW, Reason(1))
               for n in (10, 20)}  # fmt: skip
    whole = b"".join(entries.values())
    assert take_apart(whole) == entries
    for bad in (whole + b"\x30", whole[:-1], b"".join(reversed(entries.values())), whole + whole):
        with pytest.raises(CrlRefused):
            take_apart(bad)
    first = order_of(SerialNumber(10))
    with pytest.raises(CrlRefused):
        splice([first], {first: b"\x30\x03\x02\x01\x0a"}, lambda _: whole)


def test_an_entry_of_another_serial_does_not_reach_over_into_the_next_piece() -> None:
    low, high = (SerialNumber(n) for n in (10, 900))
    entry = encode_entry(high, NOW, Reason(1))
    with pytest.raises(CrlRefused):
        splice([order_of(low), order_of(SerialNumber(500))], {order_of(low): entry},
               lambda _: encode_entry(low, NOW, Reason(1)))  # fmt: skip


@pytest.mark.parametrize(
    "make_key",
    [ed25519.Ed25519PrivateKey.generate, lambda: rsa.generate_private_key(65537, 2048)],
    ids=["Ed25519", "RSA"],
)
def test_every_kind_of_key_signs_what_is_streamed(make_key: Callable[[], SigningKey]) -> None:
    key = make_key()
    store, issuing = MemoryCrlStore(), IssuingKey(ISSUER, issuer_certificate(key), key)
    for number in (5, 300):
        store.revoke(SerialNumber(number), REVOKED)
        issue_list(store, (issuing, CrlScope(ISSUER)), NOW, POLICY, Workplace())
        check_crl(store.der(), issuing.certificate, NOW)


@pytest.mark.parametrize("size", [1195, 1196, 1197, 1198, 1199, 1200])
def test_however_long_the_length_gets_the_octets_are_whole(size: int) -> None:
    """Of 65,535 octets and a few more, the length takes one octet more."""
    store = MemoryCrlStore()
    for number in range(size):
        store.revoke(SerialNumber((1 << 158) + number), REVOKED)
    for _ in range(6):
        issue(store)
        assert len(listed(store)) == size


def test_the_file_is_put_in_place_after_it_was_recorded(tmp_path: Path) -> None:
    store, path = MemoryCrlStore(), tmp_path / "persons.crl"
    issue(store, workplace=Workplace(path))
    assert path.read_bytes() == store.der()

    class Overtaken(MemoryCrlStore):
        def crl_heading(self, scope: CrlScope):  # type: ignore[no-untyped-def] # noqa: ANN202
            found = super().crl_heading(scope)
            assert found.latest is not None
            return replace(found, latest=replace(found.latest, number=99))

    issue(Overtaken(), workplace=Workplace(path))  # a later one is there: it is left alone
    assert path.read_bytes() == store.der()
    assert list(tmp_path.iterdir()) == [path]


def test_a_process_that_is_to_end_gives_up_and_leaves_nothing(tmp_path: Path) -> None:
    store = of_size(5 * PIECE)
    asked = iter([False, False, True])
    for give_up in (lambda: next(asked), lambda: True):
        with pytest.raises(CrlAbandoned):
            issue(store, workplace=Workplace(tmp_path / "persons.crl", give_up))
    with pytest.raises(CrlAbandoned):
        issue(MemoryCrlStore({SerialNumber(1): REVOKED}), workplace=Workplace(None, lambda: True))
    assert len(store.records) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_failed_publication(tmp_path: Path) -> None:
    with pytest.raises(PublicationFailed):
        issue(MemoryCrlStore(), workplace=Workplace(tmp_path / "missing" / "persons.crl"))
