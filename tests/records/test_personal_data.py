"""The one door for personal data: sealed under its own key, and nothing in clear beside it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from records.database import Database
from records.errors import Erased, RuleBroken
from records.officers import Role
from records.personal_data import DamagedData, PersonalData
from records.tables import data_key, doomed_key, subject
from server.clock import utc_now
from tests.support.stores import Stores, a_person
from tests.support.vault import key_store_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VALUE = "Kirsten Ødegaard, Prøvevej 1".encode()


@pytest.fixture
def personal(database: Database) -> PersonalData:
    with database.write() as tx:
        for name in ("subject-1", "subject-2"):
            tx.execute(insert(subject).values(id=name, kind="x", state="active", created_at=NOW))
    return PersonalData(key_store_of(database))


def sealed(database: Database, personal: PersonalData, purpose: str = "core") -> bytes:
    with database.write() as tx:
        return personal.seal(tx, "subject-1", purpose, VALUE)


def opened(
    database: Database, personal: PersonalData, value: bytes, of: str = "subject-1"
) -> bytes:
    with database.read() as tx:
        return personal.open(tx, of, "core", value)


def test_what_is_sealed_is_opened(database: Database, personal: PersonalData) -> None:
    assert opened(database, personal, sealed(database, personal)) == VALUE


def test_the_same_value_is_never_sealed_alike(database: Database, personal: PersonalData) -> None:
    assert sealed(database, personal) != sealed(database, personal)


@pytest.mark.parametrize("position", [0, 11, 12, -1])
def test_an_altered_octet_is_noticed(
    database: Database, personal: PersonalData, position: int
) -> None:
    value = bytearray(sealed(database, personal))
    value[position] ^= 1

    with pytest.raises(DamagedData):
        opened(database, personal, bytes(value))


@pytest.mark.parametrize("length", [0, 1, 12, 27])
def test_a_value_that_was_cut_off_is_noticed(
    database: Database, personal: PersonalData, length: int
) -> None:
    value = sealed(database, personal)

    with pytest.raises(DamagedData):
        opened(database, personal, value[:length])


def test_the_value_of_another_subject_does_not_open(
    database: Database, personal: PersonalData
) -> None:
    value = sealed(database, personal)
    with database.write() as tx:
        personal.seal(tx, "subject-2", "core", b"of her own")

    with pytest.raises(DamagedData):
        opened(database, personal, value, of="subject-2")


def test_a_key_is_never_given_to_another_subject_or_purpose(
    database: Database, personal: PersonalData
) -> None:
    sealed(database, personal)

    for subject_id, purpose in (("subject-2", "core"), ("subject-1", "evidence")):
        with pytest.raises(RuleBroken) as refusal, database.write() as tx:
            tx.execute(
                text("INSERT INTO data_key SELECT :subject, :purpose, key_ref FROM data_key"),
                {"subject": subject_id, "purpose": purpose},
            )
        assert refusal.value.code == "PKI16"


def test_a_value_whose_key_was_destroyed_is_erased(
    database: Database, personal: PersonalData
) -> None:
    value = sealed(database, personal)
    sealed(database, personal, "evidence")
    with database.write() as tx:
        tx.execute(update(subject).values(state="erasing"))
        assert personal.destroy(tx, "subject-1") == 2

    with pytest.raises(Erased):
        opened(database, personal, value)


def test_no_new_key_is_made_for_a_subject_that_is_being_erased(
    database: Database, personal: PersonalData
) -> None:
    with database.write() as tx:
        tx.execute(update(subject).values(state="erasing"))

    with pytest.raises(RuleBroken) as refusal:
        sealed(database, personal)
    assert refusal.value.code == "PKI13"


def test_a_purpose_nobody_declared_is_a_mistake(database: Database, personal: PersonalData) -> None:
    with pytest.raises(ValueError, match="no purpose"):
        sealed(database, personal, "curiosity")


@pytest.mark.parametrize("engine", ["sqlite"])
def test_no_name_stands_in_the_file_of_the_database(database: Database) -> None:
    stores = Stores(database)
    canary = "Kanariefuglen"
    stores.officer(Role.AUDITOR, utc_now(), name=f"Ole {canary}")
    person = a_person(stores)
    stores.revoked(person.certificate, utc_now())
    path = Path(str(database.engine.url.database))
    surname = person.application.applicant.claim.surname.value

    written = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))

    assert person.subject_id.encode() in written
    for name in (canary, surname, "2512489996", person.application.applicant.serial_number):
        assert name.encode() not in written


def test_keys_of_some_purposes_die_and_the_others_stay(
    database: Database, personal: PersonalData
) -> None:
    value = sealed(database, personal)
    sealed(database, personal, "evidence")
    sealed(database, personal, "contact")
    with database.write() as tx:
        tx.execute(update(subject).values(state="erasing"))
        assert personal.destroy(tx, "subject-1", {"evidence", "contact"}) == 2

    assert opened(database, personal, value) == VALUE


def test_a_key_that_died_leaves_its_reference_however_it_was_deleted(
    database: Database, personal: PersonalData
) -> None:
    sealed(database, personal)
    with database.write() as tx:
        ref = tx.execute(select(data_key.c.key_ref)).scalar_one()
        tx.execute(update(subject).values(state="erasing"))
        tx.execute(text("DELETE FROM data_key"))

    with database.read() as tx:
        assert tx.execute(select(doomed_key.c.key_ref)).scalars().all() == [ref]


def test_what_is_derived_depends_on_subject_purpose_and_label_and_ends_with_the_key(
    database: Database, personal: PersonalData
) -> None:
    with database.write() as tx:
        first = personal.derive(tx, "subject-1", "audit", b"7")
        assert first == personal.derive(tx, "subject-1", "audit", b"7")
        others = {
            personal.derive(tx, "subject-1", "audit", b"8"),
            personal.derive(tx, "subject-1", "core", b"7"),
            personal.derive(tx, "subject-2", "audit", b"7"),
        }
        assert len(first) == 32
        assert len({first} | others) == 4
        tx.execute(update(subject).values(state="erasing"))
        personal.destroy(tx, "subject-1")
    with pytest.raises(RuleBroken), database.write() as tx:
        personal.derive(tx, "subject-1", "audit", b"7")
