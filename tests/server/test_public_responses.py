"""Responses made ahead on the public listener: held in memory, and gone when they are not true."""

import dataclasses
import secrets
import tracemalloc
from datetime import timedelta
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from ca.identifiers import IssuerName, SerialNumber
from records.database import Database
from records.ocsp_responses import OcspResponses
from revocation.cert_ids import CertIdHash
from revocation.preproduction import Life, PreproducedResponse
from revocation.reasons import Reason
from server import public_responses
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from server.public_responses import Held, HeldResponses, ocsp_headers
from tests.support.ocsp_client import an_issued_serial, request_for, said
from tests.support.service import until
from tests.support.wsgi import ask

ISSUING = IssuerName("issuing")
SERIAL = SerialNumber(4711)
ROOM, OCTETS = 1 << 20, 2100
QUESTION = "/ocsp/issuing/a question"
GOOD, REVOKED = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED


def a_response(serial: SerialNumber = SERIAL, body: bytes = b"an answer") -> Held:
    now = utc_now()
    response = PreproducedResponse(Life(now, now + timedelta(hours=1)), body)
    return Held.of_response((ISSUING, serial), CertIdHash.SHA1, response, now)


class Changes:
    """Tells what the test says has changed."""

    def __init__(self) -> None:
        self.version = 1
        self.serials: list[SerialNumber] = []

    def revoke(self, serial: SerialNumber) -> None:
        self.version += 1
        self.serials = [serial]

    def changed(self, known: object) -> dict[IssuerName, tuple[int, list[SerialNumber]]]:
        same = known == {ISSUING: self.version}
        return {} if same else {ISSUING: (self.version, self.serials)}


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def held(changes: Changes) -> HeldResponses:
    held = HeldResponses(ROOM)
    held.look(changes)
    held.hold(QUESTION, a_response(), held.version(ISSUING))
    return held


def test_a_response_is_held_until_half_of_its_life(held: HeldResponses) -> None:
    now = utc_now()
    found = held.get(QUESTION, now)

    assert found is not None
    assert found.body == b"an answer"
    assert held.get(QUESTION, now + timedelta(minutes=29)) == found
    assert held.get(QUESTION, now + timedelta(minutes=31)) is None
    assert held.get(QUESTION, now - timedelta(minutes=1)) is None  # the clock went back
    assert held.get(("/ocsp/issuing", b"another question"), now) is None


def test_a_change_of_status_drops_it_and_no_other(held: HeldResponses, changes: Changes) -> None:
    other = ("/ocsp/issuing", b"another")
    held.hold(other, a_response(SerialNumber(5)), held.version(ISSUING))
    changes.revoke(SERIAL)
    held.look(changes)

    assert held.get(QUESTION, utc_now()) is None
    assert held.get(other, utc_now()) is not None


def test_a_response_read_before_a_change_is_not_held_after_it(
    held: HeldResponses, changes: Changes
) -> None:
    seen = held.version(ISSUING)
    late = ("/ocsp/issuing", b"read just before")
    changes.revoke(SERIAL)
    held.look(changes)
    held.hold(late, a_response(), seen)

    assert held.get(late, utc_now()) is None


def test_nothing_is_held_before_the_first_look() -> None:
    held = HeldResponses(ROOM)
    held.hold(QUESTION, a_response(), held.version(ISSUING))

    assert held.get(QUESTION, utc_now()) is None


def test_without_news_nothing_is_served_from_memory(
    held: HeldResponses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_responses, "NEWS_SECONDS", 0.0)

    assert held.get(QUESTION, utc_now()) is None


@pytest.mark.parametrize("hours", [1, 15.9, 16, 24, 48, 100, 240])
def test_what_a_cache_keeps_has_not_ended_when_it_drops_it(hours: float) -> None:
    now = utc_now().replace(microsecond=0)
    response = PreproducedResponse(Life(now, now + timedelta(hours=hours)), b"an answer")
    life = response.life
    for moment in (
        now,
        life.due_at - timedelta(seconds=1),
        life.next_update - timedelta(minutes=1),
    ):
        # As it is served until the next is made, or for itself when that is late.
        made = moment if moment > life.due_at else now
        (_, control), *_ = ocsp_headers(response, made)
        seconds = int(control.partition(",")[0].removeprefix("max-age="))
        assert seconds > 0
        assert moment + timedelta(seconds=seconds) < life.next_update


def test_one_response_is_held_under_every_spelling_and_dropped_under_all(
    held: HeldResponses, changes: Changes
) -> None:
    now, place = utc_now(), (ISSUING, SERIAL)
    found = held.find(place, CertIdHash.SHA1, now)
    assert found is held.get(QUESTION, now)
    assert held.find(place, CertIdHash.SHA256, now) is None
    assert held.find((ISSUING, SerialNumber(5)), CertIdHash.SHA1, now) is None
    spelled = [("/ocsp/issuing", bytes([number])) for number in range(5)]
    for question in spelled:
        held.hold(question, found, held.version(ISSUING))
    changes.revoke(SERIAL)
    held.look(changes)

    assert [held.get(question, now) for question in (*spelled, QUESTION)] == [None] * 6
    assert held.find(place, CertIdHash.SHA1, now) is None


