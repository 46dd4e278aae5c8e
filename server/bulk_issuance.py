"""Certificates for a folder of requests, in batches, and again from where it was interrupted.

A certificate goes to a file of its request's name. What is there already is left; what was issued
and did not reach its file, because the run was interrupted, is written from the records.
"""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import Issuer
from ca.errors import CaError, Conflict, MalformedRequest
from ca.identifiers import SerialNumber
from ca.issuance import INTENT_LIFETIME, CertificateOrder, issue_all, prepare
from ca.requests import MAX_OCTETS
from ca.spkac import read_request
from hsm.errors import HsmError
from revocation.published_files import write_published
from server.assembly import Assembly
from server.clock import utc_now
from server.ordering import request_order
from server.problem_rows import ROWS
from server.problems import Problem, problem_of

SUFFIXES = frozenset({".csr", ".der", ".pem", ".req"})
MAX_BATCH = 100
# A run that goes on within this time hands out what was issued before, instead of another one.
RESUMED_WITHIN = timedelta(days=1)
FIRST_BATCH = 8

Word = Literal["issued", "written", "there", "refused"]
"""`written`: issued before, and only now put into its file; `there`: nothing was to be done."""


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one request."""

    request: Path
    outcome: Word
    certificate: x509.Certificate | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    request: Path
    out: Path
    order: CertificateOrder


def request_files(folder: Path) -> list[Path]:
    """The files that are taken for requests, by their names' endings, sorted.

    Raises:
        Conflict: two of them would get one file.
    """
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.is_file())
    stems: dict[str, Path] = {}
    for file in files:
        if file.stem in stems:
            raise Conflict(f"name {file.stem}", f"that of {stems[file.stem].name} and {file.name}")
        stems[file.stem] = file
    return files


def issue_requests(
    parts: Assembly, issuer: Issuer, profile: str, files: Sequence[Path], out: Path
) -> Iterator[Item]:
    """Issue for each request file into `out`, one item each as it is done.

    Raises:
        HsmError: the token signed nothing of a whole batch.
        DatabaseUnavailable, PublicationFailed: the rest waits for another run.
    """
    waiting: list[_Wanted] = []
    size = FIRST_BATCH
    for file in files:
        found = _look_at(parts, profile, file, out)
        if isinstance(found, Item):
            yield found
            continue
        waiting.append(found)
        if len(waiting) >= size:
            began = time.monotonic()
            yield from _issue(parts, issuer, waiting)
            waiting, size = [], next_size(size, time.monotonic() - began)
    yield from _issue(parts, issuer, waiting)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder for one run, for two would issue twice.

    Raises:
        Conflict: another run holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"folder {folder}", "in use by another run") from None
        yield
    finally:
        os.close(descriptor)


def next_size(size: int, seconds: float) -> int:
    """Of the next batch: it is to be over long before somebody takes its intents for orphans."""
    share = seconds / INTENT_LIFETIME.total_seconds()
    if share > 1 / 4:
        return max(1, size // 2)
    return min(MAX_BATCH, size * 2) if share < 1 / 8 else size


def _look_at(parts: Assembly, profile: str, file: Path, out: Path) -> "Item | _Wanted":
    """What is still to be done for a request."""
    path = out / f"{file.stem}.pem"
    try:
        with file.open("rb") as stream:
            request = read_request(stream.read(MAX_OCTETS + 1))
        order = request_order(profile, request)
        if path.exists():
            return Item(file, "there", _already(parts, path, order))
    except CaError as error:
        return _refused(file, error)
    except OSError as error:
        why = error.strerror or "it cannot be read"
        return _refused(file, MalformedRequest(f"file {file.name}", why))
    before = _issued_before(parts, order, utc_now())
    if before is None:
        return _Wanted(file, path, order)
    _write(path, before)
    return Item(file, "written", before)


def _already(parts: Assembly, path: Path, order: CertificateOrder) -> x509.Certificate:
    """The certificate in the file, if it is ours, good, and the one that is asked for."""
    with suppress(ValueError):
        there = x509.load_pem_x509_certificate(path.read_bytes())
        fingerprint = there.fingerprint(hashes.SHA256()).hex()
        if parts.certificates.find(
            fingerprint=fingerprint, spki_sha256=order.spki_sha256, status="issued"
        ):
            return there
    raise Conflict(f"file {path}", "there, and is no good certificate for this request")


def _issued_before(
    parts: Assembly, order: CertificateOrder, now: datetime
) -> x509.Certificate | None:
    found = parts.certificates.find(
        spki_sha256=order.spki_sha256, profile=order.profile.name, status="issued"
    )
    for record in found:
        if record.issued_at is not None and now - record.issued_at < RESUMED_WITHIN:
            body = parts.certificates.body(record.issuer, record.serial_number)
            if body.subject == order.subject.to_x509() and _hosts(body) == set(order.host_names):
                return body
    return None


def _hosts(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return {*names.get_values_for_type(x509.DNSName), *addresses}


def _issue(parts: Assembly, issuer: Issuer, wanted: Sequence[_Wanted]) -> Iterator[Item]:
    now, node = utc_now(), parts.settings.serial.node
    batch, sent = [], []
    for each in wanted:
        try:
            batch.append(prepare(each.order, issuer, now, node))
            sent.append(each)
        except CaError as error:
            yield _refused(each.request, error)
    outcomes = issue_all(batch, parts.certificates, "system:operator", now)
    failed = [outcome for outcome in outcomes if isinstance(outcome, HsmError)]
    if failed and len(failed) == len(outcomes):
        raise failed[0]
    for each, outcome in zip(sent, outcomes, strict=True):
        if isinstance(outcome, Exception):
            yield _refused(each.request, outcome)
        else:
            _write(each.out, outcome)
            yield Item(each.request, "issued", outcome)


def _refused(file: Path, error: Exception) -> Item:
    problem = problem_of(error, ROWS)
    if problem is None:
        raise error
    return Item(file, "refused", problem=problem)


def _write(path: Path, certificate: x509.Certificate) -> None:
    """Whole or not at all, also at a power cut: a file that is there is taken for done."""
    write_published(path, certificate.public_bytes(Encoding.PEM))


def serial_of(item: Item) -> str | None:
    """The serial number of an item's certificate in hexadecimal, if it has one."""
    return SerialNumber(item.certificate.serial_number).hex if item.certificate else None
