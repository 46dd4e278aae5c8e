"""What the audit log costs: appending with a payload beside a plain insert, and verifying it all.

Part of `./dev bench data`; runs alone as `.venv/bin/python tests/bench/data_audit.py [EVENTS]`.
The root of the keys is in memory, so that the log is measured and not a token; the database is a
file of SQLite.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import insert

from audit.events import Event
from audit.log import Extent, make_head, verify_log
from audit.payload_watch import PayloadWatch
from audit.payloads import Payload
from records.audit_log import audit_log
from records.audit_payloads import AuditKeys, Told, append_told, sealed_payloads
from records.database import Database
from records.personal_data import PersonalData
from records.prepared import Prepared
from records.schema import migrate
from records.tables import lease, subject
from server.clock import utc_now
from tests.support.vault import key_store_of

EVENTS = 100_000
_SUBJECTS = 1000
_BATCH = 1000
_ORIGIN = "tillid/audit"
_PLAIN = Prepared(insert(lease), ("name", "holder", "until_at"))


@dataclass(frozen=True)
class Figure:
    """One line: what was done, how many times, in how many seconds."""

    what: str
    times: int
    seconds: float

    def __str__(self) -> str:
        each = self.seconds / self.times * 1e6
        return (
            f"| {self.what} | {self.times:,} | {each:,.1f} µs | {self.times / self.seconds:,.0f} |"
        )


def measure(events: int = EVENTS) -> list[Figure]:
    """Append that many events and verify them, with keys and without."""
    key = ec.generate_private_key(ec.SECP256R1())
    with _a_database() as database:
        personal = PersonalData(key_store_of(database))
        _subjects(database)
        figures = [
            Figure("a plain insert, in batches", events, _insert(database, events)),
            Figure("an event with a payload", events, _append(database, personal, events)),
        ]
        with audit_log(database) as log:
            make_head(log, key, utc_now() + timedelta(seconds=1), bytes(32), _ORIGIN)
        for what, opened in (("verified, payloads opened", True), ("verified, no keys", False)):
            seconds = _verify(database, personal if opened else None, key.public_key())
            figures.append(Figure(what, events, seconds))
    return figures


@contextmanager
def _a_database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="tillid-bench-") as folder:
        database = Database(f"sqlite:///{folder}/bench.sqlite")
        migrate(database)
        try:
            yield database
        finally:
            database.close()


def _subjects(database: Database) -> None:
    rows = [
        {"id": _subject(number), "kind": "x", "state": "active", "created_at": utc_now()}
        for number in range(_SUBJECTS)
    ]
    with database.write() as tx:
        tx.execute(insert(subject), rows)


def _subject(number: int) -> str:
    return f"subject-{number % _SUBJECTS}"


def _insert(database: Database, events: int) -> float:
    now = utc_now()
    started = time.perf_counter()
    for start in range(0, events, _BATCH):
        with database.write() as tx:
            for number in range(start, min(start + _BATCH, events)):
                _PLAIN.run(tx, [{"name": f"n{number}", "holder": "x" * 200, "until_at": now}])
    return time.perf_counter() - started


def _append(database: Database, personal: PersonalData, events: int) -> float:
    event = Event("case.closed", "system:job", "case/1", {"count": 1})
    content = {"given_name": "Kirsten", "surname": "Ødegaard"}
    now = utc_now()
    started = time.perf_counter()
    for start in range(0, events, _BATCH):
        with database.write() as tx:
            told = [
                Told(event, (Payload(_subject(number), content),))
                for number in range(start, min(start + _BATCH, events))
            ]
            append_told(tx, told, personal, now)
    return time.perf_counter() - started


def _verify(
    database: Database, personal: PersonalData | None, public: ec.EllipticCurvePublicKey
) -> float:
    started = time.perf_counter()
    with audit_log(database) as log:
        keys = None if personal is None else AuditKeys(log.view, personal)
        watch = PayloadWatch(sealed_payloads(log.view, 0), keys)
        verify_log(log, public, _ORIGIN, Extent(payloads=watch))
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    print("| what | events | each | a second |\n|---|---|---|---|")
    for figure in measure(events):
        print(figure)


if __name__ == "__main__":
    main()
