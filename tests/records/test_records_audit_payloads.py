"""Payloads where they are kept: ended with the person, dropped in time, and missed when stolen."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import insert, select, text, update

from audit.errors import Break, ChainBroken, ClockBehind
from audit.events import Detail, Event
from audit.log import Extent, Verification, make_head, verify_log
from audit.payload_watch import PayloadWatch
from audit.payloads import DROPPED, Payload, Purpose
from audit.retention import Retention, RetentionPeriods
from records.audit_log import append, audit_log
from records.audit_payloads import (
    AuditKeys,
    OpenedPayload,
    Opening,
    Told,
    append_told,
    erase_payloads,
    open_for,
    sealed_payloads,
)
from records.audit_retention import plan_retention, retain
from records.database import Database
from records.errors import NotFound, RuleBroken
from records.personal_data import DamagedData, PersonalData
from records.tables import audit_event, audit_payload, subject
from tests.support.at_once import at_once
from tests.support.databases import take_away
from tests.support.vault import key_store_of

ORIGIN = "tillid/audit"
KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
SUBJECTS = ("subject-anne", "subject-bent")
FIVE = RetentionPeriods(5, 5)


class Log:
    """A log about two persons."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.personal = PersonalData(key_store_of(database))
        with database.write() as tx:
            for name in SUBJECTS:
                row = {"id": name, "kind": "x", "state": "active", "created_at": NOW}
                tx.execute(insert(subject).values(row))

    def tell(self, *subjects: str, at: datetime = NOW) -> int:
        told = Told(
            Event("case.closed", "system:job", "case/1", {}),
            tuple(Payload(name, {"name": f"Name of {name}"}) for name in subjects),
        )
        with self.database.write() as tx:
            return append_told(tx, [told], self.personal, at)

    def erase(self, name: str, *, declared: bool = True) -> int:
        with self.database.write() as tx:
            tx.execute(update(subject).where(subject.c.id == name).values(state="erasing"))
            self.personal.destroy(tx, name)
            gone = erase_payloads(tx, name)
            details: dict[str, Detail] = {DROPPED: gone} if declared else {}
            append(tx, Event("erasure.destroyed", "system:job", "E-1", details), NOW)
        return gone

    def seal(self, at: datetime = NOW) -> None:
        with audit_log(self.database) as log:
            assert make_head(log, KEY, at, bytes(32), ORIGIN) is not None

    def verify(self, *, keys: bool = True, since: int | None = None) -> Verification:
        with audit_log(self.database) as log:
            head = None if since is None else log.head_of(since)
            rows = sealed_payloads(log.view, since or 0)
            opened = AuditKeys(log.view, self.personal) if keys else None
            watch = PayloadWatch(rows, opened, whole=head is None)
            return verify_log(log, KEY.public_key(), ORIGIN, Extent((), head, watch))

    def broken(self, *, keys: bool = True) -> tuple[int, Break]:
        with pytest.raises(ChainBroken) as found:
            self.verify(keys=keys)
        return found.value.position, found.value.reason

    def open(self, sequence: int, purpose: Purpose) -> tuple[OpenedPayload, ...]:
        opening = Opening("officer-3f2a9c01", purpose, NOW)
        return open_for(self.database, self.personal, sequence, opening)

    def without(self, guard: str, *statements: str) -> None:
        with self.database.write() as tx:
            take_away(tx, guard)
            for statement in statements:
                tx.execute(text(statement))

    def plan(self, now: datetime, periods: RetentionPeriods = FIVE) -> Retention:
        with audit_log(self.database) as log:
            return plan_retention(log, periods, now)


@pytest.fixture
def log(database: Database) -> Log:
    return Log(database)


def test_payloads_of_both_subjects_verify_and_open(log: Log) -> None:
    sequence = log.tell(*SUBJECTS)
    log.seal()
    assert log.verify().size == 1
    found = log.open(sequence, Purpose.DISPUTE)
    assert [json.loads(each.content) for each in found] == [
        {"name": f"Name of {name}"} for name in SUBJECTS
    ]


def test_that_a_payload_was_opened_and_for_what_is_in_the_log(log: Log) -> None:
    log.tell(SUBJECTS[0])
    log.open(0, Purpose.INCIDENT)
    with audit_log(log.database) as entries:
        (told,) = entries.page(1, 2)
    fields = json.loads(told.header)
    assert (fields["e"], fields["a"], fields["o"]) == (
        "audit.payload_opened",
        "officer-3f2a9c01",
        "audit/0",
    )
    assert fields["d"] == {"payloads": 1, "purpose": "incident"}


def test_what_is_not_there_to_open_is_told_nowhere(log: Log) -> None:
    log.tell()
    log.tell(SUBJECTS[0])
    log.erase(SUBJECTS[0])
    for sequence in (0, 1, 2, 99):
        with pytest.raises(NotFound):
            log.open(sequence, Purpose.AUDIT)
    assert log.verify().size == 3


