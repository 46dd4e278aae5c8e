"""Credentials: a code activates once, in its window and within its tries, whoever comes first."""

from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import text

from ra.activation_codes import TRIES, HolderSecret, SecretUse, new_salt
from ra.case import Channel
from ra.delivery import Ending, PersonalCheck, Step
from ra.duties import Task
from ra.errors import Refused
from records.credentials import Credentials
from records.database import Database
from records.errors import Conflict, NotFound, RuleBroken
from records.key_wrapping import DamagedData
from records.officers import Role
from records.revocation_secrets import RevocationSecrets
from tests.support.at_once import at_once
from tests.support.delivery import NOW, WINDOW, Room, approved_by, code_for, duty_of, many_delivered
from tests.support.stores import Stores, approved


@pytest.fixture
def room(database: Database) -> Room:
    return Room(Stores(database))


def test_a_code_activates_what_was_delivered(room: Room) -> None:
    application, secret = room.delivered()

    done = room.credentials.activate(
        application, secret, "system:holder", (PersonalCheck.LOGIN, True), NOW
    )

    assert room.credentials.activation(application) == done
    found = room.credentials.get(application.id)
    assert found is not None
    assert (found.step, found.activated_at) == (Step.ACTIVATED, NOW)
    with pytest.raises(Refused, match="ISS-DEL-S2i"):
        room.activate(application, secret)


def test_a_code_opens_nothing_before_it_is_dispatched(room: Room) -> None:
    application = approved(room.stores)
    with pytest.raises(Conflict):
        room.activate(application, HolderSecret.random())
    code, _ = code_for(application, NOW, WINDOW)
    with pytest.raises(NotFound):
        room.credentials.dispatch(application, code, None, room.dispatcher.id, None)


def test_after_five_wrong_tries_the_right_code_is_too_late(room: Room) -> None:
    application, secret = room.delivered()
    for number in range(TRIES):
        with pytest.raises(Refused) as refusal:
            room.activate(application, HolderSecret.random())
        last = number == TRIES - 1
        code = "ACTIVATION_ATTEMPTS_EXHAUSTED" if last else "ACTIVATION_CODE_WRONG"
        assert [each.code for each in refusal.value.findings] == [code]
    with pytest.raises(Refused, match="ATTEMPTS_EXHAUSTED"):
        room.activate(application, secret)
    assert room.credentials.exhausted(10) == [application.id]


def test_the_code_of_one_application_opens_no_other(room: Room) -> None:
    first, secret = room.delivered()
    second, _ = room.delivered()
    with pytest.raises(Refused, match="ACTIVATION_CODE_WRONG"):
        room.activate(second, secret)
    room.activate(first, secret)


def test_a_code_is_over_after_its_window_and_never_lives_on(room: Room) -> None:
    application, secret = room.delivered()
    late = NOW + WINDOW + timedelta(seconds=1)
    assert room.credentials.elapsed(NOW + WINDOW, 10) == []
    assert room.credentials.elapsed(late, 10) == [application.id]
    with pytest.raises(Refused, match="ACTIVATION_WINDOW_ELAPSED"):
        room.credentials.activate(application, secret, "system:holder", (None, True), late)

    room.credentials.end(application.id, Ending.WINDOW, "system:job", late)

    assert room.credentials.elapsed(late, 10) == []
    found = room.credentials.get(application.id)
    assert found is not None
    assert found.step is Step.ENDED
    with pytest.raises(Refused):
        room.activate(application, secret)


def test_another_code_takes_the_place_of_the_one_before(room: Room) -> None:
    application, first = room.delivered()
    code, second = code_for(application, NOW + timedelta(hours=1), WINDOW)
    room.credentials.dispatch(application, code, None, room.dispatcher.id, None)
    with pytest.raises(Refused, match="ACTIVATION_CODE_WRONG"):
        room.activate(application, first)
    room.activate(application, second)


