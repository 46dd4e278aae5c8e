"""The index.txt in which `openssl ca` keeps what it issued: one certificate a line, by tabs.

The columns are status (V, R or E), end of validity, revocation (time, and a reason behind a comma),
serial number in hexadecimal, file name and subject. Times are those of UTCTime or GeneralizedTime.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ca.identifiers import SerialNumber
from revocation.reasons import Reason

_COLUMNS = 6
_UTC_TIME, _GENERALIZED_TIME = 13, 15
_REASONS = {reason.label.lower(): reason for reason in Reason} | {
    "keytime": Reason.KEY_COMPROMISE,
    "cakeytime": Reason.CA_COMPROMISE,
    "holdinstruction": Reason.CERTIFICATE_HOLD,
}


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One line: which certificate, until when, and since when it is revoked, if it is."""

    line: int
    serial_number: SerialNumber
    not_after: datetime
    revoked: tuple[Reason, datetime] | None


@dataclass(frozen=True, slots=True)
class IndexFault:
    """A line that cannot be read, and why."""

    line: int
    why: str
    may_be_revoked: bool = True
    """Unless the line has the form of one that says the certificate is not."""


def read_index(text: str) -> Iterator[IndexRow | IndexFault]:
    """Each line in turn; a serial number that comes twice is a fault the second time."""
    seen: set[SerialNumber] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = _row(number, line)
        except ValueError as error:
            yield IndexFault(number, str(error), _may_be_revoked(line))
            continue
        if row.serial_number in seen:
            why = "its serial number stands on an earlier line, too"
            yield IndexFault(number, why, _may_be_revoked(line))
            continue
        seen.add(row.serial_number)
        yield row


def _may_be_revoked(line: str) -> bool:
    columns = line.split("\t")
    return len(columns) != _COLUMNS or columns[0] not in {"V", "E"} or bool(columns[2])


def _row(number: int, line: str) -> IndexRow:
    columns = line.split("\t")
    if len(columns) != _COLUMNS:
        raise ValueError(f"it has {len(columns)} columns by tabs, where index.txt has {_COLUMNS}")
    status, ends, revoked, serial, _, _ = columns
    if status not in {"V", "R", "E"}:
        raise ValueError("its status is none of V, R and E")
    if (status == "R") != bool(revoked):
        raise ValueError("its status and its time of revocation say otherwise about each other")
    return IndexRow(
        number,
        SerialNumber.from_hex(serial),
        _time(ends),
        _revocation(revoked) if revoked else None,
    )


def _revocation(text: str) -> tuple[Reason, datetime]:
    at, *rest = text.split(",")
    if not rest:
        return Reason.UNSPECIFIED, _time(at)
    reason = _REASONS.get(rest[0].lower())
    if reason is None:
        raise ValueError("its reason is none of RFC 5280 section 5.3.1")
    return reason, _time(at)


def _time(text: str) -> datetime:
    forms = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}
    try:
        read = datetime.strptime(text, forms[len(text)]).replace(tzinfo=UTC)
    except (KeyError, ValueError):
        raise ValueError("a time is not of the form YYMMDDHHMMSSZ") from None
    # Of two digits, 50 to 99 are the last century (RFC 5280 section 4.1.2.5.1); Python says 69.
    is_last_century = len(text) == _UTC_TIME and read.year >= 2050  # noqa: PLR2004
    return read.replace(year=read.year - 100) if is_last_century else read
