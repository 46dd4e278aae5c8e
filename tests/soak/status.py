"""`./dev soak status [MINUTES]`: relying parties ask for 30 minutes, and every answer must be true.

A running service with two workers answers at 80 % of the peak that is found at first, while
certificates are held, released and revoked, CRLs follow, and now and then something breaks: a
worker is killed, the token fails, the database makes writers wait. Beside the load a client asks by
GET and POST, with and without a nonce, checks each signature, and compares each answer with what
could be true at that moment.
"""

import os
import random
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread

sys.path.insert(0, str(Path(__file__).parents[2]))

from datetime import datetime, timedelta

from cryptography.x509 import ocsp

from ca.errors import Conflict
from ca.identifiers import IssuerName, SerialNumber
from records.ocsp_responses import OcspResponses
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, Unknown
from server.assembly import assembled
from server.clock import utc_now
from server.settings_sources import load_settings
from tests.bench.growth import load_certificates
from tests.bench.ocsp import Site, path_of, serials_of
from tests.bench.wrk import Load, family, get_request, post_request, run_wrk, write_script
from tests.support.ocsp_client import status_in
from tests.support.pkcs11_shim import DEVICE_ERROR, SOURCE, Shim, compiled
from tests.support.service import Service, until
from tests.support.status_history import Change, History, Windows

MINUTES = 30.0
CERTIFICATES, CHANGING, SLICE = 2_000, 100, 5
SHARE, REST, MOST_CONNECTIONS = 0.8, 10, 1000
LATE, WRONG = 1.0, 3.5
"""Seconds after which a change should be seen, and after which its absence is a wrong answer."""
RECOVERY = 10.0
GROWTH = 0.05
ISSUING = IssuerName("issuing")
ACTOR = "system:soak"
OTHER = "system:other"
CHANCE = random.SystemRandom()
REVOKED, UNISSUED, NONCES = 0.1, 0.1, 0.3
"""Shares: of holds that end in revocation, of questions about serials of nobody, with a nonce."""


