import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ca.identifiers import SerialNumber
from revocation import crl_issue, published_files
from revocation.crl import CrlHeader, check_crl, check_frame
from revocation.crl_issue import issue_crl
from revocation.errors import (
    CrlNumberTaken,
    CrlRefused,
    CrlRule,
    EntriesVanished,
    PublicationFailed,
)
from revocation.publication import (
    CrlDue,
    CrlPolicy,
    CrlRecord,
    NewPieces,
    crl_is_due,
)
from revocation.published_files import is_published, write_published
from revocation.reasons import Reason
from revocation.status import Revoked
from tests.support.revocation_pki import Pki
from tests.support.revocation_stores import MemoryCrlStore

NOW = datetime(2026, 11, 22, 8, 30, 5, 123_456, tzinfo=UTC)
POLICY = CrlPolicy(validity=timedelta(days=1), renew_margin=timedelta(hours=6))
PKI = Pki.new()
SERIAL = SerialNumber(1000)
REVOKED = Revoked(Reason.KEY_COMPROMISE, NOW)


def issue(store: MemoryCrlStore, now: datetime = NOW) -> CrlRecord:
    return issue_crl(store, PKI.issuing, now, POLICY)


def due(store: MemoryCrlStore, now: datetime = NOW, *, published: bool = True) -> CrlDue | None:
    return crl_is_due(store.heading, now, POLICY, published=published)


def test_the_first_crl_has_number_one_and_ends_a_second_before_its_validity() -> None:
    store = MemoryCrlStore()
    record = issue(store)
    assert store.records == [record]
    assert record.number == 1
    assert record.this_update == NOW.replace(microsecond=0)
    assert record.next_update == record.this_update + timedelta(days=1) - timedelta(seconds=1)
    assert record.sha256 == hashlib.sha256(store.der()).digest()
    assert check_crl(store.der(), PKI.issuing.certificate, NOW) == CrlHeader(
        1, record.this_update, record.next_update
    )


def test_each_crl_has_the_number_after_the_one_before() -> None:
    store = MemoryCrlStore()
    assert [issue(store).number for _ in range(3)] == [1, 2, 3]


def test_a_number_that_another_process_took_is_a_conflict() -> None:
    class OvertakenStore(MemoryCrlStore):
        def record_crl(self, *new: tuple[CrlRecord, NewPieces]) -> None:
            if not self.records:
                self.records.append(new[0][0])
            super().record_crl(*new)

    store = OvertakenStore()
    with pytest.raises(CrlNumberTaken):
        issue(store)
    assert len(store.records) == 1


def test_a_crl_is_due_while_there_is_none() -> None:
    assert due(MemoryCrlStore()) is CrlDue.NO_CRL


def test_a_crl_is_due_after_a_revocation_and_not_after_the_next_crl() -> None:
    store = MemoryCrlStore()
    issue(store)
    assert due(store) is None
    store.revoke(SERIAL, REVOKED)
    assert due(store) is CrlDue.REVOCATIONS_CHANGED
    issue(store)
    assert due(store) is None


def test_a_crl_is_due_when_less_than_the_margin_is_left() -> None:
    store = MemoryCrlStore()
    edge = issue(store).next_update - POLICY.renew_margin
    assert due(store, edge) is None
    assert due(store, edge + timedelta(seconds=1)) is CrlDue.NEXT_UPDATE_NEAR
    assert due(store, edge + timedelta(days=400)) is CrlDue.NEXT_UPDATE_NEAR


def test_a_crl_that_is_not_served_as_recorded_is_due() -> None:
    store = MemoryCrlStore()
    issue(store)
    assert due(store, published=False) is CrlDue.NOT_PUBLISHED


def test_a_crl_that_forgets_an_unexpired_serial_is_not_recorded() -> None:
    store = MemoryCrlStore()
    store.revoke(SERIAL, REVOKED)
    issue(store)
    store.revoked.clear()
    store.changed.append(SERIAL)
    with pytest.raises(EntriesVanished) as refusal:
        issue(store)
    assert refusal.value.serials == {SERIAL}
    assert len(store.records) == 1


def test_an_entry_leaves_after_a_crl_that_was_made_after_its_expiry() -> None:
    store = MemoryCrlStore()
    store.revoke(SERIAL, REVOKED)
    store.ends[SERIAL] = NOW + timedelta(hours=1)
    found = []
    for hours in (0, 2, 3):
        issue(store, NOW + timedelta(hours=hours))
        found.append(len(x509.load_der_x509_crl(store.der())))
    assert found == [1, 1, 0]


def test_while_the_clock_lies_behind_the_date_stays_that_of_the_crl_before() -> None:
    store = MemoryCrlStore()
    first = issue(store)
    store.revoke(SERIAL, REVOKED)
    second = issue(store, NOW - timedelta(hours=3))
    assert (second.number, second.this_update) == (2, first.this_update)
    assert len(x509.load_der_x509_crl(store.der())) == 1


def test_a_crl_with_other_dates_than_ordered_is_not_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryCrlStore()

    def ten_years(*asked: object) -> object:
        parts, found = check_frame(*asked)  # type: ignore[arg-type]
        return parts, replace(found, next_update=NOW.replace(year=2036, microsecond=0))

    monkeypatch.setattr(crl_issue, "check_frame", ten_years)
    with pytest.raises(CrlRefused) as refusal:
        issue(store)
    assert refusal.value.rule is CrlRule.AS_ORDERED
    assert store.records == []


@pytest.mark.parametrize(
    ("validity", "margin"),
    [
        (timedelta(days=1), timedelta(0)),
        (timedelta(days=1), timedelta(days=1)),
        (timedelta(days=367), timedelta(days=1)),
        (timedelta(days=1, milliseconds=1), timedelta(hours=1)),
    ],
)
def test_a_policy_out_of_bounds_does_not_exist(validity: timedelta, margin: timedelta) -> None:
    with pytest.raises(ValueError):
        CrlPolicy(validity, margin)


def test_a_recorded_crl_is_written_and_found_published(tmp_path: Path) -> None:
    store = MemoryCrlStore()
    sha256 = issue(store).sha256
    path = tmp_path / "persons-g1.crl"
    assert not is_published(path, sha256)
    write_published(path, store.der())
    assert is_published(path, sha256)
    assert path.stat().st_mode & 0o777 == 0o644
    write_published(path, b"older")
    assert path.read_bytes() == b"older"
    assert not is_published(path, sha256)
    assert os.listdir(tmp_path) == ["persons-g1.crl"]  # noqa: PTH208 - names are what matters


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "persons-g1.crl"
    path.write_bytes(b"old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device", descriptor)

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(PublicationFailed) as failure:
        write_published(path, b"new")
    assert failure.value.path == path
    assert [file.name for file in tmp_path.iterdir()] == ["persons-g1.crl"]
    assert path.read_bytes() == b"old"


def test_a_directory_that_is_not_there_is_a_failed_publication(tmp_path: Path) -> None:
    with pytest.raises(PublicationFailed):
        write_published(tmp_path / "missing" / "persons-g1.crl", b"new")


def test_a_file_that_reads_back_otherwise_is_a_failed_publication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_files, "_digest", lambda _: bytes(32))
    with pytest.raises(PublicationFailed):
        write_published(tmp_path / "persons-g1.crl", b"new")


def test_a_symbolic_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"untouched")
    path = tmp_path / "persons-g1.crl"
    path.symlink_to(target)
    write_published(path, b"new")
    assert target.read_bytes() == b"untouched"
    assert not path.is_symlink()
