"""Taking over what another authority issued: what is done with each certificate, and why not.

Pure: a source (files, index, CRL) and what the records hold go in, one decision a row comes out. A
revocation is taken from wherever it is told, index or CRL: of two sources the stricter one counts.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ca.foreign_certificates import is_signed_by
from ca.identifiers import SerialNumber
from revocation.foreign_crls import ForeignCrl
from revocation.openssl_index import IndexFault, IndexRow
from revocation.reasons import Reason

Revocation = tuple[Reason, datetime]
_ON_HOLD = (Reason.CERTIFICATE_HOLD, Reason.REMOVE_FROM_CRL)
Found = dict[SerialNumber, tuple[str, x509.Certificate]]
"""The certificates of the authority by serial, each with the name of its file."""


class Decision(StrEnum):
    """What becomes of one row."""

    WILL_IMPORT = "will import"
    WILL_REVOKE = "will revoke"
    """It was taken over before, and revoked there since."""
    ALREADY_THERE = "already there"
    LEFT_OUT = "left out"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Held:
    """What the records hold about one serial; no fingerprint for one that is only revoked."""

    fingerprint: str | None
    revoked: Revocation | None
    is_taken_over: bool = True
    """Not issued here."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the source: its name, and the certificate in it or why there is none."""

    name: str
    certificate: x509.Certificate | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """All that is known about the certificates of the authority that is taken over."""

    authority: x509.Certificate
    files: Iterable[SourceFile]
    index: Iterable[IndexRow | IndexFault] | None = None
    crl: ForeignCrl | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One certificate of the source, or one serial that is only known to be revoked.

    `origin` says where it was found.
    """

    origin: str
    decision: Decision
    why: str = ""
    serial_number: SerialNumber | None = None
    certificate: x509.Certificate | None = field(default=None, repr=False)
    not_after: datetime | None = None
    revoked: Revocation | None = None
    is_unread: bool = False
    """The line cannot be read, and may say of a certificate that it is revoked or on hold."""

    @property
    def may_be_skipped(self) -> bool:
        """Whether no revocation is lost without this row."""
        return self.revoked is None and not self.is_unread

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the certificate in hexadecimal, if there is one."""
        found = self.certificate
        return None if found is None else found.fingerprint(hashes.SHA256()).hex()


def decide(
    source: Source, held: Mapping[SerialNumber, Held], now: datetime, *, keep_expired: bool = True
) -> list[Row]:
    """One row for each file, line of the index, and entry of the CRL that no other row has."""
    return [_judged(row, held, now, keep_expired=keep_expired) for row in _rows(source)]


def compare(
    source: Source, held: Mapping[SerialNumber, Held], now: datetime, *, keep_expired: bool = True
) -> list[str]:
    """What source and records say otherwise about its certificates, one line each.

    Also what cannot be read in the source, and what was taken over and is no longer in it. What
    was issued here afterwards is no difference.
    """
    rows = list(_rows(source))
    compared = [row for row in rows if keep_expired or not _may_be_left(row, now)]
    told = [line for row in compared for line in _differences(row, held)]
    here = (serial for serial, known in held.items() if known.is_taken_over)
    gone = sorted(set(here) - {row.serial_number for row in rows})
    return told + [f"serial {serial.hex}: only the records have it" for serial in gone]


def _rows(source: Source) -> Iterator[Row]:
    """What the source says, not judged yet but for what it cannot mean."""
    found, misplaced = _sorted_files(source)
    yield from misplaced
    listed = {} if source.crl is None else dict(source.crl.entries)
    for line in source.index or ():
        if isinstance(line, IndexFault):
            origin = f"index line {line.line}"
            yield Row(origin, Decision.REFUSED, line.why, is_unread=line.may_be_revoked)
            continue
        file = found.pop(line.serial_number, None)
        yield _from_index(line, file, listed.pop(line.serial_number, None))
    for serial, file in found.items():
        revoked = listed.pop(serial, None)
        row = _of_file(*file, revoked)
        yield row if source.index is None else _refused(row, "the index does not know it")
    for serial, revoked in listed.items():
        ends = source.authority.not_valid_after_utc  # no certificate of it can last longer
        yield Row("CRL", Decision.WILL_IMPORT, "", serial, None, ends, revoked)


