"""What holders are told: each change of a status, and that an identity was proven or refused."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from string import Template

import pytest
from sqlalchemy import text

from ra.applications import Application
from ra.case import CodeChannel
from ra.fake_services import SILENT, FakeNotifier
from ra.identity import Personal
from ra.notices import Notice, Sending
from ra.requirements import finding
from records.holder_notices import Occasion
from records.officers import Role
from revocation.causes import Cause, Grounds
from server.assembly import Assembly
from server.clock import utc_now
from server.holder_notices import OBJECT, TEXTS, tell_holders, text_of
from server.registration import reject_application
from tests.support.installation import an_installation
from tests.support.ra_builders import NANCY, claimed
from tests.support.softhsm import SoftHsm
from tests.support.staff import EnrolledOfficer, an_officer, applied, certified

OPERATOR = "system:operator"
MAIL = "nancy@example.test"


@pytest.fixture(scope="module")
def installed(
    softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Assembly, EnrolledOfficer, EnrolledOfficer]]:
    with an_installation(softhsm, tmp_path_factory.mktemp("notices") / "state") as parts:
        clerk = an_officer(parts, Role.REGISTRATION_OFFICER)
        yield parts, clerk, an_officer(parts, Role.APPROVING_OFFICER)


@pytest.fixture
def notifier() -> FakeNotifier:
    return FakeNotifier()


@pytest.fixture
def parts(
    installed: tuple[Assembly, EnrolledOfficer, EnrolledOfficer], notifier: FakeNotifier
) -> Assembly:
    """With nothing left to tell."""
    found, _, _ = installed
    while tell_holders(found, utc_now()):
        pass
    return carried_by(found, notifier)


def carried_by(parts: Assembly, notifier: FakeNotifier) -> Assembly:
    assert parts.delivery_ports is not None
    return replace(parts, delivery_ports=replace(parts.delivery_ports, notifier=notifier))


@pytest.fixture
def holder(
    installed: tuple[Assembly, EnrolledOfficer, EnrolledOfficer], parts: Assembly
) -> Application:
    _, clerk, approver = installed
    return certified(parts, clerk.officer, approver)


def occasions(notifier: FakeNotifier) -> list[str]:
    return [key.split("/")[2] for key in notifier.sent]


def test_every_change_of_a_status_is_told_once(
    parts: Assembly, holder: Application, notifier: FakeNotifier
) -> None:
    (record,) = parts.certificates.find(application_id=holder.id)
    place = (record.issuer, record.serial_number)
    parts.statuses.hold(*place, OPERATOR, utc_now())
    parts.statuses.release(*place, "officer-0123456789abcdef", utc_now())
    parts.statuses.revoke(*place, Grounds(Cause.KEY_LOST), OPERATOR, utc_now())

    assert tell_holders(parts, utc_now()) == 5
    assert tell_holders(parts, utc_now()) == 0

    assert occasions(notifier) == [
        Occasion.PROOFING_DONE,
        Occasion.ISSUED,
        Occasion.SUSPENDED,
        Occasion.REACTIVATED,
        Occasion.REVOKED,
    ]


def test_a_proof_is_told_at_the_registered_address_and_a_status_the_quickest_way(
    parts: Assembly, notifier: FakeNotifier
) -> None:
    of = applied(parts, email=MAIL)
    write(parts, of, "proofing_done", "revoked")
    assert tell_holders(parts, utc_now()) == 2
    ways = {key.split("/")[2]: each for key, each in notifier.sent.items()}
    assert ways["proofing_done"].channel is CodeChannel.POST
    assert ways["proofing_done"].address.value == NANCY
    assert ways["revoked"].channel is CodeChannel.EMAIL
    assert ways["revoked"].address.value == MAIL


def test_a_refused_application_is_told(
    installed: tuple[Assembly, EnrolledOfficer, EnrolledOfficer],
    parts: Assembly,
    notifier: FakeNotifier,
) -> None:
    of, (_, clerk, _) = applied(parts), installed
    found = (finding("REG-IDN-L1", "EVIDENCE_MISSING"),)
    reject_application(parts, of.id, found, clerk.officer, utc_now())
    tell_holders(parts, utc_now())
    assert occasions(notifier) == [Occasion.PROOFING_REJECTED]


def test_nobody_is_told_of_a_death(
    parts: Assembly, holder: Application, notifier: FakeNotifier
) -> None:
    (record,) = parts.certificates.find(application_id=holder.id)
    place = (record.issuer, record.serial_number)
    parts.statuses.revoke(*place, Grounds(Cause.DEATH), OPERATOR, utc_now())
    tell_holders(parts, utc_now())
    assert Occasion.REVOKED not in occasions(notifier)


class Silent(FakeNotifier):
    """A carrier that does not answer."""

    def send(self, notice: Notice, now: datetime) -> Sending:
        return super().send(replace(notice, address=Personal(SILENT)), now)


def test_a_carrier_that_is_silent_is_asked_again_later(parts: Assembly) -> None:
    of, now = applied(parts), utc_now()
    write(parts, of, "revoked")
    assert tell_holders(carried_by(parts, Silent()), now) == 0
    assert parts.holder_notices.due(9, now) == []
    (waiting,) = parts.holder_notices.due(9, now + timedelta(minutes=1))
    assert waiting.tries == 1
    parts.holder_notices.end(waiting, None, now)


def test_who_is_reached_in_no_way_is_on_record(parts: Assembly, notifier: FakeNotifier) -> None:
    of = applied(parts)
    nobody = replace(notifier, channels=frozenset({CodeChannel.SMS}))
    write(parts, of, "revoked")
    assert tell_holders(carried_by(parts, nobody), utc_now()) == 0
    assert states(parts, of) == [("revoked", "undeliverable")]


def test_a_notice_names_nobody(parts: Assembly, holder: Application) -> None:
    for occasion in Occasion:
        told = text_of(parts, holder, occasion)
        assert holder.id in told
        for value in claimed().values():
            assert value not in told
    for language, texts in TEXTS.items():
        assert set(texts) == set(Occasion)
        named = {n for t in (*texts.values(), OBJECT[language]) for n in identifiers(t)}
        assert named == {"application", "url"}


def identifiers(template: str) -> list[str]:
    return Template(template).get_identifiers()


def write(parts: Assembly, of: Application, *words: str) -> None:
    """As the database does it at a change."""
    now = utc_now()
    with parts.database.write() as tx:
        for word in words:
            tx.execute(
                text(
                    "INSERT INTO holder_notice (application_id, occasion, at, state, due_at, tries)"
                    " VALUES (:of, :word, :at, 'due', :at, 0)"
                ),
                {"of": of.id, "word": word, "at": int(now.timestamp()) * 1_000_000},
            )


def states(parts: Assembly, of: Application) -> list[tuple[str, str]]:
    with parts.database.read() as tx:
        query = "SELECT occasion, state FROM holder_notice WHERE application_id = :of"
        return [tuple(row) for row in tx.execute(text(query), {"of": of.id})]
