"""The file of one person: everything about that person, and nobody else by name."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from audit.events import parse_header
from gdpr_erasure.cases import CaseState, Refusal, step
from gdpr_erasure.person_file import Asking, Collection, Datum, PersonFile, Record
from gdpr_erasure.processing import Source
from gdpr_erasure.record_classes import RecordClass
from ra.applications import Application
from ra.documents import personal_document
from records.audit_log import audit_log
from records.database import Database
from records.errors import NotFound
from records.officers import Role
from records.person_fields import APPLICATION_MEMBERS, flat, member_of_application
from records.person_files import PersonFiles
from records.person_rooms import LEFT_OUT, ROOMS
from records.tables import metadata
from records.tables.base import Personal, in_data_map
from server.clock import utc_now
from tests.support import ra_builders
from tests.support.case_records import CaseRoom
from tests.support.stores import Stores, a_person


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def file_of(stores: Stores, subject_id: str) -> PersonFile:
    return PersonFiles(stores.database, stores.personal).of(asking(subject_id))


def asking(subject_id: str) -> Asking:
    return Asking(subject_id, "system:operator", "access-1", utc_now())


def values(file: PersonFile, kind: str) -> dict[str, object]:
    (record, *_) = [one for one in file.records if one.kind == kind]
    return {one.name: one.value for one in record.data}


def test_every_table_with_personal_data_is_collected_or_left_out_with_a_reason() -> None:
    with_personal = {
        table.name
        for table in metadata.sorted_tables
        if any(isinstance(in_data_map(each), Personal) for each in table.columns)
    }
    rooms = {room.kind for room in ROOMS}

    assert rooms | set(LEFT_OUT) == with_personal
    assert rooms & set(LEFT_OUT) == set()


def test_every_sealed_column_of_a_room_is_opened() -> None:
    for room in ROOMS:
        sealed = {one.name for one in room.table.columns if one.name.startswith("sealed_")}

        assert set(room.sealed) == sealed


def test_every_member_of_an_application_is_known_by_class_and_source() -> None:
    for name, _ in flat(personal_document(ra_builders.verified())):
        member_of_application(name)
    members = {each.name for each in fields(Application)}

    assert {prefix.split(".")[0] for prefix, _ in APPLICATION_MEMBERS} <= members
    with pytest.raises(KeyError):
        member_of_application("shoe_size")


def test_what_was_sealed_is_told_field_by_field(stores: Stores) -> None:
    person = a_person(stores)
    file = file_of(stores, person.subject_id)
    told, certificate = values(file, "application"), values(file, "certificate")

    claim = person.application.applicant.claim
    assert claim.cpr_number is not None
    assert told["applicant.claim.cpr_number"] == claim.cpr_number.value
    assert told["evidence[1].mrz_lines[1]"] == person.application.evidence[0].mrz_lines[0]
    assert told["acceptances[1].read"] is True
    assert certificate["subject.surname"] == claim.surname.value
    assert certificate["extension.keyUsage"] == "digital_signature, content_commitment"
    assert certificate["status"] == "issued"
    assert values(file, "consent")["state"] == "given"
    assert file.attachments[f"certificates/issuing-{person.place[1].hex}.pem"].startswith(b"-----")


def test_officers_are_told_by_their_role_alone(stores: Stores) -> None:
    person = a_person(stores)
    whole = file_of(stores, person.subject_id).collections[0].content.decode()

    assert values(file_of(stores, person.subject_id), "approval")["officer_id"] == (
        "approving_officer"
    )
    for officer, name in stores.officers.all():
        assert not {officer.id, officer.person_id, officer.subject_id, name} & set(
            json.dumps(whole).split('"')
        )
        assert officer.id not in whole
        assert name not in whole


def test_an_officer_who_asks_is_told_the_own_name(stores: Stores) -> None:
    officer = stores.officer(Role.AUDITOR, utc_now(), "Åse Ængstelig")
    file = file_of(stores, officer.subject_id)

    assert values(file, "officer")["name"] == "Åse Ængstelig"
    assert values(file, "officer")["id"] == officer.id
    assert values(file, "certificate")["subject.pseudonym"] == officer.id


def test_nothing_of_another_person_is_in_it(stores: Stores) -> None:
    one, other = a_person(stores), a_person(stores)
    whole = file_of(stores, one.subject_id).collections[0].content.decode()

    assert one.place[1].hex in whole
    assert other.place[1].hex not in whole
    assert other.application.id not in whole


def test_recipients_are_those_who_were_told_with_their_times(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    stores.publish_all(now)
    shown = file_of(stores, person.subject_id).disclosures
    stores.revoked(person.certificate, now)
    stores.withdraw_all(now)
    ended = file_of(stores, person.subject_id).disclosures

    (directory,) = [one for one in shown if one.recipient == "directory:main"]
    assert (directory.at, directory.ended) == (now, None)
    assert any(one.recipient.startswith("register:") and one.at for one in shown)
    assert [one.ended for one in ended if one.recipient == "directory:main"] == [now]


def test_a_person_who_is_not_there_has_no_file(stores: Stores) -> None:
    with pytest.raises(NotFound):
        file_of(stores, "subject-0000000000000000")


def test_what_may_be_taken_along_was_provided_on_consent_or_contract(stores: Stores) -> None:
    person = a_person(stores)
    names = {
        one.name for each in file_of(stores, person.subject_id).portable() for one in each.data
    }

    assert "applicant.claim.given_name" in names
    assert "certificate_pem" in names
    assert not {name for name in names if name.startswith(("checks", "evidence", "proofing"))}


class Parrot:
    """A collector that says one thing about everybody."""

    name = "parrot"

    def __init__(self, said: str) -> None:
        self._said = said

    def collect(self, asked: Asking) -> Collection:
        datum = Datum("said", self._said, Source.OFFICER, RecordClass.CASE_FILE)
        return Collection(self.name, (Record("speech", asked.subject_id, (datum,)),))


def test_a_further_collector_is_asked_and_its_words_are_masked(stores: Stores) -> None:
    officer = stores.officer(Role.AUDITOR, utc_now())
    person = a_person(stores)
    said = f"seen by {officer.id}"

    files = PersonFiles(stores.database, stores.personal, [Parrot(said)])
    file = files.of(asking(person.subject_id))

    assert [each.name for each in file.collections] == ["records", "audit", "parrot"]
    assert values(file, "speech")["said"] == "seen by auditor"


def test_the_checksum_is_of_all_that_was_collected(stores: Stores) -> None:
    person = a_person(stores)
    first, second = (file_of(stores, person.subject_id).collections[0] for _ in range(2))
    fewer = replace(first, records=first.records[:-1])

    assert (first.checksum, first.count) == (second.checksum, second.count)
    assert fewer.checksum != first.checksum
    assert fewer.count == first.count - 1


def test_what_was_collected_is_read_again_as_it_was(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    stores.publish_all(now)
    for each in file_of(stores, person.subject_id).collections:
        again = Collection.read(each.name, each.content)

        assert again == each
        assert again.checksum == each.checksum


def test_what_the_log_says_of_a_person_is_collected_and_that_is_told(stores: Stores) -> None:
    person = a_person(stores)
    file = file_of(stores, person.subject_id)
    (records, audit) = file.collections
    told = {one.value for record in audit.records for one in record.data}
    with audit_log(stores.database) as log:
        headers = [parse_header(entry.header) for entry in log.entries(0)]

    assert records.name == "records"
    assert person.application.applicant.claim.surname.value in told
    assert {one.record_class for record in audit.records for one in record.data} == {
        RecordClass.ACCESS_LOG
    }
    last = headers[-1].event
    assert (last.type, last.object_id) == ("audit.payloads_opened", "access-1")
    assert last.details == {"purpose": "data-subject-request", "payloads": audit.count}


def test_only_the_classes_that_were_asked_for_are_told(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    stores.publish_all(now)
    (whole, _) = file_of(stores, person.subject_id).collections
    narrow = whole.within(frozenset({RecordClass.PUBLICATION}))

    assert {one.record_class for each in narrow.records for one in each.data} == {
        RecordClass.PUBLICATION
    }
    assert narrow.disclosures == whole.disclosures
    assert whole.within(frozenset({RecordClass.CONTACT})).disclosures == ()
    assert whole.within(frozenset()) is whole


def test_a_printed_field_does_not_show_its_value() -> None:
    datum = Datum("name", "Nancy", Source.DATA_SUBJECT, RecordClass.CONTACT)
    file = PersonFile("subject-1", datetime(2026, 1, 1, tzinfo=UTC), ())

    assert "Nancy" not in repr(datum)
    assert file.classes == ()


def test_a_case_of_the_person_is_told_with_its_refusal_and_its_files(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    room = CaseRoom(stores, now)
    room.submitted(person.subject_id, added_by=stores.officer(Role.CASE_MANAGER, now).id)
    case = room.assessing(person.subject_id)
    refusal = Refusal("Ikke Dem", "Datatilsynet", "Byretten")
    refused = (case, step(case, CaseState.REFUSED, now))
    stores.cases.refuse(refused, refusal, room.manager.officer_id, now)
    file = file_of(stores, person.subject_id)
    told = [one for record in file.records for one in record.data if record.kind == "subject_case"]

    assert {"Ikke Dem", "Datatilsynet", "Byretten"} <= {one.value for one in told}
    assert "case_manager" in {one.value for one in told}
    assert room.manager.officer_id not in file.collections[0].content.decode()
    assert values(file, "case_file")["file_name"]