def _sorted_files(source: Source) -> tuple[Found, list[Row]]:
    """The files by serial, and rows for those that hold nothing of this authority."""
    found: Found = {}
    misplaced: list[Row] = []
    for file in source.files:
        if file.certificate is None:
            misplaced.append(Row(file.name, Decision.REFUSED, file.why))
            continue
        row = _of_file(file.name, file.certificate, None)
        serial = SerialNumber(file.certificate.serial_number)
        same = found.get(serial)
        if not is_signed_by(file.certificate, source.authority):
            misplaced.append(_refused(row, "another authority signed it"))
        elif same is not None and same[1] == file.certificate:
            misplaced.append(_left_out(row, f"it is in {same[0]}, too"))
        elif same is not None:
            misplaced.append(_refused(row, f"{same[0]} holds another of the same serial number"))
        else:
            found[serial] = (file.name, file.certificate)
    return found, misplaced


def _of_file(origin: str, certificate: x509.Certificate, revoked: Revocation | None) -> Row:
    return Row(
        origin,
        Decision.WILL_IMPORT,
        "",
        SerialNumber(certificate.serial_number),
        certificate,
        certificate.not_valid_after_utc,
        revoked,
    )


def _from_index(
    line: IndexRow, file: tuple[str, x509.Certificate] | None, on_crl: Revocation | None
) -> Row:
    revoked = line.revoked or on_crl
    origin = f"index line {line.line}"
    if file is None:
        row = Row(
            origin, Decision.WILL_IMPORT, "", line.serial_number, None, line.not_after, revoked
        )
        return row if revoked else _refused(row, "no file holds its certificate")
    row = _of_file(f"{origin}, {file[0]}", file[1], revoked)
    if row.not_after != line.not_after:
        return _refused(row, "the index says that it ends at another time")
    return row


def _judged(
    row: Row, held: Mapping[SerialNumber, Held], now: datetime, *, keep_expired: bool
) -> Row:
    """The row with what the records and the clock say about it."""
    if row.decision is not Decision.WILL_IMPORT or row.serial_number is None:
        return row
    known = held.get(row.serial_number)
    why = _against(row, known, now)
    if why:
        return _refused(row, why)
    if known is not None:
        is_same = row.revoked is None or known.revoked is not None
        return replace(row, decision=Decision.ALREADY_THERE if is_same else Decision.WILL_REVOKE)
    if not keep_expired and _may_be_left(row, now):
        return _left_out(row, "it has expired")
    return row


def _against(row: Row, known: Held | None, now: datetime) -> str:
    """Why a row is refused, or nothing."""
    if known is not None and known.fingerprint != row.fingerprint:
        return "the records hold another certificate of the same serial number"
    if row.revoked is None or (known is not None and known.revoked is not None):
        return ""
    reason, at = row.revoked
    if reason in _ON_HOLD:
        return "it is on hold: let it go or revoke it for good there, first"
    return "it is revoked at a time that is still to come" if at > now else ""


def _may_be_left(row: Row, now: datetime) -> bool:
    """Expired, and never revoked: what a CRL lists has to be on the next one (RFC 5280 3.3)."""
    return row.revoked is None and row.not_after is not None and row.not_after < now


def _differences(row: Row, held: Mapping[SerialNumber, Held]) -> Iterator[str]:
    if row.decision is Decision.LEFT_OUT:
        return  # a copy: the row of its first file says all
    if row.serial_number is None:
        yield f"{row.origin}: {row.why}"
        return
    name = f"{row.origin}, serial {row.serial_number.hex}"
    known = held.get(row.serial_number)
    if known is None:
        yield f"{name}: the records do not have it"
        return
    if known.fingerprint != row.fingerprint:
        yield f"{name}: the records hold another certificate"
    if known.revoked != _whole_seconds(row.revoked):
        yield f"{name}: {_told(row.revoked)} there, {_told(known.revoked)} here"


def _whole_seconds(revoked: Revocation | None) -> Revocation | None:
    return None if revoked is None else (revoked[0], revoked[1].replace(microsecond=0))


def _told(revoked: Revocation | None) -> str:
    if revoked is None:
        return "not revoked"
    return f"revoked {revoked[1].isoformat()} ({revoked[0].label})"


def _refused(row: Row, why: str) -> Row:
    return replace(row, decision=Decision.REFUSED, why=why)


def _left_out(row: Row, why: str) -> Row:
    return replace(row, decision=Decision.LEFT_OUT, why=why)
