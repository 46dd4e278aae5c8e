"""`./dev bench revoke [--count N] [--no-write]`: many revoked at once, and one seen from outside.

Bulk revocations stand beside plain batched updates of a table of the same shape without triggers,
in the same run. Then single revocations are watched at a running listener under load: how long
from the commit until OCSP says revoked.
"""

import os
import platform
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event

from cryptography import x509
from sqlalchemy import MetaData, Table, bindparam, insert, select, text, update

from ca.identifiers import IssuerName, SerialNumber
from hsm.softhsm import SoftHsmStore
from records.bulk_revocations import BATCH
from records.database import Database
from records.officers import Role
from records.statuses import Statuses, ended
from records.tables import certificate
from revocation.causes import Cause, Grounds
from revocation.selections import Selection
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from tests.bench.issue import a_site, postgres_on
from tests.bench.report import write_section
from tests.support.command_line import ROOT
from tests.support.service import Service
from tests.support.staff import an_officer
from tests.support.status import ocsp_status

COUNT = 100_000
LIFE = timedelta(days=30)
OF_PLAIN = 0.3  # of the rate of plain updates, to be reached
SEEN_WITHIN = 60.0  # seconds until CRL and OCSP show all, at most
WATCHED = 200
WATCHED_P99 = 1.0  # seconds, at most
_LOAD = [sys.executable, str(ROOT / "tests" / "bench" / "revoke_load.py")]
_CHUNK = 10_000
_GROUNDS = Grounds(Cause.REPLACED)
_VALUES = ("status", "revoked_at", "reason", "crl_entry", "cause", "invalid_since")


@dataclass(frozen=True)
class Bulk:
    """Certificates a second in one engine, and the seconds until all of them are seen."""

    engine: str
    count: int
    plain: float
    triggered: float
    revoked: float
    seen: float


def bulk(parts: Assembly, engine: str, count: int) -> Bulk:
    """The same number of certificates by plain updates, by updates with triggers, and in bulk."""
    _load(parts.database, 2 * count)
    with parts.database.read() as tx:
        loaded = certificate.c.sealed_der == certificate.c.sealed_tbs
        serials = list(tx.execute(select(certificate.c.serial).where(loaded)).scalars())
    chosen, others = sorted(serials[:count]), sorted(serials[count:])
    copy = _copy_of_certificates(parts.database)
    plain = _rate(len(chosen), lambda: _update(parts.database, copy, chosen))
    triggered = _rate(len(others), lambda: _update(parts.database, certificate, others))
    first, second = (an_officer(parts, Role.SECURITY_ADMINISTRATOR).officer.id for _ in range(2))
    issuing = IssuerName("issuing")
    places = {(issuing, SerialNumber.from_hex(s)): n for n, s in enumerate(chosen, 1)}
    plan = parts.bulk_revocations.plan(Selection(places), _GROUNDS, first, utc_now())
    began = time.perf_counter()
    parts.bulk_revocations.begin(plan.id, plan.sha256, second, utc_now())
    revoked = _rate(count, lambda: _carry_on(parts, plan.id))
    metrics = Metrics.of_process()
    run_job("renew-crls", parts, metrics)
    run_job("publish-crls", parts, metrics)
    seen = time.perf_counter() - began
    crl = x509.load_der_x509_crl(parts.crl_file(issuing).read_bytes())
    assert len(crl) >= count
    return Bulk(engine, count, plain, triggered, revoked, seen)


def _load(database: Database, count: int) -> None:
    """Issued certificates as rows, on either engine; only their number and their life matter."""
    for start in range(0, count, _CHUNK):
        now = utc_now()
        rows = [
            {
                "issuer": "issuing",
                "serial": SerialNumber.random().hex,
                "status": "intent",
                "profile": "tls-server",
                "profile_sha256": "0" * 64,
                "not_before": now,
                "not_after": now + LIFE,
                "spki_sha256": secrets.token_hex(32),
                "sealed_tbs": secrets.token_bytes(600),
                "intended_at": now,
            }
            for _ in range(min(_CHUNK, count - start))
        ]
        issued = {
            "status": "issued",
            "sealed_der": certificate.c.sealed_tbs,
            "fingerprint": certificate.c.spki_sha256,
            "issued_at": now,
        }
        with database.write() as tx:
            tx.execute(insert(certificate), rows)
            tx.execute(update(certificate).where(certificate.c.status == "intent").values(issued))


def _carry_on(parts: Assembly, job: str) -> None:
    while parts.bulk_revocations.carry_on(job, utc_now()).ended_at is None:
        pass


def _copy_of_certificates(database: Database) -> Table:
    """A table with the same rows, key and indexes, and without a trigger."""
    plain = certificate.to_metadata(MetaData(), name="plain_certificate")
    for index in list(plain.indexes):
        index.name = f"plain_{index.name}"
    for constraint in plain.constraints:
        constraint.name = None
    with database.write() as tx:
        plain.create(tx)
        tx.execute(text("INSERT INTO plain_certificate SELECT * FROM certificate"))
    return plain


