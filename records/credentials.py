"""Credentials on their way to the holder: prepared, delivered, activated with a code, or ended.

A code is redeemed and the credential activated in one transaction that holds the row of the code,
so of two redemptions at once one waits and finds it used.
"""

import hmac
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, select, update

from audit.events import Detail, Event
from ra.activation_codes import HolderSecret
from ra.applications import Application
from ra.case import Channel, CodeChannel
from ra.delivery import (
    Credential,
    Ending,
    PersonalCheck,
    Redemption,
    Step,
    StoredCode,
    redeem,
    refusal_of,
)
from ra.duties import Duty, Task
from records.audit_log import append
from records.database import Database
from records.errors import Conflict, NotFound
from records.key_wrapping import DamagedData
from records.personal_data import PersonalData
from records.tables import (
    activation_code,
    credential,
    duty,
    print_job,
    revocation_secret,
)

_PURPOSE = "evidence"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter for the printer: its number, and its octets that only the printer can read."""

    id: str
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Activated:
    """What the seal of an activation says: which code, how the person was checked, and when."""

    code_id: str
    check: PersonalCheck | None
    receipt: bool
    at: datetime


class Credentials:
    """The tables of credentials, codes and duties."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door for what is sealed."""
        self._database = database
        self._personal = personal

    def get(self, application_id: str) -> Credential | None:
        """The credential of an application with its live code; None while there is none."""
        with self._database.read() as tx:
            row = tx.execute(
                select(credential).where(credential.c.application_id == application_id)
            ).first()
            if row is None:
                return None
            code = _newest_code(tx, application_id)
        return Credential(
            application_id=row.application_id,
            channel=Channel(row.channel),
            step=Step(row.step),
            prepared_at=row.prepared_at,
            code_id=None if code is None else code.id,
            code_channel=None if code is None else CodeChannel(code.channel),
            code_expires_at=None if code is None else code.expires_at,
            delivered_at=row.delivered_at,
            activated_at=row.activated_at,
            ended_at=row.ended_at,
        )

    def duties(self, of: Application) -> list[Duty]:
        """What was done for the present package of an application."""
        with self._database.read() as tx:
            rows = tx.execute(
                select(duty).where(
                    duty.c.application_id == of.id, duty.c.package_sha256 == of.package_hash
                )
            ).all()
        return [
            Duty(r.application_id, r.package_sha256, Task(r.task), r.officer_id, r.person_id,
                 r.at, r.signature)
            for r in rows
        ]  # fmt: skip

    def record_duty(self, done: Duty) -> None:
        """Keep that a task was done; RuleBroken (DUT01 to DUT04) when the person may not."""
        with self._database.write() as tx:
            _record_duty(tx, done)
            append(tx, Event(f"duty.{done.task}", done.officer, done.application_id, {}), done.at)

    def prepare(self, channel: Channel, done: Duty) -> None:
        """Begin a credential, or go on with it after another proofing.

        Raises:
            RuleBroken: DEL01, DUT01 to DUT04.
            Conflict: it travels by another channel, or is further already.
        """
        with self._database.write() as tx:
            found = _credential(tx, done.application_id)
            if found is None:
                tx.execute(
                    insert(credential).values(
                        application_id=done.application_id,
                        channel=channel.value,
                        step=Step.PREPARED.value,
                        prepared_at=done.at,
                    )
                )
            elif found.step != Step.PREPARED or found.channel != channel:
                raise Conflict(f"the credential of {done.application_id}", found.step)
            _record_duty(tx, done)
            details: dict[str, Detail] = {"channel": channel.value}
            append(
                tx,
                Event("credential.prepared", done.officer, done.application_id, details),
                done.at,
            )

    def dispatch(
        self,
        of: Application,
        code: StoredCode,
        done: Duty | None,
        actor: str,
        letter: Letter | None,
    ) -> None:
        """Keep a fresh code in place of the one before, and the letter it goes by.

        Raises:
            RuleBroken: DEL05, DUT01 to DUT04.
            NotFound: no credential was prepared.
        """
        now = code.made_at
        with self._database.write() as tx:
            found = _credential(tx, of.id)
            if found is None:
                raise NotFound("credential prepared for application", of.id)
            _end_codes(tx, of.id, Ending.REPLACED, now)
            tx.execute(
                insert(activation_code).values(
                    id=code.id,
                    application_id=of.id,
                    channel=code.channel.value,
                    salt=code.salt,
                    digest=code.digest,
                    sealed_digest=self._personal.seal(tx, of.subject_id, _PURPOSE, _seal_of(code)),
                    made_at=now,
                    expires_at=code.expires_at,
                )
            )
            tx.execute(
                update(credential)
                .where(credential.c.application_id == of.id)
                .values(step=Step.DELIVERED.value, delivered_at=now)
            )
            if done is not None:
                _record_duty(tx, done)
            if letter is not None:
                tx.execute(
                    insert(print_job).values(
                        id=letter.id,
                        application_id=of.id,
                        sealed_letter=letter.envelope,
                        made_at=now,
                    )
                )
            details: dict[str, Detail] = {"channel": code.channel.value, "code": code.id}
            append(tx, Event("credential.code_dispatched", actor, of.id, details), now)

    def activate(
        self,
        of: Application,
        typed: HolderSecret,
        actor: str,
        said: tuple[PersonalCheck | None, bool],
        now: datetime,
    ) -> Activated:
        """Redeem the code and activate the credential, all or nothing; a wrong try is counted.

        `said` is how the person was checked, and whether the holder acknowledges receipt.

        Raises:
            Refused: ISS-DEL-S2i or S2g, the code does not fit.
            Conflict: there is no code, or the application is approved no more.
        """
        with self._database.write() as tx:
            row = _newest_code(tx, of.id, lock=True)
            if row is None:
                raise Conflict(f"the credential of {of.id}", "without a code")
            code = _stored(row)
            self._require_sealed(tx, of, code, row.sealed_digest)
            outcome = redeem(code, typed, now)
            done = Activated(code.id, said[0], said[1], now)
            if outcome is Redemption.FITS:
                self._activated(tx, of, done, actor)
            elif outcome in {Redemption.WRONG, Redemption.EXHAUSTED}:
                _wrong(tx, code, outcome, actor, now)
        if outcome is not Redemption.FITS:
            raise refusal_of(outcome)
        return done

    def activation(self, of: Application) -> Activated | None:
        """What the seal of the activation says; None while there is none.

        Raises:
            DamagedData: the database says activated, and no activation of ours says so.
        """
        with self._database.read() as tx:
            row = _credential(tx, of.id, lock=False)
            if row is None or row.sealed_activation is None:
                return None
            octets = self._personal.open(tx, of.subject_id, _PURPOSE, row.sealed_activation)
        document = json.loads(octets)
        if document.pop("application", None) != of.id or document.pop("kind", None) != "activation":
            raise DamagedData("a sealed activation is not that of its application")
        check = document["check"]
        return Activated(
            document["code_id"],
            None if check is None else PersonalCheck(check),
            document["receipt"],
            datetime.fromisoformat(document["at"]),
        )

    def elapsed(self, now: datetime, limit: int) -> list[str]:
        """Applications whose code was not used in its window, or was tried too often."""
        live = activation_code.c.used_at.is_(None) & activation_code.c.ended_at.is_(None)
        with self._database.read() as tx:
            return list(
                tx.execute(
                    select(activation_code.c.application_id)
                    .where(live, activation_code.c.expires_at < now)
                    .limit(limit)
                ).scalars()
            )

    def exhausted(self, limit: int) -> list[str]:
        """Applications that are still delivered though the last try on their code was wrong."""
        ended = activation_code.c.ending == Ending.ATTEMPTS.value
        with self._database.read() as tx:
            return list(
                tx.execute(
                    select(activation_code.c.application_id)
                    .join(
                        credential, credential.c.application_id == activation_code.c.application_id
                    )
                    .where(ended)
                    .where(credential.c.step == Step.DELIVERED.value)
                    .where(~_has_live_code())
                    .limit(limit)
                ).scalars()
            )

    def end(self, application_id: str, why: Ending, actor: str, now: datetime) -> None:
        """End the live code and the credential, unless that was done or it is activated."""
        with self._database.write() as tx:
            found = _credential(tx, application_id)
            _end_codes(tx, application_id, why, now)
            if found is None or found.step in {Step.ACTIVATED, Step.ENDED}:
                return
            tx.execute(
                update(credential)
                .where(credential.c.application_id == application_id)
                .values(step=Step.ENDED.value, ended_at=now, ending=why.value)
            )
            append(tx, Event("credential.ended", actor, application_id, {"ending": why.value}), now)

    def call_back(self, application_id: str, actor: str, now: datetime) -> None:
        """The way to the holder changed: the code counts no more, and another is dispatched."""
        with self._database.write() as tx:
            found = _credential(tx, application_id)
            _end_codes(tx, application_id, Ending.CONTACT, now)
            if found is None or found.step != Step.DELIVERED:
                return
            tx.execute(
                update(credential)
                .where(credential.c.application_id == application_id)
                .values(step=Step.PREPARED.value)
            )
            append(tx, Event("credential.called_back", actor, application_id, {}), now)

    def _activated(self, tx: Connection, of: Application, done: Activated, actor: str) -> None:
        tx.execute(
            update(activation_code)
            .where(activation_code.c.id == done.code_id)
            .values(used_at=done.at)
        )
        document = {
            "kind": "activation",
            "application": of.id,
            "code_id": done.code_id,
            "check": done.check,
            "receipt": done.receipt,
            "at": done.at.isoformat(),
        }
        sealed = self._personal.seal(tx, of.subject_id, _PURPOSE, json.dumps(document).encode())
        tx.execute(
            update(credential)
            .where(credential.c.application_id == of.id)
            .values(step=Step.ACTIVATED.value, activated_at=done.at, sealed_activation=sealed)
        )
        details: dict[str, Detail] = {"code": done.code_id, "check": done.check}
        append(tx, Event("credential.activated", actor, of.id, details), done.at)

    def _require_sealed(
        self, tx: Connection, of: Application, code: StoredCode, sealed: bytes
    ) -> None:
        """A code that somebody wrote beside the program is none."""
        said = self._personal.open(tx, of.subject_id, _PURPOSE, sealed)
        if not hmac.compare_digest(said, _seal_of(code)):
            raise DamagedData("a code is not the one that was dispatched")


