"""What the audit log costs: appending with a payload beside a plain insert, and verifying it all.

Part of `./dev bench data`; runs alone as `.venv/bin/python tests/bench/data_audit.py [EVENTS]`.
The root of the keys is in memory, so that the log is measured and not a token; the database is a
file of SQLite. All seconds are of CPU, so that others on the machine do not count.
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
    """One line: what was done, how many times, in how many seconds of CPU."""

    what: str
    times: int
    seconds: float

    @property
    def each(self) -> float:
        """Seconds of CPU for one."""
        return self.seconds / self.times


def measure(events: int = EVENTS) -> list[Figure]:
    """Append that many events and verify them, with keys and without; the floor comes first."""
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
    started = time.process_time()
    for start in range(0, events, _BATCH):
        with database.write() as tx:
            for number in range(start, min(start + _BATCH, events)):
                _PLAIN.run(tx, [{"name": f"n{number}", "holder": "x" * 200, "until_at": now}])
    return time.process_time() - started


def _append(database: Database, personal: PersonalData, events: int) -> float:
    event = Event("case.closed", "system:job", "case/1", {"count": 1})
    content = {"given_name": "Kirsten", "surname": "Ødegaard"}
    now = utc_now()
    started = time.process_time()
    for start in range(0, events, _BATCH):
        with database.write() as tx:
            told = [
                Told(event, (Payload(_subject(number), content),))
                for number in range(start, min(start + _BATCH, events))
            ]
            append_told(tx, told, personal, now)
    return time.process_time() - started


def _verify(
    database: Database, personal: PersonalData | None, public: ec.EllipticCurvePublicKey
) -> float:
    started = time.process_time()
    with audit_log(database) as log:
        keys = None if personal is None else AuditKeys(log.view, personal)
        watch = PayloadWatch(sealed_payloads(log.view, 0), keys)
        verify_log(log, public, _ORIGIN, Extent(payloads=watch))
    return time.process_time() - started


def table(figures: list[Figure]) -> str:
    """The figures in Markdown, each beside the plain insert."""
    floor = figures[0].each
    lines = ["| the audit log | events | CPU each | a second | of a plain insert |"]
    lines.append("|---|---|---|---|---|")
    lines += [
        f"| {each.what} | {each.times:,} | {each.each * 1e6:,.1f} µs | {1 / each.each:,.0f} |"
        f" {each.each / floor:.1f} |"
        for each in figures
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    print(table(measure(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)))


if __name__ == "__main__":
    main()
