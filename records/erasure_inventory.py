"""What is kept about a subject, each record with its class and days; and until when it stays."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Row, func, or_, select, update

from gdpr_erasure.record_classes import RecordClass
from gdpr_erasure.retention import Assessment, Item, Ruling
from ra.applications import ApplicationState
from records.tables import application, certificate, publication

_REFUSED = (ApplicationState.REJECTED, ApplicationState.WITHDRAWN, ApplicationState.LAPSED)
_FILES = (RecordClass.PROOFING_EVIDENCE, RecordClass.AGREEMENT_FILE)
_ALWAYS = datetime(9999, 12, 31, tzinfo=UTC)


def inventory(tx: Connection, subject_id: str) -> tuple[Item, ...]:
    """Every record about the subject, in the order of the tables."""
    return (
        *_certificates(tx, subject_id),
        *_applications(tx, subject_id),
        *_publications(tx, subject_id),
    )


def _certificates(tx: Connection, subject_id: str) -> Iterator[Item]:
    rows = select(certificate).where(certificate.c.subject_id == subject_id)
    for row in tx.execute(rows.order_by(certificate.c.issuer, certificate.c.serial)):
        yield Item(
            RecordClass.CERTIFICATE_BODY,
            row.not_before.date(),
            _ended(row),
            row.not_after.date(),
        )


def _ended(row: Row[tuple[object, ...]]) -> date | None:
    if row.status != "revoked":
        return None
    day: date = min(row.decided_at, row.not_after).date()
    return day


def _applications(tx: Connection, subject_id: str) -> Iterator[Item]:
    rows = select(application).where(application.c.subject_id == subject_id)
    for row in tx.execute(rows.order_by(application.c.id)).all():
        created = row.created_at.date()
        if row.state in _REFUSED:
            yield Item(RecordClass.REFUSED_APPLICATION, created, row.updated_at.date())
            continue
        issued = select(certificate).where(certificate.c.application_id == row.id)
        found = tx.execute(issued).all()
        ends = [_ended(each) for each in found]
        ended = None if None in ends or not ends else max(end for end in ends if end is not None)
        expires = max((each.not_after.date() for each in found), default=None)
        for of in _FILES:
            yield Item(of, created, ended, expires)


def _publications(tx: Connection, subject_id: str) -> Iterator[Item]:
    rows = (
        select(certificate.c.not_before)
        .join(
            publication,
            (publication.c.issuer == certificate.c.issuer)
            & (publication.c.serial == certificate.c.serial),
        )
        .where(publication.c.subject_id == subject_id)
        .order_by(publication.c.id)
    )
    for (not_before,) in tx.execute(rows):
        yield Item(RecordClass.PUBLICATION, not_before.date(), by_consent=True)


def mark_kept(tx: Connection, subject_id: str, kept: Assessment, now: datetime) -> None:
    """Write down until when each record stays; a longer time that stands there already stays."""
    today = now.date()
    body = kept.ruling(RecordClass.CERTIFICATE_BODY)
    files = [ruling for of in _FILES if (ruling := kept.ruling(of)) is not None]
    refused = kept.ruling(RecordClass.REFUSED_APPLICATION)
    of = application.c
    is_refused = of.state.in_(_REFUSED)
    for table, rows, rulings in (
        (certificate, certificate.c.subject_id == subject_id, [body]),
        (application, (of.subject_id == subject_id) & ~is_refused, files),
        (application, (of.subject_id == subject_id) & is_refused, [refused]),
    ):
        ends = [_until(each) for each in rulings if each and not each.has_ended(today)]
        if ends:
            longest = max(ends)
            shorter = or_(table.c.keep_until.is_(None), table.c.keep_until < longest)
            tx.execute(update(table).where(rows, shorter).values(keep_until=longest))


def _until(ruling: Ruling) -> datetime:
    """The end of the last day on which it is kept."""
    if ruling.until is None or ruling.until >= _ALWAYS.date():
        return _ALWAYS
    return datetime.combine(ruling.until, datetime.min.time(), UTC) + timedelta(days=1)


def remaining(tx: Connection, subject_id: str) -> tuple[int, int]:
    """How many certificates and how many applications of the subject there are."""

    def count(table: object) -> int:
        of = table.c.subject_id  # type: ignore[attr-defined]  # both tables have it
        return int(tx.execute(select(func.count()).where(of == subject_id)).scalar_one())

    return count(certificate), count(application)