def forget_credentials(tx: Connection, applications: Select[tuple[str]]) -> None:
    """Delete what is kept of the credentials of these applications, in an erasure."""
    for table in (duty, activation_code, print_job, revocation_secret, credential):
        tx.execute(delete(table).where(table.c.application_id.in_(applications)))


def _credential(
    tx: Connection, application_id: str, *, lock: bool = True
) -> Row[tuple[object, ...]] | None:
    query = select(credential).where(credential.c.application_id == application_id)
    return tx.execute(query.with_for_update() if lock else query).first()


def _newest_code(
    tx: Connection, application_id: str, *, lock: bool = False
) -> Row[tuple[object, ...]] | None:
    query = (
        select(activation_code)
        .where(activation_code.c.application_id == application_id)
        .order_by(activation_code.c.made_at.desc(), activation_code.c.id)
        .limit(1)
    )
    return tx.execute(query.with_for_update() if lock else query).first()


def _stored(row: Row[tuple[object, ...]]) -> StoredCode:
    return StoredCode(
        id=row.id,
        application_id=row.application_id,
        channel=CodeChannel(row.channel),
        salt=row.salt,
        digest=row.digest,
        tries=row.tries,
        made_at=row.made_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        ended_at=row.ended_at,
    )


def _seal_of(code: StoredCode) -> bytes:
    """What the seal holds of a code: everything that must not change."""
    fixed = ("code", code.application_id, code.id, code.channel.value, code.salt, code.digest)
    times = (code.made_at.isoformat(), code.expires_at.isoformat())
    return json.dumps([*fixed, *times]).encode()


