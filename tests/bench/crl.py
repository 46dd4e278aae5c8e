"""`./dev bench crl`: what a CRL costs from the records to the file, beside its floor and openssl.

The path is a whole issue: read what changed, build, sign, check, record, write and read back. Its
floor is joining and signing as many ready entries in memory. `--no-write` leaves docs alone.
"""

import ctypes
import gc
import hashlib
import os
import platform
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, insert, text, update

from ca.identifiers import SerialNumber
from records.database import Database
from records.guards import triggers
from records.schema import migrate
from records.tables import issuer, revocation_residue
from records.triggers import Trigger
from revocation.crl_entries import encode_entry
from revocation.crl_issue import Workplace, issue_list
from revocation.crl_plan import CrlMade
from revocation.publication import NOTHING_LEFT, CrlScope, IssuingKey
from revocation.reasons import Reason
from server.clock import utc_now
from tests.bench.report import write_section
from tests.support.openssl_ca import an_openssl_ca
from tests.support.stores import CRL_POLICY, ISSUING, Stores

SIZES = (100_000, 1_000_000)
WANTED = {100_000: 5.0, 1_000_000: 4.0}
_FASTER = 5.0
_MEGABYTES = 100
_ROUNDS = 3
_CHUNK = 50_000


@dataclass
class Size:
    """What was found for one length; each time is (wall, CPU) in seconds."""

    entries: int
    anew: tuple[float, float] = (0, 0)
    again: list[tuple[float, float]] = field(default_factory=list)
    after_hundred: list[tuple[float, float]] = field(default_factory=list)
    floor: list[tuple[float, float]] = field(default_factory=list)
    disk: list[tuple[float, float]] = field(default_factory=list)
    grown: float = 0
    grown_anew: float = 0
    octets: int = 0
    peer: list[tuple[float, float]] = field(default_factory=list)


