"""The seal: old copies open nothing that was destroyed, new ones everything else."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from hsm.errors import KeyNotFound, TokenUnavailable
from records.errors import Conflict, DatabaseUnavailable, Erased, RuleBroken, SnapshotFailed
from records.key_snapshots import facts_in, probe, put_back
from records.key_store import KeyStore
from records.key_tables import bucket, stored_key
from records.key_wrapping import DamagedData
from records.personal_data import PersonalData
from records.tables import data_key
from server.clock import utc_now
from tests.support.databases import Databases
from tests.support.vault import VaultSite, a_vault

pytestmark = pytest.mark.served

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def site(databases: Databases, engine: str, tmp_path: Path) -> Iterator[VaultSite]:
    with a_vault(databases, engine, tmp_path) as made:
        yield made


def test_after_a_seal_no_old_copy_opens_and_the_living_do(site: VaultSite) -> None:
    site.people(3)
    site.vault.seal(NOW)
    old = site.copy_of_snapshot()
    doomed = site.reference("subject-1")
    site.erase("subject-1")

    outcome = site.vault.seal(NOW)

    assert (outcome.began, outcome.complete, outcome.epoch) == (True, True, 2)
    assert [site.opens("subject-0"), site.opens("subject-2")] == [True, True]
    with pytest.raises(Erased):
        site.open("subject-1")
    assert site.store.open(doomed) is None
    assert all(roots.epochs(site.name) == {2} for roots in site.roots)
    for roots in site.roots:
        with pytest.raises(KeyNotFound):
            probe(old, (roots,))


def test_a_key_in_force_opens_no_old_wrap_of_a_doomed_one(site: VaultSite) -> None:
    site.people(2)
    ref = site.reference("subject-1")
    neighbour = site.store.open(site.reference("subject-0"))
    (row,) = site.rows(select(stored_key).where(stored_key.c.ref == ref))
    site.erase("subject-1")
    site.vault.seal(NOW)

    with site.keys.write() as tx:
        tx.execute(insert(stored_key).values(**row._mapping))

    with pytest.raises(DamagedData):
        site.store.open(ref)
    assert site.store.open(site.reference("subject-0")) == neighbour


def test_nothing_doomed_is_nothing_to_seal_and_a_rotation_seals_all_the_same(
    site: VaultSite,
) -> None:
    site.people(1)
    assert site.vault.is_due()  # the first epoch has no snapshot yet
    assert not site.vault.seal(NOW).began
    assert not site.vault.is_due()

    assert site.vault.seal(NOW, rotate=True).epoch == 2
    assert site.opens("subject-0")


def test_a_seal_without_a_key_does_nothing(site: VaultSite) -> None:
    assert site.vault.seal(NOW).epoch == 0
    assert not site.vault.is_due()


def test_evidence_is_given_for_a_complete_seal_after_the_deletion_alone(
    site: VaultSite,
) -> None:
    site.people(2)
    site.vault.seal(NOW)
    site.erase("subject-1")
    noted = site.vault.current_epoch()
    assert site.vault.sealed_since(noted) is None

    site.vault.seal(NOW)

    evidence = site.vault.sealed_since(noted)
    assert evidence is not None
    assert (evidence.epoch, evidence.at) == (2, NOW)
    assert evidence.token_serials == ("serial-of-vault-a", "serial-of-vault-b")
    assert site.vault.sealed_since(site.vault.current_epoch()) is None
    assert site.events() == ["vault.sealed"]
    assert site.vault.doomed.pending() == []


def before_finish(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something between the transaction of the key store and the end of the older roots."""

    def reached(name: str, _: str = "") -> None:
        if name == "seal.rewrapped":
            act()

    monkeypatch.setattr("records.sealing.reach", reached)