def test_what_is_asked_for_stays_and_what_is_not_goes(changes: Changes) -> None:
    held = HeldResponses(20 * OCTETS)
    held.look(changes)
    for number in range(200):
        question = ("/ocsp/issuing", number.to_bytes(2, "big"))
        held.hold(question, a_response(SerialNumber(number + 1)), held.version(ISSUING))
        assert held.get(("/ocsp/issuing", b"\0\0"), utc_now()) is not None
    now = utc_now()
    kept = [
        number
        for number in range(200)
        if held.find((ISSUING, SerialNumber(number + 1)), CertIdHash.SHA1, now)
    ]
    assert kept[0] == 0
    assert kept[1] >= 175
    assert kept[-1] == 199
    changes.revoke(SerialNumber(1))
    held.look(changes)
    assert held.get(("/ocsp/issuing", b"\0\0"), now) is None


def test_the_octets_that_are_counted_are_those_that_are_taken(changes: Changes) -> None:
    room = 8 << 20
    tracemalloc.start()
    try:
        held = HeldResponses(room)
        held.look(changes)
        for number in range(10_000):
            question = f"/ocsp/issuing/{number:0>120}"
            made = a_response(SerialNumber(number + 1), secrets.token_bytes(700))
            held.hold(question, made, held.version(ISSUING))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert room / 3 < taken <= room * 1.05


@pytest.mark.usefixtures("app")
def test_what_was_made_ahead_is_said_without_the_token(parts: Assembly, metrics: Metrics) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    run_job("ocsp-responses", parts, metrics)
    gone = dataclasses.replace(parts, tokens=None)  # type: ignore[arg-type]
    answer = ask(PublicApp(gone, metrics), "/ocsp/issuing", "POST", asked)

    assert said(answer).certificate_status is GOOD
    assert "max-age=" in answer.headers["Cache-Control"]


def test_the_same_octets_are_sent_until_the_status_changes(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    serial = an_issued_serial(parts)
    asked = request_for(parts, serial)
    run_job("ocsp-responses", parts, metrics)
    app.held.look(parts.ocsp_responses)
    first = ask(app, "/ocsp/issuing", "POST", asked)
    assert ask(app, "/ocsp/issuing", "POST", asked).body == first.body
    assert said(first).certificate_status is GOOD

    place = (ISSUING, SerialNumber(serial))
    parts.statuses.revoke(*place, Reason.SUPERSEDED, "system:x", utc_now())
    app.held.look(parts.ocsp_responses)
    assert said(ask(app, "/ocsp/issuing", "POST", asked)).certificate_status is REVOKED
    run_job("ocsp-responses", parts, metrics)
    again = ask(app, "/ocsp/issuing", "POST", asked)
    assert said(again).certificate_status is REVOKED
    assert again.headers["ETag"] != first.headers["ETag"]


def test_a_question_with_a_nonce_is_signed_for_itself(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    asked = request_for(parts, an_issued_serial(parts), nonce=b"n" * 16)
    run_job("ocsp-responses", parts, metrics)
    answer = ask(app, "/ocsp/issuing", "POST", asked)

    assert answer.headers["Cache-Control"] == "no-store"
    assert said(answer).certificate_status is GOOD


def test_the_follower_goes_on_when_the_database_comes_back(parts: Assembly) -> None:
    away = OcspResponses(Database("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    held, stop = HeldResponses(ROOM), Event()

    class Returning:
        looks = 0

        def changed(self, known: dict[IssuerName, int]) -> object:
            self.looks += 1
            return (away if self.looks < 3 else parts.ocsp_responses).changed(known)

    follower = Thread(target=held.follow, args=[Returning(), stop])
    follower.start()
    try:
        until("news", lambda: held.version(ISSUING) is not None)
    finally:
        stop.set()
        follower.join()


def test_with_a_nonce_what_lies_ready_is_said_again_and_its_end_is_noticed(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    serial = an_issued_serial(parts)
    run_job("ocsp-responses", parts, metrics)
    app.held.look(parts.ocsp_responses)
    ready = said(ask(app, "/ocsp/issuing", "POST", request_for(parts, serial)))
    answers = [
        ask(app, "/ocsp/issuing", "POST", request_for(parts, serial, nonce=bytes([n]) * 32))
        for n in range(3)
    ]
    for n, answer in enumerate(answers):
        read = said(answer)
        assert (
            read.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == bytes([n]) * 32
        )
        assert read.certificate_status is GOOD
        assert read.this_update_utc == ready.this_update_utc <= read.produced_at_utc
        assert read.next_update_utc == ready.next_update_utc
        assert answer.headers["Cache-Control"] == "no-store"
    held = app.held.find((ISSUING, SerialNumber(serial)), CertIdHash.SHA1, utc_now())
    assert held is not None
    assert held.statement is not None

    parts.statuses.revoke(ISSUING, SerialNumber(serial), Reason.SUPERSEDED, "system:x", utc_now())
    app.held.look(parts.ocsp_responses)
    after = said(ask(app, "/ocsp/issuing", "POST", request_for(parts, serial, nonce=b"n" * 16)))
    assert after.certificate_status is REVOKED


def test_what_another_key_signed_is_not_signed_again(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    """Whoever could write responses into the database would otherwise have them signed."""
    serial = an_issued_serial(parts)
    run_job("ocsp-responses", parts, metrics)
    app.held.look(parts.ocsp_responses)
    asked = request_for(parts, serial)
    ask(app, "/ocsp/issuing", "POST", asked)
    held = app.held.find((ISSUING, SerialNumber(serial)), CertIdHash.SHA1, utc_now())
    assert held is not None
    before = held.body
    held.body = before.replace(b"\x80\x00\x18\x0f", b"\x82\x00\x18\x0f")  # good becomes unknown
    assert held.body != before
    for _ in range(2):
        read = said(ask(app, "/ocsp/issuing", "POST", request_for(parts, serial, nonce=b"n" * 16)))
        assert read.certificate_status is GOOD
    assert held.is_anothers
    assert held.statement is None
