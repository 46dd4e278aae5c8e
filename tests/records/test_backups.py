"""Backups: whole or refused, open for the living only, and brought up to date when put back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import inspect, text

from ca.identifiers import SerialNumber
from hsm.errors import KeyNotFound
from records.backup_file import decrypted, encrypt_to, make_backup_key, read_backup_key
from records.backup_proof import prove
from records.backups import create_backup, load_dump, opened_backup
from records.database import Database
from records.errors import BackupRefused, Erased
from records.key_snapshots import Snapshots, probe
from records.restoring import Restoring
from records.schema import check_schema
from records.sealing import Vault
from records.search_index import INDEX_SCHEMA, SearchBy, SearchIndex, index_database
from revocation.foreign_crls import read_crl
from revocation.reasons import Reason
from revocation.status import Good, Revoked
from server.clock import utc_now
from tests.support.databases import Databases, take_away
from tests.support.erasures import administrators, ready
from tests.support.stores import ISSUING, Person, Stores, a_person, place_of, server_order

pytestmark = pytest.mark.served

KEY = bytes(range(32))


@pytest.mark.parametrize("octets", [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_what_was_encrypted_is_decrypted(tmp_path: Path, octets: int) -> None:
    path = tmp_path / "a.backup"
    given = bytes(octets)
    encrypt_to(path, [given[:100], given[100:]], KEY)

    assert b"".join(decrypted(path, KEY)) == given
    assert (path.stat().st_mode & 0o777) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", [0, 20, 60, 300, -1])
def test_an_altered_octet_anywhere_is_refused(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.backup"
    encrypt_to(path, [bytes(1000)], KEY)
    altered = bytearray(path.read_bytes())
    altered[place] ^= 1
    path.write_bytes(altered)

    with pytest.raises(BackupRefused):
        list(decrypted(path, KEY))


def test_a_backup_that_was_cut_off_or_shuffled_is_refused(tmp_path: Path) -> None:
    path, chunk = tmp_path / "a.backup", (1 << 20) + 16 + 4
    encrypt_to(path, [bytes(3 << 20)], KEY)
    whole = path.read_bytes()
    start = len(whole) - 3 * chunk
    first, second, third = (whole[start + n * chunk :][:chunk] for n in range(3))
    for octets in (
        b"",
        whole[:10],
        whole[:start],
        whole[:-chunk],
        whole[:-1],
        whole[:start] + second + first + third,
        whole[:start] + first + third,
        whole + third,
    ):
        path.write_bytes(octets)
        with pytest.raises(BackupRefused) as refusal:
            list(decrypted(path, KEY))
        assert refusal.value.rule == "BACKUP_WHOLE"


def test_another_key_or_a_file_that_holds_none_is_refused(tmp_path: Path) -> None:
    path, key = tmp_path / "a.backup", tmp_path / "backup.key"
    make_backup_key(key)
    encrypt_to(path, [b"records"], read_backup_key(key))
    with pytest.raises(BackupRefused, match="does not open with this key"):
        list(decrypted(path, KEY))
    with pytest.raises(BackupRefused, match="there already"):
        make_backup_key(key)
    for text_of in ("", "not hexadecimal", "00" * 31):
        key.write_text(text_of)
        with pytest.raises(BackupRefused):
            read_backup_key(key)


@contextmanager
def restored(
    databases: Databases, engine: str, stores: Stores, backup: Path
) -> Iterator[tuple[Database, Stores]]:
    """The backup in a database of its own, with the key store in force."""
    with databases.empty(engine) as database, opened_backup(backup, KEY) as (manifest, dump):
        load_dump(manifest, dump, database)
        check_schema(database)
        again = Stores(database, stores.roots, stores.issuer_key)
        again.use(stores.key_store)
        yield database, again


def erase(stores: Stores, person: Person) -> None:
    """As the saga does, with everything seen."""
    now = utc_now()
    place = stores.revoked(person.certificate, now)
    stores.observe_all(place, now)
    stores.withdraw_all(now)
    case = ready(stores, person.subject_id, administrators(stores, now), now)
    assert stores.erasures.destroy(case, now) is not None


def test_an_old_backup_opens_for_the_living_and_brings_nobody_back(
    databases: Databases, database: Database, engine: str, tmp_path: Path
) -> None:
    stores = Stores(database)
    places = Snapshots((tmp_path / "one", tmp_path / "two"))
    vault = Vault(database, stores.key_store, places)
    living, leaving, erased = (a_person(stores) for _ in range(3))
    stores.publish_all(utc_now())
    stores.crl(utc_now())
    vault.seal(utc_now())
    (kept, _) = places.newest()
    old_keys = tmp_path / "kept.sqlite"
    old_keys.write_bytes(kept.read_bytes())
    backup = tmp_path / "old.backup"
    manifest = create_backup(database, backup, KEY, vault.current_epoch(), utc_now())
    assert (manifest.crl_numbers, manifest.epoch) == ({str(ISSUING): 1}, 1)
    assert prove_in(databases, engine, stores, backup, database) == (True, 0)

    later = stores.issue(server_order(), utc_now())
    for certificate in (leaving.certificate, later):
        stores.revoked(certificate, utc_now())
    stores.crl(utc_now())
    erase(stores, erased)
    published = stores.crl_octets(utc_now())
    vault.seal(utc_now())

    with pytest.raises(KeyNotFound):
        probe(old_keys, (stores.roots,))
    holds, unreadable = prove_in(databases, engine, stores, backup, database)
    assert holds
    assert unreadable > 0
    with restored(databases, engine, stores, backup) as (again, old):
        bring_up(again, old, published)
        body = old.certificates.body(*living.place)
        assert body.serial_number == living.certificate.serial_number
        with pytest.raises(Erased):
            old.certificates.body(*erased.place)
        assert isinstance(old.statuses.status_of(*living.place), Good)
        for gone in (leaving.certificate, later, erased.certificate):
            assert isinstance(old.statuses.status_of(*place_of(gone)), Revoked)
        number, listed = next_crl(old)
        assert number == 4
        assert {leaving.place[1], place_of(later)[1], erased.place[1]} <= listed
        with again.read() as tx:
            state = text("SELECT state FROM subject WHERE id = :id")
            assert tx.execute(state, {"id": erased.subject_id}).scalar_one() == "erasing"
            assert tx.execute(state, {"id": living.subject_id}).scalar_one() == "active"


def next_crl(stores: Stores) -> tuple[int, set[SerialNumber]]:
    """Number and serial numbers of the CRL that is issued next."""
    found = x509.load_der_x509_crl(stores.crl_octets(utc_now() + timedelta(seconds=1)))
    number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return number, {SerialNumber(each.serial_number) for each in found}


def bring_up(database: Database, old: Stores, published: bytes) -> None:
    """Relearn from the newest CRL, twice: the second time there is nothing left."""
    restoring = Restoring(database, old.key_store)
    authority = old.issuers.get(ISSUING).certificate
    assert authority is not None
    crl, ends = read_crl(published, authority), authority.not_valid_after_utc
    first = restoring.relearn(ISSUING, crl, ends, utc_now())
    assert (first.number, first.behind, first.revoked, first.unknown) == (3, 2, 2, 1)
    again = restoring.relearn(ISSUING, crl, ends, utc_now())
    assert (again.behind, again.revoked, again.unknown) == (0, 0, 0)
    (gone,) = restoring.erased()
    assert restoring.close_off([gone], utc_now()) == 1
    assert restoring.close_off([gone], utc_now()) == 0


def prove_in(
    databases: Databases, engine: str, stores: Stores, backup: Path, in_force: Database
) -> tuple[bool, int]:
    """Whether the proof holds, and how many keys do not open."""
    with restored(databases, engine, stores, backup) as (copy, _):
        proof = prove(copy, in_force, stores.key_store)
    return proof.holds, proof.unreadable


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_proof_fails_for_an_erased_person_who_opens_and_for_plain_text(
    database: Database, tmp_path: Path, databases: Databases, engine: str
) -> None:
    stores = Stores(database)
    person = a_person(stores)
    backup = tmp_path / "a.backup"
    create_backup(database, backup, KEY, 1, utc_now())
    with restored(databases, engine, stores, backup) as (copy, _):
        with database.write() as tx:
            take_away(tx, "pki15")
            take_away(tx, "pki35")
            stores.personal.destroy(tx, person.subject_id)
        # The reference is doomed, and the key store was not told yet.
        proof = prove(copy, database, stores.key_store)
        assert not proof.holds
        assert proof.erased_but_readable > 0
        Vault(database, stores.key_store, Snapshots(())).drop_doomed()
        assert prove(copy, database, stores.key_store).holds
        with copy.write() as tx:
            take_away(tx, "ra07")
            tx.execute(text("UPDATE officer SET sealed_name = 'Ole Officer of Odense'"))
        assert prove(copy, database, stores.key_store).in_clear == {"officer.sealed_name": 2}


def test_a_backup_is_put_into_an_empty_database_of_its_engine_alone(
    database: Database, tmp_path: Path, databases: Databases, engine: str
) -> None:
    backup = tmp_path / "a.backup"
    create_backup(database, backup, KEY, 0, utc_now())
    other = "sqlite" if engine == "postgresql" else "postgresql"
    with opened_backup(backup, KEY) as (manifest, dump):
        with pytest.raises(BackupRefused, match="not empty"):
            load_dump(manifest, dump, database)
        with databases.empty(other) as foreign, pytest.raises(BackupRefused, match="the backup is"):
            load_dump(manifest, dump, foreign)


class NoWrapping:
    """Stands for the key in the token; what it wraps is not looked at here."""

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        return associated_data + plaintext

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        return ciphertext.removeprefix(associated_data)


def test_no_backup_holds_the_index_of_people(
    database: Database, tmp_path: Path, databases: Databases, engine: str
) -> None:
    index = SearchIndex(index_database(database, tmp_path), NoWrapping)
    index.add("subject-c0ffee00c0ffee00", [(SearchBy.NAME, "Canary Kanariefugl")])
    assert index.find(SearchBy.NAME, "Canary Kanariefugl") == ("subject-c0ffee00c0ffee00",)
    backup = tmp_path / "a.backup"
    create_backup(database, backup, KEY, 0, utc_now())

    with databases.empty(engine) as copy, opened_backup(backup, KEY) as (manifest, dump):
        octets = dump.read_bytes()
        assert b"c0ffee00c0ffee00" not in octets
        assert INDEX_SCHEMA.encode() not in octets
        load_dump(manifest, dump, copy)
        with copy.read() as tx:
            found = inspect(tx)
            schemas = found.get_schema_names()
            assert not {"entry", "index_key"} & set(found.get_table_names())
        assert INDEX_SCHEMA not in schemas


def test_the_reasons_of_a_published_crl_are_kept(database: Database) -> None:
    stores = Stores(database)
    stores.issuer()
    places = [place_of(stores.issue(server_order(), utc_now())) for _ in range(2)]
    authority = stores.issuers.get(ISSUING).certificate
    assert authority is not None
    published = read_crl(stores.crl_octets(utc_now()), authority)
    at = utc_now().replace(microsecond=0) - timedelta(hours=1)
    published.entries[places[0][1]] = (Reason.KEY_COMPROMISE, at)
    published.entries[places[1][1]] = (Reason.CERTIFICATE_HOLD, at)

    restoring = Restoring(database, stores.key_store)
    restoring.relearn(ISSUING, published, authority.not_valid_after_utc, utc_now())

    first, second = (stores.statuses.status_of(*place) for place in places)
    assert isinstance(first, Revoked)
    assert isinstance(second, Revoked)
    assert (first.reason, first.at) == (Reason.KEY_COMPROMISE, at)
    assert second.reason is Reason.CERTIFICATE_HOLD
