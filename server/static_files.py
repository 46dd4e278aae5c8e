"""Everything that relying parties fetch, as files for a web server or an object store.

CRLs, CA certificates, the latest head of the audit log, and the OCSP answers made ahead, each under
the path that a GET asks for: the base64 of the request about one certificate without a nonce
(RFC 6960 appendix A.1, RFC 5019 section 5). Its `/` part directories, and `//` counts as one, as it
does for a file system. The files are made from the records and compared with them, so that a copy
that was interrupted goes on where it stood, and nothing is kept that is no longer so.
"""

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from ca import der
from ca.identifiers import SerialNumber
from ca.issuers import IssuerRecord
from records.answer_rows import EVER, AnswerRow, answer_rows
from revocation.cert_ids import CertIdHash, IssuerCertIds
from revocation.ocsp import ResponseStatus, error_response
from revocation.ocsp_policy import LONGEST_VALIDITY
from revocation.publication import COMPLETE, DELTA, CrlRecord
from revocation.published_files import is_published, write_published, write_streamed
from server.assembly import Assembly, crl_place
from server.own_certificates import ocsp_policy
from server.public_audit import CHECKPOINT, latest_checkpoint

UNAUTHORIZED = "unauthorized.ocsp"
"""The answer to a question that no file answers (RFC 5019 section 2.2.3)."""
_OVERLAP = timedelta(minutes=1)
WHOLE_PASS = timedelta(hours=1)
_BILLION = 1_000_000_000
_FOR_ALL = 0o644


@dataclass(slots=True)
class StaticFiles:
    """One directory of files, kept as the records are."""

    parts: Assembly
    folder: Path
    _seen: dict[str, datetime] = field(default_factory=dict)
    _whole_at: datetime | None = None

    def publish(self, now: datetime) -> int:
        """Write what is missing and remove what is no longer so; how many files changed.

        The first time, and now and then, everything is compared; else what was made since.

        Raises:
            RecordsError: the records cannot be read.
            PublicationFailed, OSError: a file cannot be written.
        """
        whole = self._whole_at is None or abs(now - self._whole_at) > WHOLE_PASS
        self.folder.mkdir(parents=True, exist_ok=True)
        changed = self._keep(self.folder / UNAUTHORIZED, _UNAUTHORIZED)
        head = latest_checkpoint(self.parts.database)
        if head is not None:
            changed += self._keep(self.folder / "audit" / CHECKPOINT, head)
        for record in self.parts.issuers.all():
            if record.certificate is not None:
                changed += self._certificates(record) + self._crls(record, now)
            if record.answers_ocsp:
                seen = EVER if whole else self._seen.get(record.name, EVER)
                changed += self._answers(record, min(seen, now - _OVERLAP), now)
        if whole:
            changed += sum(_sweep(self.folder / "ocsp", now, self._longest()))
            self._whole_at = now
        return changed

    def _longest(self) -> timedelta:
        """How long the response of any issuer may be valid."""
        records = self.parts.issuers.all()
        policies = (ocsp_policy(self.parts.settings, record) for record in records)
        return max((policy.validity for policy in policies), default=LONGEST_VALIDITY)

    def _keep(self, path: Path, content: bytes) -> int:
        with suppress(OSError):
            if path.read_bytes() == content:
                return 0
        path.parent.mkdir(parents=True, exist_ok=True)
        write_published(path, content)
        return 1

    def _certificates(self, record: IssuerRecord) -> int:
        every = [each.certificate for each in reversed(record.certificates)]
        newest = record.certificate or every[0]
        place = self.folder / "ca"
        done = self._keep(place / f"{record.name}.cer", newest.public_bytes(Encoding.DER))
        bundle = pkcs7.serialize_certificates(every, Encoding.DER)
        return done + self._keep(place / f"{record.name}.p7c", bundle)

    def _crls(self, record: IssuerRecord, now: datetime) -> int:
        """The complete CRL, its delta and the shards, as far as they are in force."""
        lists = self.parts.crls.lists(record.name)
        numbers = {each.number for each in lists if each.shard == COMPLETE}
        stale = [each for each in lists if each.shard == DELTA and each.number not in numbers]
        gone = [_remove(self._crl_file(each)) for each in stale]
        return sum(gone) + sum(self._crl(each, now) for each in lists if each not in stale)

    def _crl_file(self, of: CrlRecord) -> Path:
        return self.folder / "crl" / crl_place(of.issuer, of.shard)

    def _crl(self, of: CrlRecord, now: datetime) -> int:
        path = self._crl_file(of)
        if now > of.next_update:
            return _remove(path)
        if is_published(path, of.sha256):
            return 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.parts.crls.octets(of.issuer, of.shard) as (latest, chunks):
            if latest is None:
                return 0
            write_streamed(path, chunks, latest.sha256)
        return 1

    def _answers(self, record: IssuerRecord, since: datetime, now: datetime) -> int:
        if record.certificate is None:
            return 0
        cert_ids = IssuerCertIds.of(record.certificate)
        place = self.folder / "ocsp" / record.name
        changed = 0
        for row in answer_rows(self.parts.database, record.name, since):
            for hash_ in CertIdHash:
                for name in request_paths(cert_ids, hash_, row.serial):
                    changed += _write_answer(place / name, row, hash_, now)
        # What was made while the pages were read, or by a clock behind ours, is looked at again.
        self._seen[record.name] = now - _OVERLAP
        return changed


