"""Issuing while the key of the person is destroyed: one of the two waits, and is refused."""

from functools import partial

import pytest
from sqlalchemy import text, update

from ca.errors import CaError
from records.database import Database
from records.errors import Erased, RecordsError, RuleBroken
from records.tables import subject
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.stores import Stores, approved, order_of

_ROUNDS = 4
_LIVE_WITHOUT_KEY = text(
    "SELECT COUNT(*) FROM certificate c WHERE c.subject_id = :id AND NOT EXISTS"
    " (SELECT 1 FROM data_key k WHERE k.subject_id = c.subject_id AND k.purpose = 'core')"
)


@pytest.fixture
def stores(database: Database) -> Stores:
    made = Stores(database)
    made.issuer()
    return made


def was_issued(stores: Stores, order: object) -> bool:
    try:
        stores.issue(order, utc_now())  # type: ignore[arg-type]
    except (RecordsError, CaError, RuleBroken, Erased):
        return False
    return True


def was_destroyed(stores: Stores, of: str) -> bool:
    """The key goes as an erasure takes it away: the person is closed off, then it is deleted.

    Refused by PKI15 while a certificate is under it.
    """
    try:
        with stores.database.write() as tx:
            tx.execute(update(subject).where(subject.c.id == of).values(state="erasing"))
            stores.personal.destroy(tx, of, {"core"})
            return True
    except RuleBroken as refusal:
        if refusal.code != "PKI15":
            raise
        return False


def test_no_certificate_lives_under_a_key_that_was_destroyed_meanwhile(stores: Stores) -> None:
    for _ in range(_ROUNDS):
        application = approved(stores)
        of, order = application.subject_id, order_of(application)

        issued, destroyed = at_once(
            [partial(was_issued, stores, order), partial(was_destroyed, stores, of)]
        )

        assert issued is not destroyed
        with stores.database.read() as tx:
            assert tx.execute(_LIVE_WITHOUT_KEY, {"id": of}).scalar_one() == 0
            state = text("SELECT state FROM subject WHERE id = :id")
            assert tx.execute(state, {"id": of}).scalar_one() == (
                "erasing" if destroyed else "active"
            )


def test_an_eraser_waits_for_an_issuer_that_was_first_and_is_refused(stores: Stores) -> None:
    application = approved(stores)
    order = order_of(application)
    stores.intend(order, utc_now())

    assert not was_destroyed(stores, application.subject_id)
    assert was_issued(stores, order) is False  # the intent in force is the one


def test_an_issuer_after_the_eraser_is_refused(stores: Stores) -> None:
    application = approved(stores)
    assert was_destroyed(stores, application.subject_id)

    with pytest.raises(RuleBroken, match=r"PKI1[38]"):
        stores.intend(order_of(application), utc_now())
