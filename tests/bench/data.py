"""`./dev bench data`: vault, audit log and erasures, each beside plain rows in the same run.

`./dev bench data COUNT` takes that many keys and events, 100,000 without it, and erases a person
for each hundred of them.
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import LargeBinary, MetaData, String, Table, delete, insert, select
from sqlalchemy.schema import Column

from records.database import Database
from records.key_snapshots import Snapshots
from records.key_store import KeyStore
from records.schema import migrate
from records.sealing import Vault
from server.clock import utc_now
from tests.bench import data_audit, data_erasure
from tests.bench.report import write_section
from tests.support.vault import SoftwareRoots

COUNT = 100_000
_BATCH = 256
_SAMPLE = 2000
_HEAD = (
    "{cores} cores of {machine}, SQLite, roots in software, one run; CPU time, and only ratios\n"
    "mean anything."
)
_PLAIN = Table(
    "plain",
    MetaData(),
    Column("ref", String(32), primary_key=True),
    Column("octets", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

Line = tuple[str, float, float]
"""What was done, seconds for one of it, seconds for the plain floor."""


def measure(keys: int = COUNT) -> list[Line]:
    """Make, open and seal that many keys in a store on SQLite, with roots in software."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = Database(f"sqlite:///{folder}/records.sqlite")
        store = Database(f"sqlite:///{folder}/keystore.sqlite")
        plain = Database(f"sqlite:///{folder}/plain.sqlite")
        migrate(records)
        places = Snapshots((folder / "one", folder / "two"))
        roots = (SoftwareRoots("first"), SoftwareRoots("second"))
        vault = Vault(records, KeyStore(store, roots), places)
        try:
            return [*_keys(vault, plain, keys), *_seals(vault, plain)]
        finally:
            for each in (records, store, plain):
                each.close()


def _keys(vault: Vault, plain: Database, keys: int) -> list[Line]:
    refs: list[str] = []
    making = _making(vault, plain, keys, refs)
    sample = refs[:: max(1, keys // _SAMPLE)]
    return [making, *_opening(vault, plain, sample)]


def _making(vault: Vault, plain: Database, keys: int, refs: list[str]) -> Line:
    with plain.write() as tx:
        _PLAIN.metadata.create_all(tx)

    def make() -> None:
        while len(refs) < keys:
            refs.extend(each.ref for each in vault.keys.make(min(_BATCH, keys - len(refs))))

    def make_plain() -> None:
        for start in range(0, keys, _BATCH):
            rows = [{"ref": ref, "octets": bytes(60)} for ref in refs[start : start + _BATCH]]
            with plain.write() as tx:
                tx.execute(insert(_PLAIN), rows)

    making, plainly = _seconds(make) / keys, _seconds(make_plain) / keys
    return f"key made, {_BATCH} a commit", making, plainly


def _opening(vault: Vault, plain: Database, sample: list[str]) -> list[Line]:
    def open_each() -> None:
        for ref in sample:
            assert vault.keys.open(ref) is not None

    def select_each() -> None:
        for ref in sample:
            with plain.read() as tx:
                assert tx.execute(select(_PLAIN).where(_PLAIN.c.ref == ref)).first()

    opening, selecting = _seconds(open_each) / len(sample), _seconds(select_each) / len(sample)
    at_once = _seconds(lambda: vault.keys.open_many(sample)) / len(sample)
    return [
        ("key opened, one at a time", opening, selecting),
        (f"key opened, {len(sample)} at once", at_once, selecting),
    ]


def _seals(vault: Vault, plain: Database) -> list[Line]:
    vault.seal(utc_now())
    facts = vault.keys.facts()
    assert facts is not None
    lines = []
    for count in (1, 50):
        refs = _some_refs(plain, count)
        vault.keys.drop(refs)
        sealing = _seconds(lambda: vault.seal(utc_now()))

        def remove(gone: tuple[str, ...] = tuple(refs)) -> None:
            with plain.write() as tx:
                tx.execute(delete(_PLAIN).where(_PLAIN.c.ref.in_(gone)))

        lines.append((f"seal of {facts.keys:,} keys, {count} destroyed", sealing, _seconds(remove)))
    return lines


def _some_refs(plain: Database, count: int) -> list[str]:
    with plain.read() as tx:
        return list(tx.execute(select(_PLAIN.c.ref).order_by(_PLAIN.c.ref).limit(count)).scalars())


def _seconds(act: Callable[[], object]) -> float:
    started = time.process_time()
    act()
    return time.process_time() - started


def vault_table(lines: list[Line]) -> str:
    """What was found of the vault in Markdown."""
    rows = [
        f"| {what} | {seconds * 1e6:,.0f} µs | {floor * 1e6:,.0f} µs | {seconds / floor:.1f} |"
        for what, seconds, floor in lines
    ]
    return "\n".join(
        ["| the vault | CPU each | the same plain rows | ratio |", "|---|---|---|---|", *rows]
    )


def main(arguments: list[str]) -> int:
    """Measure, print the tables, and write them into docs/performance.md."""
    if len(arguments) > 1 or not all(each.isdecimal() and int(each) > 0 for each in arguments):
        print("bench: say `./dev bench data` or `./dev bench data COUNT`", file=sys.stderr)
        return 2
    count = int(arguments[0]) if arguments else COUNT
    persons = max(1, count // 100)
    tables = [
        _HEAD.format(cores=os.cpu_count(), machine=platform.machine()),
        vault_table(measure(count)),
        data_audit.table(data_audit.measure(count)),
        data_erasure.table(persons, data_erasure.measure(persons)),
    ]
    text = "\n\n".join(tables)
    print(text)
    write_section("data", text)
    return 0