def _update(database: Database, table: Table, serials: list[str]) -> None:
    """Updates as a bulk revocation makes them, a batch a transaction, and nothing else."""
    names = (*_VALUES, "decided_at", "decided_by")
    statement = (
        update(table)
        .where(table.c.issuer == "issuing", table.c.serial == bindparam("of_serial"))
        .values({name: bindparam(name) for name in names})
    )
    for start in range(0, len(serials), BATCH):
        now = utc_now()
        rows = [
            {
                "of_serial": serial,
                **ended(serial, "revoked", _GROUNDS, now.replace(microsecond=0)),
                "decided_at": now,
                "decided_by": "system:bench",
            }
            for serial in serials[start : start + BATCH]
        ]
        with database.write() as tx:
            tx.execute(statement, rows)


def _rate(count: int, act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return count / (time.perf_counter() - began)


@dataclass(frozen=True)
class Watched:
    """Seconds from the commit of a revocation until OCSP told it, and the load meanwhile."""

    seconds: list[float]
    load: float

    def at(self, share: float) -> float:
        return sorted(self.seconds)[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


def watched(folder: Path) -> Watched:
    """Single revocations at a running listener while others ask it for all they can."""
    service = Service.prepare(folder).start()
    database = Database(f"sqlite:///{service.state / 'tillid.sqlite'}")
    try:
        _load(database, 5_000)
        with database.read() as tx:
            found = tx.execute(select(certificate.c.serial).where(certificate.c.status == "issued"))
            serials = random.Random(1).sample(sorted(found.scalars()), 1_000)  # noqa: S311 - a sample
        command = [*_LOAD, service.public_url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as load:
            assert load.stdin is not None
            load.stdin.write("\n".join(serials[WATCHED:]).encode() + b"\n\n")
            load.stdin.flush()
            statuses, began = Statuses(database), time.perf_counter()
            taken = [_seen(service, statuses, serial) for serial in serials[:WATCHED]]
            asked, _ = load.communicate()
            return Watched(taken, int(asked) / (time.perf_counter() - began))
    finally:
        database.close()
        service.discard()


def _seen(service: Service, statuses: Statuses, serial: str) -> float:
    number = SerialNumber.from_hex(serial)
    _says_revoked(service, number)  # so that the workers hold the answer from before
    statuses.revoke(IssuerName("issuing"), number, _GROUNDS, "system:job", utc_now())
    began = time.perf_counter()
    while not _says_revoked(service, number):
        Event().wait(0.01)
    return time.perf_counter() - began


def _says_revoked(service: Service, serial: SerialNumber) -> bool:
    try:
        return ocsp_status(service, serial).name == "REVOKED"
    except ValueError:  # tryLater: it cannot be told yet
        return False


def measure(folder: Path, count: int) -> Iterator[Bulk | Watched]:
    """Both engines, then the running listener."""
    store = SoftHsmStore(folder / "softhsm")
    store.activate()
    with ExitStack() as stack:
        parts, _ = stack.enter_context(a_site(folder / "sqlite", store))
        yield bulk(parts, "SQLite", count)
        postgres = stack.enter_context(postgres_on(folder))
        there, _ = stack.enter_context(
            a_site(folder / "postgresql", store, postgres.create("bench"))
        )
        yield bulk(there, "PostgreSQL", count)
    yield watched(folder / "service")


def render(found: list[Bulk | Watched]) -> str:
    """The tables in Markdown, each figure with what it is to be."""
    goals = f"bulk / plain (>= {OF_PLAIN}) | in CRL and OCSP after (<= {SEEN_WITHIN:.0f} s)"
    lines = [
        f"{os.cpu_count()} cores of {platform.machine()}, one run; only ratios mean anything.",
        "",
        f"| engine | certificates | plain updates/s | with triggers/s | in bulk/s | {goals} |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {b.engine} | {b.count:,} | {b.plain:,.0f} | {b.triggered:,.0f} | {b.revoked:,.0f} |"
        f" {b.revoked / b.plain:.2f} | {b.seen:.1f} s |"
        for b in found
        if isinstance(b, Bulk)
    ]
    lines += [
        f"\nShort: {b.engine}: of {b.seen:.0f} s until all are seen, {b.count / b.triggered:.0f} s"
        " are bare updates of as many rows with their triggers, which write a change of status."
        for b in found
        if isinstance(b, Bulk) and b.seen > SEEN_WITHIN
    ]
    lines += [
        "",
        f"| seen in OCSP | p50 | p99 (<= {WATCHED_P99:.0f} s) | requests/s meanwhile |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {len(w.seconds)} of them | {statistics.median(w.seconds):.3f} s | {w.at(0.99):.3f} s |"
        f" {w.load:,.0f} |"
        for w in found
        if isinstance(w, Watched)
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure, print the tables and write them into docs/performance.md."""
    rest, count = [a for a in arguments if a != "--no-write"], COUNT
    if rest[:1] == ["--count"] and rest[1:2] and rest[1].isdecimal():
        count, rest = int(rest[1]), rest[2:]
    if rest:
        print(f"bench revoke: there is no {rest[0]}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # the server of PostgreSQL runs as another user
        found = []
        for each in measure(Path(folder), count):
            found.append(each)
            print(each if isinstance(each, Bulk) else each.at(0.99), file=sys.stderr)
    text = render(found)
    print(text)
    if "--no-write" not in arguments:
        write_section("revoke", text)
    return 0
