"""`./dev bench directory [--count N] [--shown N] [--no-write]`: slapd filled, and compared.

Entries with a certificate go in through `Directory.add_certificates`, which also sees each of them
by a search, and out of the outbox, which also reads and records each on SQLite; beside `ldapadd` of
the same LDIF into a server of the same configuration, in turns. Then a directory of many entries is
compared with the records.
"""

import argparse
import base64
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from ca.identifiers import SerialNumber
from demo.processes import free_port
from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory
from publish_ldap.entry import Entry
from publish_ldap.errors import DirectoryError
from publish_ldap.publication import drain
from publish_ldap.reconciliation import compare
from records.directory_desk import DirectoryDesk
from server.clock import utc_now
from server.directories import BATCH
from tests.bench.directory_records import NAME, Wanted, an_office, people, record, say
from tests.bench.report import write_section

COUNT = 10_000
SHOWN = 100_000
ROUNDS = 3
OF_LDAPADD = 1.0  # of the rate of ldapadd, to be reached


@dataclass(frozen=True)
class Compared:
    """How a comparison went: seconds, and how much the process grew at most (octets)."""

    entries: int
    seconds: float
    memory: int


@dataclass(frozen=True)
class Way:
    """A way into a directory, and the seconds that it took in each round."""

    name: str
    fill: Callable[[Sequence[Wanted]], float]
    seconds: list[float]


