"""The ledger of consents, and what a consent to publication does to publications at once.

An entry and what follows from it are one transaction: a publication that is withdrawn is due to be
taken out of every directory from the moment at which the withdrawal is on record (GDPR Art. 7(3)).
"""

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, insert, select, update

from audit.events import Detail, Event
from gdpr_erasure.consents import (
    Consent,
    ConsentKind,
    ConsentState,
    IdentityLevel,
    Statement,
    require_change,
)
from records.audit_log import append
from records.database import Database
from records.errors import NotFound
from records.personal_data import PersonalData
from records.tables import certificate, consent, disclosure, publication, subject


class Consents:
    """The consent table."""

    def __init__(
        self, database: Database, personal: PersonalData, directories: tuple[str, ...] = ()
    ) -> None:
        """Use the database, the door for details, and the names of the directories."""
        self._database = database
        self._personal = personal
        self._directories = directories

    def say(self, subject_id: str, said: Statement, now: datetime) -> Consent:
        """Record what a person says, and let publications follow it.

        Raises:
            NotFound: there is no such person.
            ConsentRefused: it is no change of what the person said before.
            RuleBroken: the person is being erased (CON01).
        """
        with self._database.write() as tx:
            found = record_consent(tx, self._personal, subject_id, said, now)
            if said.text.kind is ConsentKind.PUBLICATION:
                follow_consent(tx, subject_id, said.state, self._directories, now)
            kind, state = said.text.kind, said.state
            append(tx, Event(f"consent.{state}", said.actor, f"consent:{kind}", {}), now)
            return found

    def end_publication(self, subject_id: str, said: Statement, case_id: str, now: datetime) -> int:
        """Withdraw a consent to publication that stands, and every publication, for a case.

        It can be repeated: what was withdrawn stays so. Gives how many publications were due to be
        taken back.

        Raises:
            NotFound: there is no such person.
            RuleBroken: the person is being erased (CON01).
        """
        with self._database.write() as tx:
            known = select(subject.c.id).where(subject.c.id == subject_id).with_for_update()
            if tx.execute(known).first() is None:
                raise NotFound("data subject", "of this case")
            stood = has_consented(tx, subject_id)
            if stood:
                record_consent(tx, self._personal, subject_id, said, now)
            count = _withdraw_all(tx, subject_id, now)
            details: dict[str, Detail] = {"count": count, "consent_withdrawn": stood}
            append(tx, Event("case.unpublished", said.actor, case_id, details), now)
        return count

    def history(self, subject_id: str) -> tuple[Consent, ...]:
        """Everything that the person said, kind by kind, in order."""
        query = (
            select(consent)
            .where(consent.c.subject_id == subject_id)
            .order_by(consent.c.kind, consent.c.number)
        )
        with self._database.read() as tx:
            return tuple(_entry(row) for row in tx.execute(query))


def record_consent(
    tx: Connection, personal: PersonalData, subject_id: str, said: Statement, now: datetime
) -> Consent:
    """Add an entry to the ledger inside the caller's transaction.

    Raises: as `Consents.say`.
    """
    # Two at once are one after the other; and whoever makes a publication meanwhile waits.
    known = select(subject.c.id).where(subject.c.id == subject_id).with_for_update()
    if tx.execute(known).first() is None:
        raise NotFound("data subject", "of this consent")
    last = tx.execute(
        select(consent)
        .where(consent.c.subject_id == subject_id, consent.c.kind == said.text.kind)
        .order_by(consent.c.number.desc())
        .limit(1)
    ).first()
    require_change(None if last is None else ConsentState(last.state), said.state)
    details = None
    if said.details is not None:
        octets = json.dumps({"details": said.details}).encode()
        details = personal.seal(tx, subject_id, "contact", octets)
    row = tx.execute(
        insert(consent)
        .values(
            subject_id=subject_id,
            kind=said.text.kind,
            number=1 if last is None else last.number + 1,
            state=said.state,
            text_version=said.text.version,
            text_sha256=said.text.sha256,
            language=said.text.language,
            level=said.level,
            actor=said.actor,
            at=now,
            sealed_details=details,
        )
        .returning(consent)
    ).one()
    return _entry(row)


def has_consented(tx: Connection, subject_id: str) -> bool:
    """Whether the person's last word on publication is a consent."""
    of = (consent.c.subject_id == subject_id, consent.c.kind == ConsentKind.PUBLICATION)
    last = select(consent.c.state).where(*of).order_by(consent.c.number.desc()).limit(1)
    return tx.execute(last).scalar() == ConsentState.GIVEN