_BASIC = der.oid("1.3.6.1.5.5.7.48.1.1")
_BASIC_IS_ACCEPTED = der.element(
    der.context(2),
    der.sequence(der.extension(der.oid("1.3.6.1.5.5.7.48.1.4"), der.sequence(_BASIC))),
)
_UNAUTHORIZED = error_response(ResponseStatus.UNAUTHORIZED)


def request_paths(
    cert_ids: IssuerCertIds, hash_: CertIdHash, serial: SerialNumber
) -> Iterator[str]:
    """Where the answer to requests about a serial lies, below the issuer's folder.

    Asked plainly, and, with SHA-1, as NSS asks: it names the one response type that there is
    (RFC 6960 section 4.4.3).
    """
    about = der.sequence(der.sequence(cert_ids.encode(hash_, serial)))
    for extensions in (b"", _BASIC_IS_ACCEPTED) if hash_ is CertIdHash.SHA1 else (b"",):
        request = der.sequence(der.sequence(about, extensions))
        yield re.sub("/+", "/", b64encode(request).decode())


def _write_answer(path: Path, row: AnswerRow, hash_: CertIdHash, now: datetime) -> int:
    body = row.bodies.get(hash_)
    if body is None or row.this_update is None or row.next_update is None:
        return _remove(path)
    if now >= row.next_update:
        return _remove(path)
    # The web server tells the time of the file, and what was made for another version is another.
    time = int(row.this_update.timestamp()) * _BILLION + row.version % _BILLION
    with suppress(OSError):
        found = path.stat()
        if (found.st_mtime_ns, found.st_size) == (time, len(body)):
            return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not synced, for there are many and they are soon made again: one that a power cut tore is not
    # of its size.
    half = path.with_name(f".{os.getpid()}")
    half.write_bytes(body)
    half.chmod(_FOR_ALL)
    os.utime(half, ns=(time, time))
    half.replace(path)
    return 1


def _remove(path: Path) -> int:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return 1


def _sweep(folder: Path, now: datetime, longest: timedelta) -> Iterator[int]:
    """Remove answers that have ended, of which no row tells any more, and halves of a crash."""
    ended = (now - longest).timestamp()
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with suppress(FileNotFoundError):
                if name.startswith(".") or path.stat().st_mtime < ended:
                    yield _remove(path)