@contextmanager
def a_slapd() -> Iterator[PrivateSlapd]:
    """A fresh server, with its disk synced as it comes."""
    with tempfile.TemporaryDirectory(prefix="tillid-bench.") as folder:
        server = PrivateSlapd(Path(folder) / "slapd", free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()


def by_ldapadd(wanted: Sequence[Wanted]) -> float:
    """Seconds of ldapadd for the same entries, which looks at none of them."""
    with a_slapd() as server:
        file = _written(server, wanted)
        arguments = ["ldapadd", "-x", "-H", server.url, "-D", server.admin_dn]
        arguments += ["-y", str(server.password_file), "-f", str(file)]
        began = time.perf_counter()
        subprocess.run(arguments, check=True, capture_output=True)
        return time.perf_counter() - began


def by_us(wanted: Sequence[Wanted]) -> float:
    """Seconds to publish and see all of it."""
    with a_slapd() as server, Directory(server.settings()) as directory:
        directory.open()
        began = time.perf_counter()
        for first in range(0, len(wanted), BATCH):
            outcomes = directory.add_certificates(wanted[first : first + BATCH])
            if any(isinstance(one, DirectoryError) for one in outcomes):
                raise SystemExit("bench: the directory refused an entry")
        return time.perf_counter() - began


def out_of_the_outbox(wanted: Sequence[Wanted]) -> float:
    """Seconds to take all of it out of the records, publish and see it, and record that."""
    with a_slapd() as server, an_office() as office:
        office.issuer()
        record(office, wanted, "pending")
        began, done = time.perf_counter(), 0
        while done < len(wanted):
            directory = Directory(server.settings(NAME))
            result = drain(office.publications, directory, utc_now(), BATCH)
            if result.failed:
                raise SystemExit("bench: the directory refused an entry")
            done += result.done
        return time.perf_counter() - began


def comparison(wanted: Sequence[Wanted]) -> Compared:
    """Seconds and memory of comparing that many entries with as many publications."""
    with a_slapd() as server, an_office() as office:
        say(f"{len(wanted):,} entries are loaded")
        office.issuer()
        record(office, wanted, "published")
        _load(server, wanted)
        say("they are compared")
        before = _forgotten_peak()
        began = time.perf_counter()
        with Directory(server.settings()) as directory:
            expected = dict(DirectoryDesk(office.database).expected(NAME))
            found = compare(0, expected, directory.certificates(), _nobody)
        seconds = time.perf_counter() - began
    if found.drift or found.certificates != len(wanted):
        raise SystemExit("bench: the comparison found what is not so")
    return Compared(len(wanted), seconds, _memory("VmHWM") - before)


def _load(server: PrivateSlapd, wanted: Sequence[Wanted]) -> None:
    """Put all of it there with slapadd, while the server is down."""
    server.stop()
    file = _written(server, wanted)
    command = ["slapadd", "-q", "-f", str(file.parent / "slapd.conf"), "-l", str(file)]
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PATH": path})
    file.unlink()
    server.start()


def _written(server: PrivateSlapd, wanted: Sequence[Wanted]) -> Path:
    """The file of them as LDIF."""
    file = server.password_file.parent / "entries.ldif"
    with file.open("w", encoding="utf-8") as stream:
        stream.writelines(_ldif(server, *each) for each in wanted)
    return file


def _ldif(server: PrivateSlapd, entry: Entry, certificate: bytes) -> str:
    lines = [f"dn: {entry.distinguished_name(server.suffix)}"]
    lines += [f"objectClass: {name}" for name in entry.object_classes]
    lines += [f"{name}:: {_base64(value.encode())}" for name, value in entry.attributes]
    return "\n".join([*lines, f"userCertificate;binary:: {_base64(certificate)}", "", ""])


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _nobody(_name: x509.Name, _serial: SerialNumber) -> None:
    """Every certificate is known."""


def _forgotten_peak() -> int:
    """Octets of this process in memory, from where its peak is measured anew (proc(5))."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _memory("VmRSS")


def _memory(what: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(each for each in status.splitlines() if each.startswith(f"{what}:"))
    return int(line.split()[1]) * 1024


_SHORT = (
    "Short: each entry is looked for, too, which ldapadd does not: by one Python process, and by a"
    " search for certificateExactMatch in the server."
)


def report(count: int, ways: Sequence[Way], seen: Compared) -> str:
    """The table, and whether the share that is to be reached was."""
    floor = ways[0].seconds
    rows = []
    for way in ways:
        share = statistics.median(a / b for a, b in zip(floor, way.seconds, strict=True))
        limit = f"{OF_LDAPADD}" if way.fill is by_us else ""
        if limit and share < OF_LDAPADD:
            limit = f"**{limit}: short**"
        rate = count / statistics.median(way.seconds)
        rows.append(f"| {way.name} | {rate:,.0f} | {share:.2f} | {limit} |")
    table = "\n".join(rows)
    short = f"\n{_SHORT}\n" if any("short" in row for row in rows) else ""
    return f"""{os.cpu_count()} cores of {platform.machine()}, medians of {len(floor)} rounds in turns; only ratios mean anything.

| {count:,} entries with a certificate into slapd | a second | of ldapadd | to reach |
|---|---|---|---|
{table}
{short}
A comparison of {seen.entries:,} entries with as many publications, on SQLite, took {seen.seconds:.1f} s and {seen.memory / 1e6:.0f} MB of memory."""  # noqa: E501 - a paragraph is a line


def main(arguments: list[str]) -> int:
    """Measure, print, and write the section of docs/performance.md."""
    parser = argparse.ArgumentParser(prog="./dev bench directory")
    parser.add_argument("--count", type=int, default=COUNT, help="entries of one round")
    parser.add_argument("--shown", type=int, default=SHOWN, help="entries to compare")
    parser.add_argument("--no-write", action="store_true", help="leave docs/performance.md")
    given = parser.parse_args(arguments)
    with an_office() as office:
        wanted = people(office, max(given.count, given.shown))
    ways = [
        Way("ldapadd of the same LDIF, nothing looked at", by_ldapadd, []),
        Way("published, and each seen by a search", by_us, []),
        Way("the same out of the outbox, recorded on SQLite", out_of_the_outbox, []),
    ]
    for number in range(ROUNDS):
        for way in ways:
            way.seconds.append(way.fill(wanted[: given.count]))
            say(f"round {number + 1} of {ROUNDS}: {way.name}: {way.seconds[-1]:.1f} s")
    text = report(given.count, ways, comparison(wanted[: given.shown]))
    print(text)
    if not given.no_write:
        write_section("directory", text)
    return 0
