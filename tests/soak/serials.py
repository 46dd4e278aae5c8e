"""`./dev soak serials [COUNT]`: two processes on one PostgreSQL issue 10,000 certificates each.

Prints how many serial numbers there are, and how many twice: none may be.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from records.database import Database
from records.schema import migrate
from tests.support.postgres import a_postgres
from tests.support.serials import issue_at_once, rows_by_status
from tests.support.stores import Stores

COUNT = 10_000
PROCESSES = 2


def main() -> int:
    """Issue, count, and say so; 1 if a serial came twice or a row is missing."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with a_postgres() as server:
        url = server.create("serials")
        database = Database(url)
        migrate(database)
        began = time.monotonic()
        given = issue_at_once(Stores(database), url, PROCESSES, count)
        seconds, rows = time.monotonic() - began, rows_by_status(database)
        database.close()
    serials = [serial for each in given for serial in each]
    equal = len(serials) - len(set(serials))
    print(f"{PROCESSES} processes, {len(serials):,} certificates in {seconds:.0f} s: {equal} equal")
    print(f"rows: {rows}")
    return 0 if equal == 0 and rows == {"issued": PROCESSES * count} else 1


if __name__ == "__main__":
    sys.exit(main())
