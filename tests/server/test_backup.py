"""Backups of a whole installation by its verbs: what was erased or revoked since stays so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text, update

from ca.identifiers import IssuerName
from records.errors import BackupRefused
from records.officers import Role
from records.restoring import Restoring
from records.search_index import SearchBy
from records.tables import subject
from revocation.reasons import Reason
from revocation.status import Revoked
from server.assembly import Assembly, assembled
from server.clock import utc_now
from server.crls import publish_crl, renew_crl
from server.search import reindex
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer

ISSUING = IssuerName("issuing")


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path / "state") as made:
        yield made


@pytest.fixture
def tillid(
    parts: Assembly,
    softhsm: SoftHsm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    return Operator(environment_of(softhsm, parts.settings.state), capsys, monkeypatch)


def publish(parts: Assembly) -> None:
    record = parts.issuers.get(ISSUING)
    renew_crl(parts, record, utc_now())
    publish_crl(parts, record)


def test_a_backup_that_is_put_back_neither_revives_nor_unrevokes(
    parts: Assembly, tillid: Operator, tmp_path: Path
) -> None:
    key, backup = tmp_path / "backup.key", tmp_path / "old.backup"
    stays, leaves = (an_officer(parts, Role.AUDITOR).officer for _ in range(2))
    gone = parts.officers.invite("Gudrun Gone", Role.AUDITOR, utc_now())
    publish(parts)
    assert tillid("backup", "new-key", "--out", key).code == 0
    made = tillid("backup", "create", backup, "--key", key)
    assert (made.code, made.result["crl_numbers"]["issuing"]) == (0, 1)
    assert tillid("backup", "create", backup, "--key", key).code == 4

    (place,) = parts.certificates.find(subject_id=leaves.subject_id)
    where = (ISSUING, place.serial_number)
    parts.statuses.revoke(*where, Reason.CESSATION_OF_OPERATION, "system:operator", utc_now())
    publish(parts)
    erase_key(parts, gone.subject_id)
    proof = tillid("backup", "prove", backup, "--key", key)
    assert (proof.code, proof.result["holds"]) == (9, False)
    assert tillid("key", "seal", "--now").code == 0
    proof = tillid("backup", "prove", backup, "--key", key)
    assert proof.code == 0
    assert proof.result["unreadable"] >= 1

    assert tillid("backup", "restore", backup, "--key", key, "--dry-run").code == 0
    assert isinstance(parts.statuses.status_of(*where), Revoked)
    assert reindex(parts) > 0
    parts.database.close()
    restored = tillid("backup", "restore", backup, "--key", key, "--yes")

    assert (restored.code, restored.result["erased"]) == (0, 1)
    assert restored.result["indexed"] >= 1
    (issuing,) = (row for row in restored.result["issuers"] if row["issuer"] == "issuing")
    assert (issuing["crl_number"], issuing["behind"], issuing["revoked"]) == (2, 1, 1)
    with assembled(parts.settings) as again:
        assert isinstance(again.statuses.status_of(*where), Revoked)
        assert {officer.id: name for officer, name in again.officers.all()}[
            stays.id
        ] == "Officer Test"
        assert_found(again, stays.subject_id, gone.subject_id)
        publish(again)
        latest = again.crls.latest(ISSUING)
        assert latest is not None
        assert latest.number == 3
        assert again.crls.is_listed(*where)
        with again.database.read() as tx:
            erasing = text("SELECT id FROM subject WHERE state = 'erasing'")
            assert tx.execute(erasing).scalars().all() == [gone.subject_id]


def assert_found(parts: Assembly, stays: str, gone: str) -> None:
    """The index was made anew of those who are there."""
    assert stays in parts.search.find(SearchBy.NAME, "Officer Test")
    assert gone not in parts.search.find(SearchBy.NAME, "Gudrun Gone")


def erase_key(parts: Assembly, subject_id: str) -> None:
    with parts.database.write() as tx:
        tx.execute(update(subject).where(subject.c.id == subject_id).values(state="erasing"))
        tx.execute(text("DELETE FROM data_key WHERE subject_id = :id"), {"id": subject_id})


def test_nothing_is_signed_from_records_that_are_older_than_what_was_published(
    parts: Assembly, tillid: Operator, tmp_path: Path
) -> None:
    publish(parts)
    old = tmp_path / "old.sqlite"
    path = Path(parts.settings.database.url.reveal().removeprefix("sqlite:///"))
    with parts.database.engine.connect() as connection:
        connection.exec_driver_sql(f"VACUUM INTO '{old}'")
    leaves = an_officer(parts, Role.AUDITOR).officer
    (place,) = parts.certificates.find(subject_id=leaves.subject_id)
    where = (ISSUING, place.serial_number)
    parts.statuses.revoke(*where, Reason.CESSATION_OF_OPERATION, "system:operator", utc_now())
    publish(parts)
    parts.database.close()
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    old.rename(path)

    with assembled(parts.settings) as again:
        with pytest.raises(BackupRefused, match="has number 2, and the records know 1"):
            again.issuer("issuing")
        with pytest.raises(BackupRefused):
            publish(again)
    assert tillid("crl", "issue").code == 4

    relearned = tillid("backup", "relearn")
    (issuing,) = (row for row in relearned.result["issuers"] if row["issuer"] == "issuing")
    assert (issuing["behind"], issuing["unknown"]) == (1, 1)
    with assembled(parts.settings) as again:
        again.issuer("issuing")
        publish(again)
        latest = again.crls.latest(ISSUING)
        assert latest is not None
        assert latest.number == 3
        assert again.crls.is_listed(*where)


def test_what_is_no_crl_of_ours_is_refused(tillid: Operator, tmp_path: Path) -> None:
    stranger = tmp_path / "a.crl"
    stranger.write_bytes(b"no CRL")

    ended = tillid("backup", "relearn", "--crl", stranger)

    assert ended.code == 2


def test_who_was_erased_but_for_what_a_duty_keeps_is_erased_after_a_restore(
    parts: Assembly,
) -> None:
    partly, living = (
        parts.officers.invite(name, Role.AUDITOR, utc_now()).subject_id for name in ("A B", "C D")
    )
    with parts.database.write() as tx:
        for name, purpose in ((partly, "core"), (living, "core"), (living, "contact")):
            parts.personal.seal(tx, name, purpose, b"something of theirs")
    keys = text("SELECT key_ref FROM data_key WHERE subject_id = :id AND purpose = :purpose")
    for name, purpose in ((partly, "core"), (living, "contact")):
        with parts.database.read() as tx:
            (ref,) = tx.execute(keys, {"id": name, "purpose": purpose}).scalars()
        parts.vault.keys.drop([ref])

    assert Restoring(parts.database, parts.vault.keys).erased() == [partly]
