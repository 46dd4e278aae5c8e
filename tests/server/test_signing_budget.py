"""A flood of questions that want a signature each: the token is spared, and nobody is starved."""

import dataclasses
import time
from collections import Counter
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from records.statuses import Statuses
from server import signing_budget
from server.assembly import Assembly
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from server.public_bodies import _MOST_WAITING, THREADS
from server.public_ocsp import SIGN_AT_ONCE
from server.signing_budget import SigningBudget
from tests.support.ocsp_client import an_issued_serial, request_for, said
from tests.support.wsgi import Answered, ask

BUDGET = 5


class Clock:
    """A monotonic clock that goes when it is told to."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(signing_budget, "time", clock)
    return clock


def test_a_budget_is_so_many_a_second_and_saves_no_more_than_those_of_one(clock: Clock) -> None:
    budget = SigningBudget(10, at_once=1)

    def signed() -> int:
        count = 0
        while budget.take():
            budget.give_back()
            count += 1
        return count

    assert [signed(), signed()] == [10, 0]
    clock.now += 0.5
    assert signed() == 5
    clock.now += 3600
    assert signed() == 10


def test_no_more_sign_at_once_than_may(clock: Clock) -> None:
    budget = SigningBudget(1000, at_once=2)
    assert [budget.take() for _ in range(4)] == [True, True, False, False]
    budget.give_back()
    assert [budget.take(), budget.take()] == [True, False]
    clock.now += 1
    assert not budget.take()


@pytest.fixture
def tight(parts: Assembly, metrics: Metrics, app: PublicApp, clock: Clock) -> PublicApp:
    """A worker with a budget of five, that stands still, and every response made ahead."""
    del app, clock
    of = dataclasses.replace(parts)
    few = of.settings.model_copy(
        update={"ocsp": of.settings.ocsp.model_copy(update={"signatures_per_second": BUDGET})}
    )
    tight = PublicApp(dataclasses.replace(of, settings=few), metrics)
    run_job("ocsp-responses", parts, metrics)
    tight.held.look(parts.ocsp_responses)
    return tight


def counted(app: PublicApp) -> Counter[str]:
    """How the answers of this worker came about."""
    found: Counter[str] = Counter()
    for mine in app.answers._by_thread.values():
        found.update({labels[0]: count for labels, count in mine.items()})
    return found


def nonce_in(answer: Answered) -> bytes | None:
    extensions = said(answer).extensions
    found = [each.value for each in extensions if isinstance(each.value, x509.OCSPNonce)]
    return found[0].nonce if found else None


def test_beyond_the_budget_a_nonce_is_left_unanswered_and_the_status_is_not(
    tight: PublicApp, parts: Assembly
) -> None:
    serial = an_issued_serial(parts)
    run_job("ocsp-responses", parts, tight.metrics)
    answers = [
        ask(tight, "/ocsp/issuing", "POST", request_for(parts, serial, nonce=bytes([n] * 16)))
        for n in range(1, 51)
    ]

    assert all(said(each).certificate_status is ocsp.OCSPCertStatus.GOOD for each in answers)
    assert [nonce_in(each) for each in answers[:BUDGET]] == [bytes([n] * 16) for n in range(1, 6)]
    assert {nonce_in(each) for each in answers[BUDGET:]} == {None}
    assert {each.headers["Cache-Control"] for each in answers} == {"no-store"}
    assert counted(tight) == {"signed": BUDGET, "without_nonce": 45}


def test_a_flood_of_unknown_serials_is_asked_to_come_later_and_starves_nobody(
    tight: PublicApp, parts: Assembly
) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    run_job("ocsp-responses", parts, tight.metrics)
    for number in range(1, 201):
        answer = said(ask(tight, "/ocsp/issuing", "POST", request_for(parts, number)))
        if number > BUDGET:
            assert answer.response_status is ocsp.OCSPResponseStatus.TRY_LATER
        known = said(ask(tight, "/ocsp/issuing", "POST", asked))
        assert known.certificate_status is ocsp.OCSPCertStatus.GOOD

    found = counted(tight)
    assert found["signed"] == BUDGET
    assert found["try_later"] == 200 - BUDGET
    assert found["held"] + found["made_ahead"] == 200


class Stuck(Statuses):
    """Statuses that are read when the test says so: what stands in a queue at the token."""

    def __init__(self, parts: Assembly) -> None:
        super().__init__(parts.database)
        self.go = Event()
        self.waiting = 0

    def status_of(self, issuer: object, serial: object) -> object:  # type: ignore[override]
        self.waiting += 1
        assert self.go.wait(30)
        return super().status_of(issuer, serial)  # type: ignore[arg-type]


def test_while_every_signature_hangs_what_was_made_ahead_is_still_said(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    run_job("ocsp-responses", parts, metrics)
    stuck = Stuck(parts)
    app.ocsp.parts = dataclasses.replace(parts, statuses=stuck)

    def want_a_signature() -> None:
        ask(app, "/ocsp/issuing", "POST", request_for(parts, 77))

    threads = [Thread(target=want_a_signature) for _ in range(12)]
    for thread in threads:
        thread.start()
    try:
        until = time.monotonic() + 20
        while sum(thread.is_alive() for thread in threads) > SIGN_AT_ONCE:  # the others went
            assert time.monotonic() < until
        assert said(ask(app, "/ocsp/issuing", "POST", asked)).certificate_status is (
            ocsp.OCSPCertStatus.GOOD
        )
    finally:
        stuck.go.set()
        for thread in threads:
            thread.join()
    assert stuck.waiting == SIGN_AT_ONCE < THREADS - _MOST_WAITING
    assert counted(app)["try_later"] == 12 - SIGN_AT_ONCE
