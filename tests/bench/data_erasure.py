"""Erasures end to end, beside plain deletes of the same rows.

Part of `./dev bench data`; runs alone as `.venv/bin/python tests/bench/data_erasure.py [PERSONS]`.
Each person has one certificate and a data key; the saga takes every case through all its states,
with the look from outside answered at once, so that what is measured is our own work. A plain
delete takes certificate, key and subject away in one transaction, with no guard in its way.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import insert, text

from audit.log import make_head
from ca.certificates import assemble, sign_octets
from ca.issuance import prepare
from gdpr_erasure.erasures import Erasure, ErasureState, Notice, Observation, Place, Told
from gdpr_erasure.saga import Saga
from records.audit_log import audit_log
from records.database import Database
from records.schema import migrate
from records.tables import subject
from server.clock import utc_now
from tests.support.databases import take_away
from tests.support.erasures import administrators, approved, requested
from tests.support.memory_erasures import MemoryVault
from tests.support.stores import Stores, server_order

PERSONS = 1000
ORIGIN = "tillid/audit"
GUARDS_IN_THE_WAY = ("pki01", "pki04", "pki11", "pki15")


@dataclass
class AnswersAtOnce:
    """A relying party that sees everything as soon as it is so; and a notifier without anybody."""

    round: int = 0

    def revoked_in_crl(self, place: Place, since: datetime) -> Observation:
        del since
        self.round += 1
        digest = sha256(f"{place}{self.round}".encode()).digest()
        return Observation("crl", digest, utc_now(), 1)

    def revoked_in_ocsp(self, place: Place) -> Observation:
        return replace(self.revoked_in_crl(place, utc_now()), channel="ocsp", number=None)

    def notify(self, notice: Notice) -> Told:
        del notice
        return Told("delivered")


def people(stores: Stores, name: str, count: int) -> list[str]:
    """So many subjects, each with one certificate under a data key of its own."""
    now, issuer = utc_now(), stores.issuer()
    ids = [f"subject-{name}{number:08x}" for number in range(count)]
    with stores.database.write() as tx:
        rows = [{"id": i, "kind": "device", "state": "active", "created_at": now} for i in ids]
        tx.execute(insert(subject), rows)
    for start in range(0, count, 100):
        some = ids[start : start + 100]
        made = [prepare(replace(server_order(), subject_id=i), issuer, now) for i in some]
        stores.certificates.record_intents(made, "system:issuance", now)
        done = [
            (each, assemble(each.copy, sign_octets(issuer.key, each.tbs_certificate), issuer))
            for each in made
        ]
        stores.certificates.record_certificates(done, now)
    return ids


def erase_all(
    stores: Stores, ids: list[str], key: ec.EllipticCurvePrivateKey | None = None
) -> None:
    """Every case from its request to its receipt; one head of the log covers them all."""
    by = administrators(stores, utc_now())
    key, probe = key or ec.generate_private_key(ec.SECP256R1()), AnswersAtOnce()
    saga = Saga(stores.erasures, probe, key, MemoryVault(), probe)
    cases: list[Erasure] = []
    for one in ids:
        case = requested(stores, one, utc_now())
        cases.append(saga.carry_on(approved(stores, case, by, utc_now()), utc_now))
    with audit_log(stores.database) as log:
        make_head(log, key, utc_now(), bytes(32), ORIGIN)
    done = [saga.carry_on(case, utc_now) for case in cases]
    assert {case.state for case in done} == {ErasureState.DONE}


def delete_all(stores: Stores, ids: list[str]) -> None:
    """The same rows, each person's in one transaction, with nothing asked and nothing told."""
    with stores.database.write() as tx:
        for code in GUARDS_IN_THE_WAY:
            take_away(tx, code)
    for one in ids:
        with stores.database.write() as tx:
            for statement in (
                "DELETE FROM certificate WHERE subject_id = :id",
                "DELETE FROM data_key WHERE subject_id = :id",
                "DELETE FROM subject WHERE id = :id",
            ):
                tx.execute(text(statement), {"id": one})


def measured(act: Callable[[Stores, list[str]], None], stores: Stores, ids: list[str]) -> float:
    """Seconds of CPU for one of them."""
    began = time.process_time()
    act(stores, ids)
    return (time.process_time() - began) / len(ids)


def measure(persons: int) -> tuple[float, float]:
    """Seconds of CPU for one erasure, and for one plain delete."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/bench.sqlite")
        migrate(database)
        stores = Stores(database)
        try:
            erased, deleted = people(stores, "a", persons), people(stores, "b", persons)
            return measured(erase_all, stores, erased), measured(delete_all, stores, deleted)
        finally:
            database.close()


def table(persons: int, found: tuple[float, float]) -> str:
    """What was found in Markdown."""
    erasing, deleting = found
    return (
        "| erasures | persons | CPU each | a second | of a plain delete |\n|---|---|---|---|---|\n"
        f"| rows deleted, nothing asked | {persons:,} | {deleting * 1e6:,.0f} µs |"
        f" {1 / deleting:,.0f} | 1.0 |\n"
        f"| request to receipt | {persons:,} | {erasing * 1e6:,.0f} µs | {1 / erasing:,.0f} |"
        f" {erasing / deleting:.1f} |"
    )


def main() -> None:
    """Measure and print."""
    persons = int(sys.argv[1]) if len(sys.argv) > 1 else PERSONS
    print(table(persons, measure(persons)))


if __name__ == "__main__":
    main()
