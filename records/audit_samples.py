"""Applications drawn by lot for an auditor, and the events that tell who drew which."""

import random
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from audit.events import Detail, Event
from ra.applications import ApplicationState
from ra.levels import AssuranceLevel
from records.audit_log import append_all
from records.database import Database
from records.tables import application, subject

OUTCOMES = (ApplicationState.FULFILLED, ApplicationState.REJECTED)
"""What is drawn from: what led to a certificate, and what was refused."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Who draws how many of each level and outcome, under which reference and seed, and when."""

    officer_id: str
    count: int
    seed: str
    reference: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Drawn:
    """The applications drawn of one level and outcome, and among how many."""

    level: AssuranceLevel
    outcome: ApplicationState
    among: int
    application_ids: tuple[str, ...]


def draw(database: Database, drawing: Drawing) -> tuple[Drawn, ...]:
    """Draw by lot, and tell it in the log, each application by an event of its own.

    The same seed gives the same applications while there are the same to draw from. Nobody whose
    erasure has begun is among them.
    """
    lot = random.Random(drawing.seed)  # noqa: S311 - drawn again by whoever knows the seed
    with database.write() as tx:
        found = tuple(
            _of(tx, level, outcome, drawing.count, lot)
            for level in AssuranceLevel
            for outcome in OUTCOMES
        )
        names = [name for each in found for name in each.application_ids]
        told: dict[str, Detail] = {
            "count": drawing.count,
            "seed": drawing.seed,
            "cases": len(names),
        }
        events = [Event("audit.sampled", drawing.officer_id, drawing.reference, told)]
        for name in names:
            of: dict[str, Detail] = {"reference": drawing.reference}
            events.append(Event("audit.case_sampled", drawing.officer_id, name, of))
        append_all(tx, events, drawing.at)
    return found


def _of(
    tx: Connection,
    level: AssuranceLevel,
    outcome: ApplicationState,
    count: int,
    lot: random.Random,
) -> Drawn:
    wanted = _wanted(level, outcome)
    among = int(tx.execute(select(func.count()).where(wanted)).scalar_one())
    query = select(application.c.id).where(wanted).order_by(application.c.id).limit(1)
    places = sorted(lot.sample(range(among), min(count, among)))
    names = (str(tx.execute(query.offset(place)).scalar_one()) for place in places)
    return Drawn(level, outcome, among, tuple(names))


def _wanted(level: AssuranceLevel, outcome: ApplicationState) -> ColumnElement[bool]:
    erasing = select(subject.c.id).where(subject.c.state == "erasing")
    return (
        (application.c.level == level.name.lower())
        & (application.c.state == outcome)
        & application.c.subject_id.not_in(erasing)
    )
