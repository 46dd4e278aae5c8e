"""What a check of a certificate is told of the CRL and the response that lie ready."""

import pytest
from sqlalchemy import text

from records.database import Database
from records.status_sources import status_sources
from revocation.reasons import Reason
from server.clock import utc_now
from tests.support.stores import Stores, place_of, server_order

NOW = utc_now().replace(microsecond=0)


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def test_the_crl_that_is_told_is_the_complete_one_whatever_the_numbers_of_shards(
    stores: Stores,
) -> None:
    place = place_of(stores.issue(server_order(), NOW))
    complete = stores.crl(NOW)
    stores.statuses.revoke(*place, Reason.SUPERSEDED, "system:job", NOW)
    with stores.database.write() as tx:
        row = tx.execute(text("SELECT * FROM crl")).one()._asdict()
        row |= {"shard": 7, "number": 1, "version": 1}
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        tx.execute(text(f"INSERT INTO crl ({names}) VALUES ({values})"), row)  # noqa: S608
        row |= {"number": 2}
        tx.execute(text(f"INSERT INTO crl ({names}) VALUES ({values})"), row)  # noqa: S608

    told, _ = status_sources(stores.database, *place)

    assert told is not None
    assert (told.number, told.is_current) == (complete.number, False)