def timed(act: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of one act."""
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - wall, time.process_time() - cpu


def grown_by(act: Callable[[], object]) -> float:
    """By how many megabytes the memory of this process grew while it acted, at the most."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # what follows is the peak from here
    before = _memory("VmRSS")
    act()
    return max(0.0, _memory("VmHWM") - before)


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


@dataclass
class Bench:
    """One list of revoked certificates in a database of its own."""

    stores: Stores
    path: Path
    now: datetime

    def revoke(self, serials: Iterable[int], *, load: bool = False) -> None:
        """So many more, as what an erasure leaves; `load` writes down one change for all."""
        ends = self.now + timedelta(days=400)
        rows = [
            {
                "issuer": ISSUING,
                "serial": SerialNumber(serial).hex,
                "revoked_at": self.now,
                "reason": 4,
                "not_after": ends,
                "crl_entry": encode_entry(SerialNumber(serial), self.now, Reason.SUPERSEDED),
            }
            for serial in serials
        ]
        with self.stores.database.write() as tx:
            tx.execute(insert(revocation_residue), rows)
            if load:
                tx.execute(update(issuer).values(status_version=issuer.c.status_version + 1))

    def issue(self, made: CrlMade) -> None:
        certificate = self.stores.issuer().certificate
        assert certificate is not None
        of = IssuingKey(ISSUING, certificate, self.stores.issuer_key), CrlScope(ISSUING)
        found = issue_list(self.stores.crls, of, utc_now(), CRL_POLICY, Workplace(self.path))
        assert found.made is made


def measure(entries: int, folder: Path) -> Size:
    """All of one length."""
    folder.mkdir()
    database = Database(f"sqlite:///{folder}/tillid.db")
    migrate(database)
    bench = Bench(Stores(database), folder / "issuing.crl", utc_now().replace(microsecond=0))
    bench.stores.issuer()
    _load(bench, entries)
    found = Size(entries)
    found.grown_anew = grown_by(lambda: _into(found, bench))
    found.octets = bench.path.stat().st_size
    bench.revoke([_random()])
    found.grown = grown_by(lambda: found.again.append(timed(lambda: bench.issue(CrlMade.CHANGES))))
    ready = list(take_all(bench))
    key = bench.stores.issuer_key
    for _ in range(_ROUNDS):
        floor = timed(lambda: key.sign(b"".join(ready), ec.ECDSA(hashes.SHA256())))
        found.floor.append(floor)
        found.disk.append(timed(lambda: _write(folder / "disk", found.octets)))
        bench.revoke([_random()])
        found.again.append(timed(lambda: bench.issue(CrlMade.CHANGES)))
        bench.revoke(_random() for _ in range(100))
        found.after_hundred.append(timed(lambda: bench.issue(CrlMade.CHANGES)))
    database.close()
    return found


def take_all(bench: Bench) -> Iterator[bytes]:
    """Every ready entry."""
    with bench.stores.crls.next_crl(CrlScope(ISSUING)) as source:
        yield from source.entries(NOTHING_LEFT)


def _write(path: Path, octets: int) -> None:
    """Write and sync a file of that length, and sync it once more, as a commit does."""
    with path.open("wb") as file:
        file.write(bytes(octets))
        os.fsync(file.fileno())
        file.write(b"0")
        file.flush()
        os.fsync(file.fileno())


def _into(found: Size, bench: Bench) -> None:
    found.anew = timed(lambda: bench.issue(CrlMade.ROWS))


def _random() -> int:
    return int.from_bytes(secrets.token_bytes(19)) | 1 << 151


def _load(bench: Bench, entries: int) -> None:
    """Without what follows from each revocation: only the rows matter here."""
    with bench.stores.database.write() as tx:
        for trigger in _left_out(tx):
            tx.execute(text(f"DROP TRIGGER {trigger.name}"))
    for start in range(0, entries, _CHUNK):
        bench.revoke((_random() for _ in range(min(_CHUNK, entries - start))), load=True)
    with bench.stores.database.write() as tx:
        for trigger in _left_out(tx):
            for statement in trigger.create:
                tx.exec_driver_sql(statement)


def _left_out(tx: Connection) -> list[Trigger]:
    return [each for each in triggers(tx.dialect.name) if each.table == "revocation_residue"]


def peer(entries: int, folder: Path) -> list[tuple[float, float]]:
    """Seconds of `openssl ca -gencrl` over as many lines."""
    authority = an_openssl_ca(folder)
    line = "R\t400101000000Z\t261101000000Z,superseded\t{serial:040X}\tunknown\t/CN=x\n"
    with authority.index.open("w") as index:
        index.writelines(line.format(serial=_random()) for _ in range(entries))
    return [timed(authority.publish) for _ in range(3)]


def median(taken: list[tuple[float, float]]) -> float:
    """Wall seconds."""
    return statistics.median(wall for wall, _ in taken)


def render(sizes: list[Size]) -> str:
    """The tables in Markdown."""
    cores = f"{os.cpu_count()} cores of {platform.machine()}"
    head = (
        f"{cores}, medians of {_ROUNDS} rounds in one run on SQLite, a software key on P-256; only"
        " ratios mean anything. A whole issue reads what changed, builds, signs, checks, records,"
        " writes with fsync and reads back; its floor joins and signs as many ready entries in"
        " memory. Disk: as many octets written and synced, and synced once more."
    )
    columns = (
        "| entries | octets | floor ms | disk ms | whole issue ms | of it CPU | ratio | to reach |"
        " after 100 more | MB above base | to reach |"
    )
    lines = [head, "", columns, "|---|---|---|---|---|---|---|---|---|---|---|"]
    for of in sizes:
        ratio = median(of.again) / median(of.floor)
        cpu = statistics.median(each for _, each in of.again)
        lines.append(
            f"| {of.entries:,} | {of.octets:,} | {median(of.floor) * 1e3:,.0f} |"
            f" {median(of.disk) * 1e3:,.0f} | {median(of.again) * 1e3:,.0f} | {cpu * 1e3:,.0f} |"
            f" {ratio:.1f} |"
            f" {_said(ratio <= WANTED[of.entries], f'<= {WANTED[of.entries]:g}')} |"
            f" {median(of.after_hundred) * 1e3:,.0f} | {of.grown:,.0f} |"
            f" {_said(of.grown <= _MEGABYTES, f'<= {_MEGABYTES}')} |"
        )
    lines.append("")
    lines.append("| made anew from all rows | ms | MB above base | openssl ca -gencrl | to reach |")
    lines.append("|---|---|---|---|---|")
    for of in sizes:
        beside = ""
        if of.peer:
            times = median(of.peer) / median(of.again)
            beside = f"{median(of.peer) * 1e3:,.0f} ms, {times:.1f} times a whole issue"
            beside += f" | {_said(times >= _FASTER, f'>= {_FASTER:g}')}"
        lines.append(
            f"| {of.entries:,} | {of.anew[0] * 1e3:,.0f} | {of.grown_anew:,.0f} |"
            f" {beside or ' | '} |"
        )
    return "\n".join([*lines, *_limits(sizes)])


def _limits(sizes: list[Size]) -> Iterator[str]:
    """Of each length that is short: what its time, or its memory, goes to."""
    for of in sizes:
        again, floor, disk = median(of.again), median(of.floor), median(of.disk)
        if again > WANTED[of.entries] * floor:
            octets = bytes(of.octets)
            digest = min(timed(lambda octets=octets: hashlib.sha256(octets))[0] for _ in range(5))
            rest = again - floor - disk - 3 * digest
            yield ""
            yield (
                f"Short: {of.entries:,}: of {again * 1e3:,.0f} ms the floor is {floor * 1e3:,.0f}"
                f" and the disk {disk * 1e3:,.0f}; three further digests of all octets (of the one"
                f" before, of the new one, and of what was read back) take {3 * digest * 1e3:,.0f}."
                f" The other {max(rest, 0) * 1e3:,.0f} do not grow with the list: statements,"
                " pieces, gate, record."
            )
        if of.grown_anew > _MEGABYTES:
            yield ""
            yield (
                f"Short: {of.entries:,} made anew from all rows takes {of.grown_anew:,.0f} MB above"
                f" base, and not {_MEGABYTES}; that is once a day and after an import."
            )


def _said(holds: bool, wanted: str) -> str:  # noqa: FBT001 - one word of a table
    return f"{wanted}: reached" if holds else f"**{wanted}: short**"


def main(arguments: list[str]) -> int:
    """Measure, print the tables and write them into docs/performance.md."""
    unknown = set(arguments) - {"--no-write"}
    if unknown:
        print(f"bench crl: there is no {unknown.pop()}", file=sys.stderr)
        return 2
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for entries in SIZES:
            print(f"bench: {entries:,} entries", file=sys.stderr)
            found.append(measure(entries, Path(folder) / str(entries)))
        found[0].peer = peer(SIZES[0], Path(folder) / "openssl")
    told = render(found)
    print(told)
    if "--no-write" not in arguments:
        write_section("crl", told)
    return 0
