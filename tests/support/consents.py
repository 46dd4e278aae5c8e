"""Statements of consent, and what a database in the middle of its life holds of them."""

from datetime import datetime

from sqlalchemy import text

from gdpr_erasure.consents import ConsentKind, ConsentState, Statement, text_for
from tests.support.stores import Stores, a_person


def said(state: ConsentState, actor: str = "system:applicant", **more: str) -> Statement:
    """What a person says to the Danish text of today."""
    return Statement(
        text_for(ConsentKind.PUBLICATION, "da", datetime.fromisoformat("2026-06-01T00:00:00Z")),
        state,
        actor,
        **more,  # type: ignore[arg-type]
    )


def consent_story(stores: Stores, names: dict[str, object], now: datetime) -> None:
    """Somebody who has withdrawn a consent, and somebody of whom a consent alone is left."""
    secretive = a_person(stores, now)
    stores.consents.say(secretive.subject_id, said(ConsentState.WITHDRAWN), now)
    names |= {"secretive": secretive.place[1].hex, "secretive_subject": secretive.subject_id}
    with stores.database.write() as tx:
        # As if a hold had taken it out: only the consent is in the way of its return.
        tx.execute(
            text("UPDATE publication SET returns = 1 WHERE subject_id = :id"),
            {"id": secretive.subject_id},
        )
    left = "subject-00000000000000c5"
    names["left_subject"] = left
    with stores.database.write() as tx:
        tx.execute(
            text(
                "INSERT INTO subject (id, kind, state, created_at)"
                " VALUES (:id, 'natural_person', 'active', 0)"
            ),
            {"id": left},
        )
    stores.consents.say(left, said(ConsentState.GIVEN), now)
    with stores.database.write() as tx:
        tx.execute(text("UPDATE subject SET state = 'erasing' WHERE id = :id"), {"id": left})