def test_an_altered_payload_is_not_opened(log: Log) -> None:
    log.tell(SUBJECTS[0])
    log.without("aud05", "UPDATE audit_payload SET sealed = (SELECT header FROM audit_event)")
    with pytest.raises(DamagedData):
        log.open(0, Purpose.AUDIT)
    assert log.broken() == (0, Break.PAYLOAD_ALTERED)


def test_neither_name_nor_subject_stands_in_any_header(log: Log) -> None:
    log.tell(*SUBJECTS)
    with log.database.read() as tx:
        octets = b"".join(tx.execute(select(audit_event.c.header)).scalars())
        sealed = b"".join(tx.execute(select(audit_payload.c.sealed)).scalars())
    for name in SUBJECTS:
        assert name.encode() not in octets + sealed


def test_whoever_is_erased_leaves_a_log_that_verifies(log: Log) -> None:
    for _ in range(3):
        log.tell(*SUBJECTS)
    log.seal()
    assert log.erase(SUBJECTS[0]) == 3
    log.seal()
    assert log.verify().size == 4
    assert log.verify(keys=False, since=3).size == 4
    with log.database.read() as tx:
        left = tx.execute(select(audit_payload.c.subject_id)).scalars().all()
    assert left == [SUBJECTS[1]] * 3


def test_whoever_tells_of_a_person_while_she_is_erased_comes_before_or_not_at_all(
    log: Log,
) -> None:
    def tell() -> bool:
        try:
            log.tell(SUBJECTS[0])
        except RuleBroken as refusal:
            return refusal.code not in {"AUD04", "PKI13"}
        return True

    log.tell(SUBJECTS[0])
    with log.database.write() as tx:
        tx.execute(update(subject).where(subject.c.id == SUBJECTS[0]).values(state="erasing"))
    told = at_once([tell, tell, lambda: log.erase(SUBJECTS[0]) > 0, tell])
    assert told[2]
    assert log.verify().size == 2 + sum((told[0], told[1], told[3]))


def test_an_erasure_that_tells_nothing_is_found(log: Log) -> None:
    log.tell(SUBJECTS[1])
    log.tell(SUBJECTS[0])
    log.erase(SUBJECTS[0], declared=False)
    assert log.broken(keys=False) == (1, Break.PAYLOAD_GONE)


def test_nothing_is_added_to_an_erasing_subject_or_one_that_is_gone(log: Log) -> None:
    log.erase(SUBJECTS[0])
    with pytest.raises(RuleBroken) as refusal:
        log.tell(SUBJECTS[0])
    assert refusal.value.code == "PKI13"
    assert log.verify().size == 1


def test_an_event_and_its_payloads_are_there_together_or_not_at_all(log: Log) -> None:
    def tell_and_fail() -> None:
        with log.database.write() as tx:
            told = Told(Event("a.b", "system:job", "x", {}), (Payload(SUBJECTS[0], {"a": 1}),))
            append_told(tx, [told], log.personal, NOW)
            raise LookupError

    with pytest.raises(LookupError):
        tell_and_fail()
    assert log.tell(SUBJECTS[0]) == 0
    assert log.verify().size == 1


