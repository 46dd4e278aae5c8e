"""What holders are to be told: written down by the database with each change, sent once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, select, update

from audit.events import Event
from ra.case import CodeChannel
from records.audit_log import append
from records.database import Database
from records.tables import holder_notice

ACTOR = "system:notices"
_LONGEST_PAUSE = timedelta(days=1)


class Occasion(StrEnum):
    """What happened."""

    PROOFING_DONE = "proofing_done"
    PROOFING_REJECTED = "proofing_rejected"
    ISSUED = "issued"
    SUSPENDED = "suspended"
    REACTIVATED = "reactivated"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class HolderNotice:
    """One occasion of one application, and how often it was tried to tell of it."""

    application_id: str
    occasion: Occasion
    at: datetime
    tries: int

    @property
    def key(self) -> str:
        """The name of the occasion, under which it is sent once."""
        return f"holder/{self.application_id}/{self.occasion}/{self.at.isoformat()}"


class HolderNotices:
    """The table of notices."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def due(self, limit: int, now: datetime) -> list[HolderNotice]:
        """What is to be sent by now, the oldest first."""
        of = holder_notice.c
        query = select(of.application_id, of.occasion, of.at, of.tries).where(
            of.state == "due", of.due_at <= now
        )
        with self._database.read() as tx:
            rows = tx.execute(query.order_by(of.due_at).limit(limit)).all()
        return [HolderNotice(r.application_id, Occasion(r.occasion), r.at, r.tries) for r in rows]

    def put_off(self, notice: HolderNotice, now: datetime) -> None:
        """Nobody knows whether it was taken over: again later, and later each time."""
        pause = min(timedelta(minutes=2 ** min(notice.tries, 11)), _LONGEST_PAUSE)
        with self._database.write() as tx:
            tx.execute(
                update(holder_notice)
                .where(_is(notice))
                .values(due_at=now + pause, tries=notice.tries + 1)
            )

    def end(
        self,
        notice: HolderNotice,
        channel: CodeChannel | None,
        now: datetime,
        *,
        subscriber: CodeChannel | None = None,
    ) -> None:
        """It was taken over by this channel, or there is none by which the holder is reached.

        `subscriber` is how the organisation that the certificate names was told, if it was.
        """
        state = "undeliverable" if channel is None else "sent"
        word = None if channel is None else channel.value
        with self._database.write() as tx:
            done = tx.execute(
                update(holder_notice)
                .where(_is(notice))
                .values(state=state, channel=word, ended_at=now, tries=notice.tries + 1)
            )
            if done.rowcount:
                details = {"occasion": notice.occasion.value, "channel": word or "none"}
                if subscriber is not None:
                    details["subscriber"] = subscriber.value
                told = Event(f"notice.{state}", ACTOR, notice.application_id, details)
                append(tx, told, now)


def _is(notice: HolderNotice) -> ColumnElement[bool]:
    of = holder_notice.c
    return and_(
        of.application_id == notice.application_id,
        of.occasion == notice.occasion.value,
        of.at == notice.at,
        of.state == "due",
    )