def test_a_token_that_is_down_keeps_the_seal_unfinished_until_it_is_back(
    site: VaultSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.people(2)
    site.vault.seal(NOW)
    site.erase("subject-1")
    first, second = site.roots
    before_finish(monkeypatch, lambda: setattr(second, "is_away", True))

    outcome = site.vault.seal(NOW)

    assert (outcome.began, outcome.complete) == (True, False)
    assert outcome.waiting_for == ("vault-b",)
    assert first.epochs(site.name) == {2}
    assert site.vault.sealed_since(1) is None
    assert site.vault.is_due()
    assert site.opens("subject-0")
    second.is_away = False
    assert site.vault.seal(NOW + timedelta(hours=1)).complete
    assert second.epochs(site.name) == {2}
    assert site.vault.sealed_since(1) is not None


def test_a_seal_does_not_begin_while_a_token_is_away(site: VaultSite) -> None:
    site.people(2)
    site.vault.seal(NOW)
    site.erase("subject-1")
    site.roots[1].is_away = True

    with pytest.raises(TokenUnavailable):
        site.vault.seal(NOW)

    assert site.vault.keys.current_epoch() == 1
    with pytest.raises(Erased):
        site.open("subject-1")
    assert site.opens("subject-0")


def test_a_lost_token_is_waited_for_until_it_is_written_off(site: VaultSite) -> None:
    site.people(1)
    site.vault.seal(NOW)
    lost = site.vault_of(site.roots[0])
    assert lost.seal(NOW, rotate=True).waiting_for == ("vault-b",)
    with pytest.raises(Conflict, match="vault-a is still named"):
        lost.write_off("vault-a", NOW)

    assert lost.write_off("vault-b", NOW) == 1
    assert lost.seal(NOW).complete

    evidence = lost.sealed_since(1)
    assert evidence is not None
    assert evidence.token_serials == ("serial-of-vault-a",)
    assert site.events() == ["vault.token_lost", "vault.sealed"]


def test_a_token_that_is_named_later_gets_a_root_with_the_next_seal(site: VaultSite) -> None:
    alone = site.vault_of(site.roots[0])
    site.people(1, PersonalData(alone.keys))
    alone.seal(NOW)
    assert site.roots[1].epochs(site.name) == set()

    assert site.vault.is_due()
    assert site.vault.seal(NOW).began

    site.roots[0].is_away = True
    site.store.forget_unwrapped()
    assert site.opens("subject-0")


def test_two_seals_at_once_are_one(site: VaultSite) -> None:
    site.people(1)
    with site.store.sealing(), pytest.raises(Conflict, match="under way"):
        site.vault.seal(NOW)


def test_a_key_that_was_doomed_during_the_seal_waits_for_the_next(
    site: VaultSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.people(2)
    site.vault.seal(NOW)
    site.erase("subject-0")
    before_finish(monkeypatch, lambda: site.erase("subject-1"))

    site.vault.seal(utc_now() + timedelta(seconds=1))

    assert len(site.vault.doomed.pending()) == 1
    assert site.vault.sealed_since(1) is None  # whoever waits may wait for that one
    assert site.vault.is_due()
    assert site.vault.seal(utc_now() + timedelta(seconds=2)).epoch == 3
    assert site.vault.doomed.pending() == []
    evidence = site.vault.sealed_since(1)
    assert evidence is not None
    assert evidence.epoch == 3


def test_a_bucket_without_keys_goes_and_room_is_used_again(site: VaultSite) -> None:
    site.store.make(1025)
    assert len(site.rows(select(bucket))) == 2
    refs = [ref for (ref,) in site.rows(select(stored_key.c.ref))]
    site.store.drop(refs)

    site.vault.seal(NOW, rotate=True)

    assert len(site.rows(select(bucket))) == 0
    assert site.store.make(1)


def test_keys_that_nobody_refers_to_are_swept_and_never_given_out(site: VaultSite) -> None:
    site.people(1)
    (unused,) = site.store.make(1)
    assert site.vault.sweep() == 0  # a transaction may be about to refer to it
    site.age_keys(timedelta(hours=2))

    assert site.vault.sweep() == 1

    assert site.store.open(unused.ref) is None
    assert site.opens("subject-0")
    again = insert(data_key).values(subject_id="subject-0", purpose="case", key_ref=unused.ref)
    with pytest.raises(RuleBroken) as refusal, site.records.write() as tx:
        tx.execute(again)
    assert refusal.value.code == "KEY01"
    assert site.vault.sweep() == 0


def test_both_places_keep_the_newest_snapshot_alone(site: VaultSite) -> None:
    site.people(2)
    site.vault.seal(NOW)
    site.erase("subject-1")
    site.vault.seal(NOW + timedelta(hours=1))
    site.people(1, first=7)
    site.vault.seal(NOW + timedelta(hours=2))

    for folder in site.vault.snapshots.folders:
        (snapshot,) = folder.iterdir()
        assert probe(snapshot, site.roots).keys == site.facts().keys
        assert (snapshot.stat().st_mode & 0o777) == 0o600
        snapshot.chmod(0o400)
    assert site.vault.seal(NOW + timedelta(hours=3)).snapshots == 0


def test_roots_stay_while_a_snapshot_cannot_be_written(
    site: VaultSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.people(2)
    site.vault.seal(NOW)
    site.erase("subject-1")
    folder = site.vault.snapshots.folders[1]

    def put_a_file_in_its_place() -> None:
        shutil.rmtree(folder)
        folder.write_text("not a folder")

    before_finish(monkeypatch, put_a_file_in_its_place)

    with pytest.raises(SnapshotFailed):
        site.vault.seal(NOW)

    assert all(roots.epochs(site.name) == {1, 2} for roots in site.roots)
    assert site.vault.sealed_since(1) is None
    monkeypatch.undo()
    folder.unlink()
    assert site.vault.seal(NOW).complete
    assert all(roots.epochs(site.name) == {2} for roots in site.roots)


def test_a_snapshot_that_was_altered_is_replaced(site: VaultSite) -> None:
    site.people(2)
    site.vault.seal(NOW)
    (snapshot,) = site.vault.snapshots.folders[0].iterdir()
    snapshot.write_bytes(b"overwritten")

    with pytest.raises(SnapshotFailed, match="no snapshot"):
        facts_in(snapshot)
    assert site.vault.seal(NOW + timedelta(hours=1)).snapshots == 1
    (snapshot,) = site.vault.snapshots.folders[0].iterdir()
    assert probe(snapshot, site.roots).keys == site.facts().keys


def test_a_store_is_put_back_from_a_snapshot_with_one_token_lost(
    site: VaultSite, databases: Databases, engine: str
) -> None:
    site.people(2)
    site.vault.seal(NOW, rotate=True)
    (snapshot,) = site.vault.snapshots.folders[1].iterdir()
    with databases.empty(engine) as another:
        again = KeyStore(another, (site.roots[1],))
        facts = put_back(snapshot, again)

        assert facts.epoch == 2
        assert site.opens("subject-0", PersonalData(again))
        with pytest.raises(Conflict, match="in use"):
            put_back(snapshot, again)
        assert again.make(1)


def test_an_empty_store_in_the_place_of_the_one_in_use_is_refused(
    site: VaultSite, databases: Databases
) -> None:
    site.people(1)
    with databases.empty("sqlite") as nothing:
        stranger = PersonalData(KeyStore(nothing, site.roots))
        with pytest.raises(DatabaseUnavailable, match="newest snapshot"):
            site.open("subject-0", stranger)
        with pytest.raises(DatabaseUnavailable, match="newest snapshot"):
            site.people(1, stranger, first=9)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE stored_key SET ref = 'other'", "KEY04"),
        ("UPDATE stored_key SET bucket = 0", "KEY04"),
        ("INSERT INTO stored_key SELECT ref, bucket, wrapped, made_at FROM stored_key", "KEY04"),
        ("DELETE FROM bucket", "KEY05"),
        ("INSERT INTO bucket SELECT id, wrapped, filled, touched FROM bucket", "KEY05"),
        ("INSERT INTO epoch SELECT number, began_at, completed_at FROM epoch", "KEY06"),
        ("DELETE FROM epoch", "KEY06"),
    ],
)
def test_the_key_store_refuses_by_itself(site: VaultSite, statement: str, code: str) -> None:
    site.people(1)

    with pytest.raises(RuleBroken) as refusal, site.store.database.write() as tx:
        tx.execute(text(statement))

    assert refusal.value.code == code
