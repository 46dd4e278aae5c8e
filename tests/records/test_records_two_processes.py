"""Two processes issue on one database at the same time; `./dev soak serials` does it for long."""

import pytest

from records.database import Database
from tests.support.serials import issue_at_once, rows_by_status
from tests.support.stores import Stores

EACH = 500


@pytest.mark.slow
def test_two_processes_never_give_one_serial_number_twice(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    given = issue_at_once(Stores(database), url, 2, EACH)
    assert [len(each) for each in given] == [EACH, EACH]
    assert len({serial for each in given for serial in each}) == 2 * EACH
    assert rows_by_status(database) == {"issued": 2 * EACH}
