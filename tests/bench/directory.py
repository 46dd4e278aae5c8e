"""`./dev bench directory [--count N] [--shown N] [--no-write]`: slapd filled, and compared.

Entries with a certificate go in through `Directory.add_certificates`, which also sees each of them
by a search, beside `ldapadd` of the same LDIF into a server of the same configuration, in turns.
Then a directory of many entries is compared with what is expected of it.
"""

import argparse
import base64
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ca.identifiers import SerialNumber
from demo.processes import free_port
from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory
from publish_ldap.entry import PERSON, Entry, Holder
from publish_ldap.errors import DirectoryError
from publish_ldap.reconciliation import Expected, compare
from server.clock import utc_now
from tests.bench.report import write_section
from tests.support.directory_certificates import an_issuer

COUNT = 10_000
SHOWN = 100_000
BATCH = 1_000
ROUNDS = 3
OF_LDAPADD = 1.0  # of the rate of ldapadd, to be reached

Wanted = list[tuple[Entry, bytes]]


@dataclass(frozen=True)
class Compared:
    """How a comparison went: seconds, and how much the process grew (octets)."""

    entries: int
    seconds: float
    memory: int


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


def people(count: int) -> Wanted:
    """Entries with certificates, each of its own serial number; one key serves them all."""
    key, issuer, now = ec.generate_private_key(ec.SECP256R1()), an_issuer(), utc_now()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kirsten Ødegaard")])
    wanted: Wanted = []
    for number in range(count):
        serial = SerialNumber.random()
        certificate = (
            x509.CertificateBuilder(issuer, subject, key.public_key(), serial, now, now)
            .sign(key, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )
        values = (("CN", "Kirsten Ødegaard"), ("SN", "Ødegaard"), ("serialNumber", f"p-{number}"))
        wanted.append((PERSON.entry(Holder("natural-person-low", values)), certificate))
    return wanted


def by_us(wanted: Wanted) -> float:
    """Seconds to publish and see all of it."""
    with a_slapd() as server, Directory(server.settings()) as directory:
        directory.open()
        began = time.perf_counter()
        for first in range(0, len(wanted), BATCH):
            outcomes = directory.add_certificates(wanted[first : first + BATCH])
            if any(isinstance(one, DirectoryError) for one in outcomes):
                raise SystemExit("bench: the directory refused an entry")
        return time.perf_counter() - began


def by_ldapadd(wanted: Wanted, folder: Path) -> float:
    """Seconds of ldapadd for the same entries, which looks at none of them."""
    file = folder / "entries.ldif"
    with a_slapd() as server:
        file.write_text("\n".join(_ldif(server, *each) for each in wanted), encoding="utf-8")
        arguments = ["ldapadd", "-x", "-H", server.url, "-D", server.admin_dn]
        arguments += ["-y", str(server.password_file), "-f", str(file)]
        began = time.perf_counter()
        subprocess.run(arguments, check=True, capture_output=True)
        return time.perf_counter() - began


def _ldif(server: PrivateSlapd, entry: Entry, certificate: bytes) -> str:
    lines = [f"dn: {entry.distinguished_name(server.suffix)}"]
    lines += [f"objectClass: {name}" for name in entry.object_classes]
    lines += [f"{name}:: {_base64(value.encode())}" for name, value in entry.attributes]
    return "\n".join([*lines, f"userCertificate;binary:: {_base64(certificate)}", ""])


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def comparison(wanted: Wanted) -> Compared:
    """Seconds and memory of comparing that many entries with as many publications."""
    with a_slapd() as server, Directory(server.settings()) as directory:
        _load(server, wanted)
        expected = {
            sha256(der).hexdigest(): Expected(number, "published", "issuing", f"{number:x}")
            for number, (_, der) in enumerate(wanted)
        }
        sizes = [_resident()]
        began = time.perf_counter()
        found = compare(0, expected, _watched(directory.certificates(), sizes), _nobody)
        seconds = time.perf_counter() - began
    if found.drift or found.certificates != len(wanted):
        raise SystemExit("bench: the comparison found what is not so")
    return Compared(len(wanted), seconds, max(sizes) - sizes[0])


def _load(server: PrivateSlapd, wanted: Wanted) -> None:
    """Put all of it there with slapadd, while the server is down."""
    server.stop()
    folder = server.password_file.parent
    file = folder / "entries.ldif"
    file.write_text("\n".join(_ldif(server, *each) for each in wanted), encoding="utf-8")
    command = ["slapadd", "-q", "-f", str(folder / "slapd.conf"), "-l", str(file)]
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PATH": path})
    file.unlink()
    server.start()


def _nobody(_name: x509.Name, _serial: SerialNumber) -> None:
    """Every certificate is known."""


def _watched(shown: Iterator[tuple[str, bytes]], sizes: list[int]) -> Iterator[tuple[str, bytes]]:
    for number, each in enumerate(shown):
        if number % BATCH == 0:
            sizes.append(_resident())
        yield each
    sizes.append(_resident())


def _resident() -> int:
    """Octets of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def report(count: int, ours: Sequence[float], theirs: Sequence[float], seen: Compared) -> str:
    """The table, and whether the share that is to be reached was."""
    us, them = count / statistics.median(ours), count / statistics.median(theirs)
    share = us / them
    short = "" if share >= OF_LDAPADD else ": short"
    limit = f"**{OF_LDAPADD}{short}**" if short else f"{OF_LDAPADD}"
    machine = f"{os.cpu_count()} cores of {platform.machine()}"
    compared = (
        f"A comparison of {seen.entries:,} entries with as many publications took"
        f" {seen.seconds:.1f} s and {seen.memory / 1e6:.0f} MB of memory."
    )
    return f"""{machine}, medians of {len(ours)} rounds in turns; only ratios mean anything.

| {count:,} entries with a certificate into slapd | a second | of ldapadd | to reach |
|---|---|---|---|
| ldapadd of the same LDIF, nothing looked at | {them:,.0f} | 1.00 |  |
| published, and each seen by a search | {us:,.0f} | {share:.2f} | {limit} |

{compared}"""


def main(arguments: list[str]) -> int:
    """Measure, print, and write the section of docs/performance.md."""
    parser = argparse.ArgumentParser(prog="./dev bench directory")
    parser.add_argument("--count", type=int, default=COUNT, help="entries of one round")
    parser.add_argument("--shown", type=int, default=SHOWN, help="entries to compare")
    parser.add_argument("--no-write", action="store_true", help="leave docs/performance.md")
    given = parser.parse_args(arguments)
    wanted = people(max(given.count, given.shown))
    ours, theirs = list[float](), list[float]()
    with tempfile.TemporaryDirectory(prefix="tillid-bench.") as folder:
        for number in range(ROUNDS):
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
            theirs.append(by_ldapadd(wanted[: given.count], Path(folder)))
            ours.append(by_us(wanted[: given.count]))
    text = report(given.count, ours, theirs, comparison(wanted[: given.shown]))
    print(text)
    if not given.no_write:
        write_section("directory", text)
    return 0