def _wrong(
    tx: Connection, code: StoredCode, outcome: Redemption, actor: str, now: datetime
) -> None:
    values: dict[str, object] = {"tries": code.tries + 1}
    if outcome is Redemption.EXHAUSTED:
        values |= {"ended_at": now, "ending": Ending.ATTEMPTS.value}
    tx.execute(update(activation_code).where(activation_code.c.id == code.id).values(**values))
    details: dict[str, Detail] = {"code": code.id, "tries": code.tries + 1}
    append(tx, Event("credential.code_wrong", actor, code.application_id, details), now)


def _has_live_code() -> ColumnElement[bool]:
    live = activation_code.alias()
    return (
        select(live.c.id)
        .where(live.c.application_id == credential.c.application_id)
        .where(live.c.used_at.is_(None), live.c.ended_at.is_(None))
        .exists()
    )


def _end_codes(tx: Connection, application_id: str, why: Ending, now: datetime) -> None:
    """End the live code of an application, and let its unprinted letter go."""
    tx.execute(
        update(activation_code)
        .where(activation_code.c.application_id == application_id)
        .where(activation_code.c.used_at.is_(None), activation_code.c.ended_at.is_(None))
        .values(ended_at=now, ending=why.value)
    )
    tx.execute(
        update(print_job)
        .where(print_job.c.application_id == application_id, print_job.c.purged_at.is_(None))
        .values(sealed_letter=None, purged_at=now)
    )


def _record_duty(tx: Connection, done: Duty) -> None:
    tx.execute(
        insert(duty).values(
            application_id=done.application_id,
            package_sha256=done.package_hash,
            task=done.task.value,
            officer_id=done.officer,
            person_id=done.person_id,
            signature=done.signature,
            at=done.at,
        )
    )
