"""The index of people: found by keyed digests, forgotten with the person, outside of backups."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text

from records.database import Database
from records.search_index import SearchBy, SearchIndex, index_database, name_terms

pytestmark = pytest.mark.served

NANCY = (*name_terms("Nancy Ann", "Ågård"), (SearchBy.CPR, "251248-9996"))


class SoftwareKey:
    """Wraps as the token does: nonce, ciphertext and tag."""

    def __init__(self) -> None:
        self._cipher = AESGCM(os.urandom(32))

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, plaintext, associated_data)

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        return self._cipher.decrypt(ciphertext[:12], ciphertext[12:], associated_data)


@pytest.fixture
def index(database: Database, tmp_path: Path) -> Iterator[SearchIndex]:
    key = SoftwareKey()
    made = SearchIndex(index_database(database, tmp_path), lambda: key)
    yield made
    made.database.close()


def test_a_person_is_found_however_the_value_is_written(index: SearchIndex) -> None:
    index.add("subject-1", NANCY)

    assert index.find(SearchBy.CPR, "2512489996") == ("subject-1",)
    assert index.find(SearchBy.NAME, "  nancy ann ÅGÅRD ") == ("subject-1",)
    assert index.find(SearchBy.NAME, "a\u030agård") == ("subject-1",)
    assert index.find(SearchBy.MAIL, "2512489996") == ()
    assert index.find(SearchBy.NAME, "Nancy") == ()


def test_two_people_of_one_name_are_both_found(index: SearchIndex) -> None:
    for subject in ("subject-2", "subject-1", "subject-1"):
        index.add(subject, name_terms("Ole", "Olsen"))

    assert index.find(SearchBy.NAME, "Olsen") == ("subject-1", "subject-2")


def test_who_is_forgotten_is_found_no_more(index: SearchIndex) -> None:
    index.forget("subject-1")
    index.add("subject-1", NANCY)
    index.forget("subject-1")

    assert index.find(SearchBy.CPR, "2512489996") == ()


def test_an_index_made_anew_holds_who_is_there_under_a_new_key(index: SearchIndex) -> None:
    index.add("subject-1", NANCY)
    digests = set(_digests(index))

    assert index.rebuild({"subject-2": NANCY}) == 1
    assert index.find(SearchBy.CPR, "2512489996") == ("subject-2",)
    assert not digests & set(_digests(index))


def test_an_index_without_its_key_is_empty_and_begins_anew(index: SearchIndex) -> None:
    index.add("subject-1", NANCY)
    with index.database.write() as tx:
        tx.execute(text(f"DELETE FROM {_place(index)}index_key"))  # noqa: S608

    assert index.find(SearchBy.CPR, "2512489996") == ()
    index.add("subject-1", NANCY)
    assert index.find(SearchBy.CPR, "2512489996") == ("subject-1",)


def test_no_value_and_no_key_stands_in_it(index: SearchIndex) -> None:
    index.add("subject-1", NANCY)

    assert all(len(digest) == 32 for digest in _digests(index))
    with index.database.read() as tx:
        wrapped = tx.execute(text(f"SELECT wrapped FROM {_place(index)}index_key")).scalar_one()  # noqa: S608
    assert len(wrapped) == 12 + 32 + 16


def test_it_lies_outside_of_the_records_and_their_backups(
    index: SearchIndex, database: Database, tmp_path: Path
) -> None:
    index.add("subject-1", NANCY)

    if database.dialect == "sqlite":
        assert index.database is not database
        assert (tmp_path / "index.sqlite").is_file()
    else:
        with database.read() as tx:
            kinds = tx.execute(
                text(
                    "SELECT relname, relpersistence FROM pg_class c JOIN pg_namespace n"
                    " ON n.oid = c.relnamespace WHERE nspname = 'tillid_index' AND relkind = 'r'"
                )
            ).all()
        assert {tuple(row) for row in kinds} == {("entry", "u"), ("index_key", "u")}


def _place(index: SearchIndex) -> str:
    return "tillid_index." if index.database.dialect == "postgresql" else ""


def _digests(index: SearchIndex) -> list[bytes]:
    with index.database.read() as tx:
        found = tx.execute(text(f"SELECT digest FROM {_place(index)}entry"))  # noqa: S608
        return [bytes(row.digest) for row in found]