@dataclass
class Seen:
    """What the client and the load saw."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    late: int = 0
    unanswered: list[str] = field(default_factory=list)
    """What was asked, each time that nothing was said and nothing was broken."""
    refused: int = 0
    rates: list[float] = field(default_factory=list)


@dataclass
class Town:
    """The running service, the hand that changes statuses, and what is known of both."""

    service: Service
    site: Site
    shim: Shim
    history: History = field(default_factory=History)
    windows: Windows = field(default_factory=lambda: Windows(RECOVERY))
    seen: Seen = field(default_factory=Seen)
    over: Event = field(default_factory=Event)

    @property
    def port(self) -> int:
        return int(self.service.environment["TILLID_PUBLIC__PORT"])

    def workers(self) -> list[int]:
        """The processes that answer: those whose parent is the public listener."""
        assert self.service.process is not None
        listener = next(
            pid
            for pid in family(self.service.process.pid)
            if b"server.public_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        return family(listener)[1:]


# --- Changes ------------------------------------------------------------------------------------


def go_on_changing(town: Town, serials: list[SerialNumber]) -> None:
    """Hold, release and now and then revoke one certificate after the other."""
    statuses = town.site.parts.statuses
    now: dict[SerialNumber, Status] = dict.fromkeys(serials, Good())
    while not town.over.wait(0.2):
        serial = CHANCE.choice(serials)
        place, at = (ISSUING, serial), utc_now()
        kind, wanted = _next_of(now[serial], at, revoke=CHANCE.random() < REVOKED)
        if wanted is None:
            continue
        asked = time.monotonic()
        town.history.intend(serial, asked, wanted)
        try:
            if kind == "hold":
                statuses.hold(*place, ACTOR, at)
            elif kind == "release":
                statuses.release(*place, OTHER, at)
            else:
                statuses.revoke(*place, Reason.SUPERSEDED, ACTOR, at)
        except Conflict:
            town.history.settle(serial, None)
            continue
        town.history.settle(serial, Change(asked, time.monotonic(), wanted))
        now[serial] = wanted
        town.seen.answers[f"changes: {kind}"] += 1


def _next_of(now: Status, at: datetime, *, revoke: bool) -> tuple[str, Status | None]:
    if isinstance(now, Good):
        return "hold", Revoked(Reason.CERTIFICATE_HOLD, at.replace(microsecond=0))
    if isinstance(now, Revoked) and now.reason is Reason.CERTIFICATE_HOLD:
        if revoke:
            return "revoke", Revoked(Reason.SUPERSEDED, now.at)
        return "release", Good()
    return "none", None


# --- The client ---------------------------------------------------------------------------------


def go_on_asking(town: Town, serials: list[SerialNumber]) -> None:
    """Ask about what changes, what does not, and what was never issued; judge each answer."""
    connection = HTTPConnection("127.0.0.1", town.port, timeout=20)
    while not town.over.wait(0.02):
        is_unissued, has_nonce = CHANCE.random() < UNISSUED, CHANCE.random() < NONCES
        serial = SerialNumber.random(7) if is_unissued else CHANCE.choice(serials)
        nonce = os.urandom(16) if has_nonce else b""
        question = town.site.question(serial, nonce)
        method, asked = CHANCE.choice(("GET", "POST")), time.monotonic()
        try:
            if method == "GET":
                connection.request(method, path_of(question))
            else:
                connection.request(method, "/ocsp/issuing", question)
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, HTTPException):  # its worker was killed
            connection.close()
            status, body = 0, b""
        when = asked, time.monotonic()
        said_nothing = what_says_nothing(status, body)
        if said_nothing:
            excused = town.windows.touch(*when)
            town.seen.answers[f"{said_nothing}{', excused' if excused else ''}"] += 1
            if not excused:
                kind = f"{'unissued' if is_unissued else 'issued'}, nonce: {has_nonce}, {method}"
                took = f"{when[1] - asked:.2f} s"
                town.seen.unanswered.append(f"{said_nothing} ({kind}) after {took}")
        else:
            judge(town, serial, when, ocsp.load_der_ocsp_response(body))
    connection.close()


def what_says_nothing(status: int, body: bytes) -> str:
    """The name of what is no answer about a certificate; empty for an answer."""
    if status != 200:
        return "no answer"
    read = ocsp.load_der_ocsp_response(body).response_status
    return "" if read is ocsp.OCSPResponseStatus.SUCCESSFUL else read.name


def judge(
    town: Town, serial: SerialNumber, when: tuple[float, float], read: ocsp.OCSPResponse
) -> None:
    """Compare an answer with what could be true."""
    (asked, got), seen = when, town.seen
    found = status_in(read, town.site.parts)
    seen.answers[type(found).__name__.lower()] += 1
    possible = town.history.possible(serial, asked - LATE, got) or [Unknown()]
    if found in possible and read.serial_number == serial:
        return
    if found in town.history.possible(serial, asked - WRONG, got):
        seen.late += 1
    else:
        seen.wrong.append(f"{serial.hex}: {found}, possible were {possible}")


# --- The load -----------------------------------------------------------------------------------


def go_on_loading(town: Town, script: Path, wanted: float) -> None:
    """So many requests a second in short stretches, so that each is with or without a fault.

    Each connection rests between two requests; how many it takes is found from stretch to stretch.
    """
    connections = max(1.0, wanted * REST / 1000)
    while not town.over.is_set():
        began = time.monotonic()
        load = run_wrk(town.port, script, SLICE, int(connections))
        town.seen.rates.append(load.rate)
        if load.refused and not town.windows.touch(began, time.monotonic()):
            town.seen.refused += load.refused
        connections = min(max(connections * min(wanted / load.rate, 2), 1), MOST_CONNECTIONS)


# --- Faults -------------------------------------------------------------------------------------


def kill_a_worker(town: Town) -> None:
    younger = max(town.workers(), key=_begun)  # the memory of the elder is watched
    os.kill(younger, signal.SIGKILL)


def _begun(process: int) -> int:
    """When it began, in ticks; its number says nothing, for numbers begin anew (proc(5))."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])


def fail_the_token(town: Town) -> None:
    town.shim.fail(DEVICE_ERROR, "C_Sign", "C_SignInit", "C_Login", "C_OpenSession")
    time.sleep(1)  # noqa: TID251 - the fault lasts
    town.shim.obey()


def let_writers_wait(town: Town) -> None:
    with closing(sqlite3.connect(town.service.state / "tillid.sqlite", timeout=20)) as database:
        database.isolation_level = None
        database.execute("BEGIN IMMEDIATE")
        time.sleep(1)  # noqa: TID251 - the fault lasts
        database.execute("ROLLBACK")


FAULTS: tuple[Callable[[Town], None], ...] = (kill_a_worker, fail_the_token, let_writers_wait)


def go_on_breaking(town: Town, pause: float) -> None:
    """One fault after the other, with a pause (seconds) between."""
    number = 0
    while not town.over.wait(pause):
        town.windows.begin(time.monotonic())
        FAULTS[number % len(FAULTS)](town)
        town.windows.end(time.monotonic())
        number += 1


# --- All together -------------------------------------------------------------------------------