TAMPERINGS: dict[str, tuple[str, str, tuple[int, Break]]] = {
    "deleted": ("aud05", "DELETE FROM audit_payload WHERE sequence = 2", (2, Break.PAYLOAD_GONE)),
    "moved": (
        "aud05",
        "UPDATE audit_payload SET sequence = 3 WHERE sequence = 2",
        (3, Break.PAYLOAD_ADDED),
    ),
    "swapped": (
        "aud05",
        (
            "UPDATE audit_payload SET sealed = (SELECT p.sealed FROM audit_payload p"
            " WHERE p.sequence = 4) WHERE sequence = 2"
        ),
        (2, Break.PAYLOAD_ALTERED),
    ),
    "given to another": (
        "aud05",
        "UPDATE audit_payload SET subject_id = 'subject-bent' WHERE sequence = 2",
        (2, Break.PAYLOAD_ALTERED),
    ),
    "added": (
        "aud04",
        (
            "INSERT INTO audit_payload (sequence, number, subject_id, sealed)"
            " SELECT 3, 0, subject_id, sealed FROM audit_payload WHERE sequence = 2"
        ),
        (3, Break.PAYLOAD_ADDED),
    ),
    "without a key": (
        "pki15",
        "DELETE FROM data_key WHERE subject_id = 'subject-anne'",
        (0, Break.PAYLOAD_KEY_GONE),
    ),
    "header emptied": (
        "aud02",
        "UPDATE audit_event SET header = substr(header, 1, 0) WHERE sequence = 3",
        (3, Break.HEADER_GONE),
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_past_the_guards_is_found_at_its_event(log: Log, tampering: str) -> None:
    guard, statement, found = TAMPERINGS[tampering]
    for name in (SUBJECTS[0], SUBJECTS[1], SUBJECTS[0], None, SUBJECTS[0]):
        log.tell(*filter(None, [name]))
    log.seal()
    log.without(guard, statement)
    assert log.broken() == found


def years_of_events(log: Log, *years: int) -> None:
    for year in years:
        log.tell(*SUBJECTS, at=datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC))


def test_a_class_goes_after_its_calendar_years_and_the_log_verifies(log: Log) -> None:
    years_of_events(log, 2024, 2025, 2026)
    log.seal(datetime(2027, 1, 1, tzinfo=UTC))
    assert log.plan(datetime(2029, 12, 31, 23, 59, tzinfo=UTC)).is_nothing
    new_year = datetime(2030, 1, 1, tzinfo=UTC)
    seven = RetentionPeriods(5, 7)
    assert log.plan(new_year, seven) == Retention(1, 0, 2, 0, 0)

    assert retain(log.database, seven, "system:operator", new_year).payloads == 2
    log.seal(new_year)
    assert log.verify().size == 4
    assert retain(log.database, seven, "system:operator", new_year).is_nothing

    later = datetime(2033, 1, 1, tzinfo=UTC)
    assert log.plan(later, seven) == Retention(3, 2, 4, 2, 4)
    retain(log.database, seven, "system:operator", later)
    log.seal(later)
    assert log.verify().size == 5
    assert log.verify(since=3).size == 5
    headers = select(audit_event.c.header).order_by(audit_event.c.sequence)
    with log.database.read() as tx:
        lengths = [len(header) for header in tx.execute(headers).scalars()]
    assert [length > 0 for length in lengths] == [False, False, True, True, True]


def test_a_second_retention_carries_what_the_first_left(log: Log) -> None:
    years_of_events(log, 2020, 2021)
    log.erase(SUBJECTS[0])
    log.tell(SUBJECTS[1], at=NOW + timedelta(minutes=1))
    log.seal(NOW + timedelta(minutes=2))
    for year, headers in ((2031, 2), (2036, 0), (2040, 3), (2050, 1), (2060, 1)):
        at = datetime(year, 6, 1, tzinfo=UTC)
        assert retain(log.database, FIVE, "system:operator", at).headers == headers
        assert log.verify().latest is not None
    assert log.verify().size == 8
    log.tell(SUBJECTS[1], at=datetime(2060, 6, 2, tzinfo=UTC))
    log.without("aud05", "DELETE FROM audit_payload")
    assert log.broken() == (8, Break.PAYLOAD_GONE)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE audit_event SET header = substr(header, 1, 0) WHERE sequence = 1", "AUD02"),
        ("UPDATE audit_event SET header = leaf_sha256 WHERE sequence = 0", "AUD02"),
        ("UPDATE audit_event SET header = header, payloads = 0 WHERE sequence = 0", "AUD02"),
        ("DELETE FROM audit_payload WHERE sequence = 1", "AUD05"),
    ],
)
def test_right_after_a_retention_nothing_goes_that_it_does_not_cover(
    log: Log, statement: str, code: str
) -> None:
    years_of_events(log, 2024, 2025)
    retain(log.database, FIVE, "system:operator", datetime(2030, 1, 1, tzinfo=UTC))
    with pytest.raises(RuleBroken) as refusal, log.database.write() as tx:
        tx.execute(text(statement))
    assert refusal.value.code == code


def test_a_header_that_is_not_sound_is_not_dropped(log: Log) -> None:
    years_of_events(log, 2024, 2025)
    log.without("aud02", "UPDATE audit_event SET header = leaf_sha256 WHERE sequence = 0")
    with pytest.raises(ChainBroken):
        retain(log.database, FIVE, "system:operator", NOW)
    with log.database.read() as tx:
        assert len(tx.execute(select(audit_payload.c.number)).all()) == 4


def test_a_retention_before_the_latest_head_is_refused(log: Log) -> None:
    years_of_events(log, 2020)
    log.seal()
    with pytest.raises(ClockBehind):
        retain(log.database, FIVE, "system:operator", NOW - timedelta(days=1))
    assert log.verify().size == 1


def test_a_retention_that_dies_before_its_end_has_dropped_nothing(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    years_of_events(log, 2020)

    def die(*_: object) -> Callable[..., None]:
        raise LookupError

    monkeypatch.setattr("records.audit_retention.update", die)
    with pytest.raises(LookupError):
        retain(log.database, FIVE, "system:operator", NOW)
    monkeypatch.undo()
    assert log.verify().size == 1
    assert log.plan(NOW).payloads == 2
