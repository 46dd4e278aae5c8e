"""Applications: operational columns in clear, everything else sealed as one body.

Implements `ra.applications.ApplicationStore`.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from audit.events import Detail, Event
from audit.payloads import Payload
from ca.issuance import Approval as SignedPackage
from gdpr_erasure.consents import ConsentKind, ConsentState, ConsentText, Statement, text_for
from ra.applications import Application, ApplicationId, ApplicationState
from ra.approvals import Approval, ApprovedApplication
from ra.documents import (
    OperationalColumns,
    operational_columns,
    personal_document,
    restore_application,
)
from ra.errors import Conflict, NotFound
from ra.levels import AssuranceLevel
from records.audit_payloads import Told, append_told
from records.database import Database
from records.personal_data import PersonalData
from records.publication_consents import has_consented, record_consent
from records.tables import application, approval, subject

# Built once: every tick asks.
_IN_STATES = (
    select(application)
    .where(application.c.state.in_(bindparam("states", expanding=True)))
    .where(
        application.c.subject_id.not_in(select(subject.c.id).where(subject.c.state == "erasing"))
    )
    .order_by(application.c.created_at)
)


class Applications:
    """The application and approval tables."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door for the body of each application."""
        self._database = database
        self._personal = personal

    def add(
        self,
        new: Application,
        secret: str,
        now: datetime,
        text: ConsentText | None = None,
        also: Callable[[Connection], object] | None = None,
    ) -> None:
        """Keep a new application; whoever shows the secret later is its applicant.

        A consent to publication goes into the ledger with it, to the text that was read, or to the
        English one in force. `also` writes what belongs to it, in the same transaction.
        """
        columns = operational_columns(new)
        with self._database.write() as tx:
            # Whoever corrects the own data is there already (GDPR Art. 16).
            if not tx.execute(select(subject.c.id).where(subject.c.id == new.subject_id)).first():
                tx.execute(
                    insert(subject).values(
                        id=new.subject_id, kind="natural_person", state="active", created_at=now
                    )
                )
            tx.execute(
                insert(application).values(
                    id=new.id,
                    subject_id=new.subject_id,
                    profile=columns.profile,
                    level=columns.level.name.lower(),
                    spki_sha256=columns.spki_sha256,
                    secret_sha256=_sha256(secret),
                    created_at=new.created_at,
                    **self._changing(tx, new),
                )
            )
            # Whoever corrects the own data may have given it before.
            if new.requested.publication_consent and not has_consented(tx, new.subject_id):
                read = text or text_for(ConsentKind.PUBLICATION, "en", now)
                said = Statement(read, ConsentState.GIVEN, "system:applicant")
                record_consent(tx, self._personal, new.subject_id, said, now)
            if also is not None:
                also(tx)
            told = _told(new, "system:applicant", payload=_names(new))
            append_told(tx, [told], self._personal, now)

    def get(self, application_id: str) -> Application:
        """The application as it stands.

        Raises:
            NotFound: there is none, or its person is being erased: what a duty still keeps of it
                is for nobody to work with.
        """
        with self._database.read() as tx:
            row = _row(tx, application_id)
            state = select(subject.c.state).where(subject.c.id == row.subject_id)
            if tx.execute(state).scalar() == "erasing":
                raise NotFound(application_id)
            return self._application(tx, row)

    def is_applicant(self, application_id: str, secret: str) -> bool:
        """Whether this is the secret that was given to the applicant."""
        with self._database.read() as tx:
            kept = tx.execute(
                select(application.c.secret_sha256).where(application.c.id == application_id)
            ).scalar()
        return kept is not None and hmac.compare_digest(kept, _sha256(secret))

    def update(
        self,
        before: Application,
        after: Application,
        actor: str,
        now: datetime,
        also: Callable[[Connection], object] | None = None,
    ) -> None:
        """Replace an application that nobody else changed meanwhile; else Conflict.

        `also` writes what belongs to it in the same transaction, before the row changes.
        """
        with self._database.write() as tx:
            self._require_unchanged(tx, before)
            if also is not None:
                also(tx)
            self._write(tx, after)
            append_told(tx, [_told(after, actor, payload=_reasons(after))], self._personal, now)

    def update_all(
        self,
        changes: Sequence[tuple[Application, Application]],
        actor: str,
        now: datetime,
        also: Callable[[Connection], object] | None = None,
    ) -> None:
        """Replace applications in one transaction; Conflict if anybody changed one meanwhile.

        `also` writes what belongs to them, before the rows change.
        """
        with self._database.write() as tx:
            ordered = sorted(changes, key=lambda change: change[0].id)
            if also is not None:
                also(tx)
            for before, after in ordered:
                self._require_unchanged(tx, before)
                self._write(tx, after)
            told = [_told(after, actor, payload=_reasons(after)) for _, after in ordered]
            append_told(tx, told, self._personal, now)

    def approve(self, before: Application, approved: ApprovedApplication, now: datetime) -> None:
        """Keep an approval, its package and the approved application, all or nothing.

        Raises:
            Conflict: somebody else changed the application meanwhile, or approved it.
            RuleBroken: the database forbids it (RA01 to RA06).
        """
        of = approved.approval
        with self._database.write() as tx:
            self._require_unchanged(tx, before)
            tx.execute(
                insert(approval).values(
                    application_id=of.application_id,
                    officer_id=of.officer,
                    person_id=of.person_id,
                    package_sha256=of.package_hash,
                    sealed_package=self._personal.seal(
                        tx, before.subject_id, "evidence", approved.package
                    ),
                    signature=of.signature,
                    at=of.at,
                )
            )
            self._write(tx, approved.application)
            details: dict[str, Detail] = {"package_sha256": of.package_hash}
            append_told(tx, [_told(approved.application, of.officer, details)], self._personal, now)

    def approval(self, of: Application) -> tuple[Approval, SignedPackage]:
        """The approval of an application and the signed package; NotFound when there is none."""
        with self._database.read() as tx:
            row = tx.execute(
                select(approval).where(
                    approval.c.application_id == of.id,
                    approval.c.package_sha256 == of.package_hash,
                )
            ).first()
            if row is None:
                raise NotFound(of.id)
            package = self._personal.open(tx, of.subject_id, "evidence", row.sealed_package)
        return Approval(
            of.id, row.officer_id, row.person_id, row.package_sha256, row.signature, row.at
        ), SignedPackage(package, row.signature)

    def in_state(self, *states: ApplicationState) -> tuple[Application, ...]:
        """All applications in these states, the oldest first; none of whom is being erased."""
        with self._database.read() as tx:
            rows = tx.execute(_IN_STATES, {"states": states}).all()
            return tuple(self._application(tx, row) for row in rows)

    def of_subject(self, subject_id: str) -> tuple[Application, ...]:
        """All applications of a person, the oldest first."""
        with self._database.read() as tx:
            rows = tx.execute(
                select(application)
                .where(application.c.subject_id == subject_id)
                .order_by(application.c.created_at)
            ).all()
            return tuple(self._application(tx, row) for row in rows)

    def made_before(self, moment: datetime, *states: ApplicationState) -> tuple[Application, ...]:
        """All applications in these states that were made by then."""
        with self._database.read() as tx:
            rows = tx.execute(
                select(application)
                .where(application.c.state.in_(states), application.c.created_at <= moment)
                .order_by(application.c.created_at)
            ).all()
            return tuple(self._application(tx, row) for row in rows)

    def _require_unchanged(self, tx: Connection, before: Application) -> None:
        # Compared as a whole: two officers may act within one tick of the clock.
        row = _row(tx, before.id, lock=True)
        if self._application(tx, row) != before:
            raise Conflict(row.state)

    def _write(self, tx: Connection, after: Application) -> None:
        tx.execute(
            update(application)
            .where(application.c.id == after.id)
            .values(**self._changing(tx, after))
        )

    def _changing(self, tx: Connection, of: Application) -> dict[str, object]:
        body = json.dumps(personal_document(of), separators=(",", ":")).encode()
        return {
            "state": of.state,
            "proofing_person": None if of.officer is None else of.officer.person_id,
            "package_sha256": of.package_hash,
            "sealed_body": self._personal.seal(tx, of.subject_id, "evidence", body),
            "updated_at": of.updated_at,
        }

    def _application(self, tx: Connection, row: Row[tuple[object, ...]]) -> Application:
        body = self._personal.open(tx, row.subject_id, "evidence", row.sealed_body)
        columns = OperationalColumns(
            id=ApplicationId(row.id),
            profile=row.profile,
            level=AssuranceLevel[row.level.upper()],
            state=ApplicationState(row.state),
            subject_id=row.subject_id,
            spki_sha256=row.spki_sha256,
            package_hash=row.package_sha256,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        return restore_application(columns, json.loads(body))


def _told(
    of: Application,
    actor: str,
    details: Mapping[str, Detail] | None = None,
    payload: Mapping[str, Detail] | None = None,
) -> Told:
    """The event of a state, with what it says of the person, if anything."""
    event = Event(f"application.{of.state}", actor, of.id, dict(details or {}))
    return Told(event, (Payload(of.subject_id, payload),) if payload else ())


def _names(of: Application) -> dict[str, Detail]:
    """Who applied, as the applicant says."""
    claim = of.applicant.claim
    return {"given_name": claim.given_name.value, "surname": claim.surname.value}


def _reasons(of: Application) -> dict[str, Detail]:
    """Why the application waits or was refused: requirements and codes, no values."""
    found = [f"{each.requirement} {each.code}" for each in of.findings]
    return {"findings": "; ".join(found)} if found else {}


def _row(tx: Connection, application_id: str, *, lock: bool = False) -> Row[tuple[object, ...]]:
    query = select(application).where(application.c.id == application_id)
    row = tx.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(application_id)
    return row


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