def test_a_code_that_was_written_beside_the_program_is_none(room: Room) -> None:
    application, _ = room.delivered()
    mine = HolderSecret.random()
    salt = new_salt()
    with room.stores.database.write() as tx:
        tx.execute(
            text(
                "UPDATE activation_code SET ended_at = :now, ending = 'replaced'"
                " WHERE application_id = :id"
            ),
            {"now": 1, "id": application.id},
        )
        tx.execute(
            text(
                "INSERT INTO activation_code (id, application_id, channel, salt, digest,"
                " sealed_digest, tries, made_at, expires_at) SELECT 'code-forged', application_id,"
                " channel, :salt, :digest, sealed_digest, 0, made_at + 1, expires_at"
                " FROM activation_code WHERE application_id = :id"
            ),
            {
                "salt": salt,
                "digest": mine.digest(SecretUse.ACTIVATION, application.id, salt),
                "id": application.id,
            },
        )
    with pytest.raises(DamagedData):
        room.activate(application, mine)


def test_at_high_one_person_does_one_task(room: Room) -> None:
    first = room.stores.officer(Role.REGISTRATION_OFFICER, NOW)
    second = room.stores.officer(Role.APPROVING_OFFICER, NOW)
    application = approved_by(room.stores, first, second)
    twice = room.same_person(room.operator, Role.CODE_DISPATCHER)
    room.credentials.prepare(
        Channel.ONLINE, duty_of(application, Task.PERSONALISATION, room.operator)
    )
    with pytest.raises(RuleBroken, match="DUT01"):
        room.credentials.record_duty(duty_of(application, Task.CODE_DISPATCH, twice))
    wrong_role = room.stores.officer(Role.AUDITOR, NOW)
    with pytest.raises(RuleBroken, match="DUT02"):
        room.credentials.record_duty(duty_of(application, Task.CODE_DISPATCH, wrong_role))
    room.credentials.record_duty(duty_of(application, Task.CODE_DISPATCH, room.dispatcher))


def test_a_revocation_secret_is_made_once_and_a_wrong_one_is_counted(room: Room) -> None:
    application = approved(room.stores)
    secrets = RevocationSecrets(room.stores.database)
    secret = secrets.make(application.id, "system:applicant", NOW)

    assert secrets.fits(application.id, secret, NOW)
    assert not secrets.fits(application.id, HolderSecret.random(), NOW)
    assert not secrets.fits("A-AAAAAAAAAA", secret, NOW)
    with room.stores.database.read() as tx:
        assert tx.execute(text("SELECT tries FROM revocation_secret")).scalar_one() == 1
    with pytest.raises(RuleBroken, match="DEL08"):
        secrets.make(application.id, "system:applicant", NOW)
    with pytest.raises(NotFound):
        secrets.make("A-AAAAAAAAAA", "system:applicant", NOW)


def test_of_two_redemptions_at_once_exactly_one_wins_a_thousand_times(database: Database) -> None:
    stores = Stores(database)
    credentials = Credentials(database, stores.personal)
    delivered = many_delivered(stores, 1000, NOW, WINDOW)
    both = Barrier(2)

    def redeem(holder: str) -> list[str]:
        won = []
        for application, secret in delivered:
            both.wait()
            try:
                credentials.activate(application, secret, holder, (None, True), NOW)
                won.append(application.id)
            except Refused:
                continue
        return won

    first, second = at_once([lambda: redeem("holder-aaaaaaaa"), lambda: redeem("holder-bbbbbbbb")])

    assert sorted(first + second) == sorted(application.id for application, _ in delivered)
    with database.read() as tx:
        used = "SELECT count(*) FROM activation_code WHERE used_at IS NOT NULL"
        active = "SELECT count(*) FROM credential WHERE step = 'activated'"
        assert tx.execute(text(used)).scalar_one() == tx.execute(text(active)).scalar_one() == 1000