def forget_consents(tx: Connection, subject_id: str) -> int:
    """Delete a person's consents and list of recipients in the transaction that erases the person.

    Raises: RuleBroken when the person is not being erased (CON03, DIS01).
    """
    tx.execute(delete(disclosure).where(disclosure.c.subject_id == subject_id))
    return tx.execute(delete(consent).where(consent.c.subject_id == subject_id)).rowcount


def withdrawn_by(tx: Connection, subject_ids: Iterable[str]) -> frozenset[str]:
    """Who of these persons has withdrawn the consent to publication.

    Their rows are locked until the transaction ends, so that none withdraws it meanwhile unseen.
    """
    wanted = sorted(set(subject_ids))
    if not wanted:
        return frozenset()
    locked = select(subject.c.id).where(subject.c.id.in_(wanted)).order_by(subject.c.id)
    tx.execute(locked.with_for_update()).all()
    said = (
        select(consent.c.subject_id, consent.c.state)
        .where(consent.c.subject_id.in_(wanted), consent.c.kind == ConsentKind.PUBLICATION)
        .order_by(consent.c.subject_id, consent.c.number)
    )
    last: dict[str, str] = {row.subject_id: row.state for row in tx.execute(said)}
    return frozenset(one for one, state in last.items() if state == ConsentState.WITHDRAWN)


def follow_consent(
    tx: Connection,
    subject_id: str,
    state: ConsentState,
    directories: tuple[str, ...],
    now: datetime,
) -> None:
    """Take every publication of the person back, or make each good certificate's due."""
    if state is ConsentState.WITHDRAWN:
        _withdraw_all(tx, subject_id, now)
    else:
        _publish_all(tx, subject_id, directories, now)


def _withdraw_all(tx: Connection, subject_id: str, now: datetime) -> int:
    own = publication.c.subject_id == subject_id
    # One that a hold keeps out does not come back when the hold is lifted.
    tx.execute(update(publication).where(own).values(returns=0))
    return tx.execute(
        update(publication)
        .where(own, publication.c.state.in_(("pending", "published")))
        .values(state="withdrawing", retry_at=now, verified_at=None, attempts=0, set_aside_at=None)
    ).rowcount


def _publish_all(
    tx: Connection, subject_id: str, directories: tuple[str, ...], now: datetime
) -> None:
    own = publication.c.subject_id == subject_id
    gone = publication.c.state.in_(("withdrawing", "withdrawn"))
    # As when a hold is lifted: what is to return is marked, and returns unless a hold is on.
    good = exists().where(_of_publication(), *_good(now, "issued", "held"))
    tx.execute(update(publication).where(own, gone, good).values(returns=1))
    in_force = exists().where(_of_publication(), *_good(now, "issued"))
    tx.execute(
        update(publication)
        .where(own, gone, publication.c.returns == 1, in_force)
        .values(state="pending", returns=0, retry_at=now, verified_at=None, attempts=0)
    )
    missing = select(certificate.c.issuer, certificate.c.serial).where(
        certificate.c.subject_id == subject_id, *_good(now, "issued")
    )
    rows = [
        {
            "directory": directory,
            "issuer": issuer,
            "serial": serial,
            "subject_id": subject_id,
            "state": "pending",
            "retry_at": now,
        }
        for directory in directories
        for issuer, serial in tx.execute(
            missing.where(~exists().where(_of_publication(), publication.c.directory == directory))
        )
    ]
    if rows:
        tx.execute(insert(publication), rows)


def _of_publication() -> ColumnElement[bool]:
    return and_(
        certificate.c.issuer == publication.c.issuer, certificate.c.serial == publication.c.serial
    )


def _good(now: datetime, *statuses: str) -> tuple[ColumnElement[bool], ...]:
    return (certificate.c.status.in_(statuses), certificate.c.not_after > now)


def _entry(row: Row[tuple[object, ...]]) -> Consent:
    return Consent(
        kind=ConsentKind(row.kind),
        number=row.number,
        state=ConsentState(row.state),
        text_version=row.text_version,
        text_sha256=row.text_sha256,
        language=row.language,
        level=IdentityLevel(row.level),
        actor=row.actor,
        at=row.at,
    )