@contextmanager
def a_town(folder: Path) -> Iterator[Town]:
    """The service on a shim, with certificates whose responses are all made ahead."""
    library = compiled(SOURCE, folder / "shim.so", "-shared", "-fPIC")
    service = Service.prepare(folder / "state")
    settings = load_settings(service.environment, service.state)
    with assembled(settings) as parts:
        load_certificates(parts.database, CERTIFICATES, timedelta(days=90))
        shim = Shim.in_folder(library, service.state / "shim")
        service.environment |= shim.environment | {
            "TILLID_HSM__MODULE": str(shim.module),
            "TILLID_PUBLIC__WORKERS": "2",
        }
        try:
            service.start()
            responses = OcspResponses(parts.database)
            until("all responses", lambda: not responses.count_due(ISSUING, utc_now()), 120)
            yield Town(service, Site(parts, service.environment, serials_of(parts)), shim)
        finally:
            service.discard()


def resident(pid: int) -> int:
    """KiB of a process that are in memory; 0 when it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")), 0)


def run_to_the_end(town: Town, work: Callable[[], None]) -> None:
    """A part of the soak that breaks ends it, and is told."""
    try:
        work()
    except BaseException as error:
        town.seen.wrong.append(f"the soak itself: {error!r}")
        town.over.set()
        raise


def hold(town: Town, script: Path, peak: Load, seconds: float) -> list[list[int]]:
    """Everything at once for so long; the memory of each worker that lived, second by second."""
    changing = CHANCE.sample(town.site.serials, CHANGING)
    steady = CHANCE.sample(town.site.serials, CHANGING)
    for serial in town.site.serials:
        town.history.begin(serial, Good(), time.monotonic())
    pause = max(10.0, min(60.0, seconds / (len(FAULTS) + 1)))
    asking = lambda: go_on_asking(town, changing + steady)  # noqa: E731 - two of one
    work = [
        Thread(target=run_to_the_end, args=[town, each])
        for each in (
            lambda: go_on_changing(town, changing),
            lambda: go_on_loading(town, script, SHARE * peak.rate),
            lambda: go_on_breaking(town, pause),
            asking,
            asking,
        )
    ]
    for thread in work:
        thread.start()
    warm = min(120.0, seconds / 4)  # until every thread and every response was needed
    town.over.wait(warm)
    began, memory = time.monotonic(), {pid: list[int]() for pid in town.workers()}
    while time.monotonic() - began < seconds - warm and not town.over.wait(1):
        for pid, octets in memory.items():
            octets.append(resident(pid))
    lived = town.workers()
    town.over.set()
    for thread in work:
        thread.join()
    return [octets for pid, octets in memory.items() if pid in lived and all(octets)]


def main() -> int:
    """Run, tell what was seen; 1 if an answer was wrong, missing, or memory grew."""
    seconds = 60 * float(sys.argv[1] if len(sys.argv) > 1 else MINUTES)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tillid-soak.")))
        town = stack.enter_context(a_town(folder))
        asked = [town.site.question(serial) for serial in town.site.serials]
        mixed = [
            get_request(path_of(each)) if number % 2 else post_request("/ocsp/issuing", each)
            for number, each in enumerate(asked)
        ]
        peak = run_wrk(town.port, write_script(folder, "peak", mixed), SLICE)
        memory = hold(town, write_script(folder, "load", mixed, REST), peak, seconds)
    return tell(town, peak, memory)


def grown(octets: list[int]) -> float:
    """By what share: medians of the last and of the first fifth, for a fault makes a short peak."""
    fifth = len(octets) // 5 + 1
    return statistics.median(octets[-fifth:]) / statistics.median(octets[:fifth]) - 1


def tell(town: Town, peak: Load, memory: list[list[int]]) -> int:
    seen = town.seen
    growth = max(map(grown, memory), default=0.0)
    rate = sum(seen.rates) / len(seen.rates)
    if not memory:
        seen.wrong.append("the soak itself: no worker lived from its beginning to its end")
    share = f"{rate:,.0f} a second, {rate / peak.rate:.0%} of the peak"
    print(f"load: {share}; {len(town.windows)} faults")
    for what, count in sorted(seen.answers.items()):
        print(f"  {what}: {count:,}")
    print(
        f"wrong: {len(seen.wrong)}, later than {LATE:.0f} s: {seen.late}, unanswered without a"
        f" fault: {len(seen.unanswered)}, refused by status without a fault: {seen.refused}"
    )
    print(f"memory of workers that lived: {growth:+.1%}")
    for line in seen.wrong[:10]:
        print(f"  WRONG {line}")
    for line in seen.unanswered[:10]:
        print(f"  {line}")
    return int(bool(seen.wrong or seen.unanswered or seen.refused) or growth > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
