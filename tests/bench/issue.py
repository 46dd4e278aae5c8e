"""`./dev bench issue [--large] [--no-peer]`: what issuing costs, written into docs/performance.md.

Everything is measured in one run, in rounds in which all take turns, beside the same C_Sign from a
loop in C, and beside another certificate authority with a key of the same kind in the same token.
The tables are written before the growth is measured, and again with it.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from ca.certificates import assemble, sign_octets
from ca.issuance import issue_all, prepare
from ca.requests import parse_request
from ca.rules import lint
from hsm.softhsm import SoftHsmStore
from server.assembly import Assembly
from server.clock import utc_now
from server.ordering import server_order
from tests.bench.csign import ECDSA, RSA_PKCS, beside_c, c_loop
from tests.bench.growth import load_certificates
from tests.bench.issue_report import REQUEST, SELF_CHECK, SIGNATURE, Run, Way, render
from tests.bench.issue_worker import PROFILE, requests
from tests.bench.report import write_section
from tests.bench.workers import Worker, peer_python, race, workers
from tests.support.command_line import ROOT
from tests.support.installation import an_installation
from tests.support.postgres import PrivatePostgres
from tests.support.softhsm import SoftHsm
from tests.support.token_keys import a_token_rsa_key

ROUNDS = 3
GATES = ("gate, before the intent", "gate again, before the signature")
BATCH = 100
SIZES, LARGE_SIZES = (1_000, 10_000, 100_000), (1_000, 10_000, 100_000, 1_000_000)
_WORKER = [sys.executable, str(ROOT / "tests" / "bench" / "issue_worker.py")]


@contextmanager
def a_site(folder: Path, store: SoftHsmStore, url: str = "") -> Iterator[tuple[Assembly, Path]]:
    """An installation of its own beside the others in one token store."""
    environment = {"TILLID_DATABASE__URL": url} if url else {}
    with an_installation(SoftHsm(store), folder, **environment) as parts:
        yield parts, folder


def environment_of(store: SoftHsmStore, state: Path, url: str = "") -> dict[str, str]:
    made = {
        "TILLID_STATE": str(state),
        "TILLID_HSM__SOFTHSM_DIRECTORY": str(store.directory),
        "TILLID_REGISTERS__ADAPTER": "fake",
    }
    return made | ({"TILLID_DATABASE__URL": url} if url else {})


def ways(
    engine: str, pair: list[Worker], targets: dict[tuple[int, int], tuple[float, float | None]]
) -> Iterator[Way]:
    """One by one and in batches, by one process and by two."""
    for number in (1, 2):
        for size, count in ((1, 100), (BATCH, 10 * BATCH)):
            who = pair[:number]
            of_sign, of_peer = targets.get((number, size), (None, None))
            how = "one by one" if size == 1 else f"batches of {size}"
            yield Way(
                f"{how}, {number} process{'es' if number > 1 else ''}, {engine}",
                lambda who=who, count=count, size=size: race(who, count, size),
                of_sign,
                of_peer,
            )


def synced_write(folder: Path) -> tuple[float, float]:
    """CPU and wall seconds of one small write that is synced to the disk of the databases."""
    file = os.open(folder / "synced", os.O_CREAT | os.O_WRONLY, 0o600)
    began, cpu, times = time.perf_counter(), time.process_time(), 50
    for number in range(times):
        os.pwrite(file, b"x" * 4096, number * 4096)
        os.fdatasync(file)
    taken = (time.process_time() - cpu) / times, (time.perf_counter() - began) / times
    os.close(file)
    return taken


def parts_of_a_certificate(parts: Assembly) -> list[tuple[str, float]]:
    """CPU seconds that each step of one certificate takes, median of rounds."""
    taken: dict[str, list[float]] = {}
    issuer, now = parts.issuing(), utc_now()
    for _ in range(ROUNDS):
        octets = requests(200)
        read = _timed(taken, REQUEST, octets, parse_request)
        orders = _timed(taken, "order", read, lambda r: server_order(PROFILE, r, ()))
        ready = _timed(taken, "encode and read back", orders, lambda o: prepare(o, issuer, now))
        for gate in GATES:
            _timed(taken, gate, ready, lambda p: lint(p.copy, p.content))
        signatures = _timed(
            taken, SIGNATURE, ready, lambda p: sign_octets(issuer.key, p.tbs_certificate)
        )
        pairs = list(zip(ready, signatures, strict=True))
        _timed(taken, SELF_CHECK, pairs, lambda pair: assemble(pair[0].copy, pair[1], issuer))
        began = time.process_time()
        for start in range(0, len(ready), BATCH):
            issue_all(ready[start : start + BATCH], parts.certificates, "system:operator", now)
        whole = (time.process_time() - began) / len(ready)
        of_issue = sum(taken[name][-1] for name in (*GATES, SIGNATURE, SELF_CHECK))
        taken.setdefault("rows and audit, in batches", []).append(max(0.0, whole - of_issue))
    return [(name, statistics.median(each)) for name, each in taken.items()]


def verification() -> float:
    """CPU seconds of one P-256 verification: each certificate needs two, and no less will do."""
    key, octets, algorithm = ec.generate_private_key(ec.SECP256R1()), b"x" * 700, hashes.SHA256()
    signature, known = key.sign(octets, ec.ECDSA(algorithm)), key.public_key()
    taken: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        _timed(taken, "", [octets] * 500, lambda o: known.verify(signature, o, ec.ECDSA(algorithm)))
    return statistics.median(taken[""])


def _timed(
    taken: dict[str, list[float]],
    name: str,
    inputs: list[Any],
    step: Callable[[Any], Any],
) -> list[Any]:
    began = time.process_time()
    made = [step(each) for each in inputs]
    taken.setdefault(name, []).append((time.process_time() - began) / len(inputs))
    return made


def hsm_rows(parts: Assembly) -> Iterator[tuple[str, float, float, float]]:
    """Name, CPU seconds by hsm/, CPU seconds by the C loop, and the share to reach."""
    record, octets, digest = parts.issuing_record(), b"x" * 700, hashes.SHA256()
    key, location = parts.issuing().key, parts.tokens.location(record.token)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    algorithm = ec.ECDSA(digest)
    place = (record.key_label, ECDSA)
    found = beside_c(lambda: key.sign(octets, algorithm), location, place, 2000, ROUNDS)
    yield "P-256", *found, 0.75
    token = parts.tokens.open(parts.settings.hsm.service_token)
    rsa_key, scheme = a_token_rsa_key(token, "bench-rsa"), padding.PKCS1v15()
    place = ("bench-rsa", RSA_PKCS)
    sign = lambda: rsa_key.sign(octets, scheme, digest)  # noqa: E731 - one of a pair
    yield "RSA-2048", *beside_c(sign, token.location, place, 300, ROUNDS), 0.95


def growth(folder: Path, store: SoftHsmStore, sizes: tuple[int, ...]) -> Iterator[tuple[int, Way]]:
    """What one certificate costs where so many are stored already: in batches, on SQLite."""
    with a_site(folder / "growth", store) as (parts, state):
        environment = environment_of(store, state)
        with workers(1, [*_WORKER, str(state)], environment) as one:
            for size in sizes:
                load_certificates(parts.database, size)
                row = Way("", lambda: race(one, 5 * BATCH, BATCH))
                row.measure()  # warms up
                row.taken = [row.measure() for _ in range(ROUNDS)]
                print(f"{size:,} stored: {row.cpu() * 1e6:,.0f} µs of CPU", file=sys.stderr)
                yield size, row


def measure(folder: Path, store: SoftHsmStore, *, with_peer: bool) -> Run:
    """All paths in turns, then the parts."""
    with ExitStack() as stack:
        parts, state = stack.enter_context(a_site(folder / "sqlite", store))
        here = environment_of(store, state)
        on_sqlite = stack.enter_context(workers(2, [*_WORKER, str(state)], here))
        postgres = stack.enter_context(postgres_on(folder))
        url = postgres.create("bench")
        _, state = stack.enter_context(a_site(folder / "postgresql", store, url))
        there = environment_of(store, state, url)
        on_postgres = stack.enter_context(workers(2, [*_WORKER, str(state)], there))

        record = parts.issuing_record()
        location = parts.tokens.location(record.token)
        floor = Way(
            "C_Sign in a loop in C", lambda: c_loop(location, (record.key_label, ECDSA), 3000)
        )
        sync = Way("one synced write to this disk", lambda: synced_write(folder))
        bare = Way(
            "library's builder and token key, nothing stored", lambda: race(on_sqlite[:1], 300, 0)
        )
        targets = {(1, 1): (0.06, 4.0), (1, BATCH): (0.16, 12.0)}
        paths = [bare, *ways("SQLite", on_sqlite, targets)]
        paths += ways("PostgreSQL", on_postgres, {(2, BATCH): (0.25, None)})
        peers = list(_peers(stack, folder, store)) if with_peer else []
        _take_turns([floor, sync, *paths, *peers])
        return Run(
            floor,
            sync,
            paths + peers,
            peers[0] if peers else None,
            list(hsm_rows(parts)),
            parts_of_a_certificate(parts),
            verification(),
        )


@contextmanager
def postgres_on(folder: Path) -> Iterator[PrivatePostgres]:
    """A server whose files are on the same disk as the others'."""
    place = folder / "postgres"
    place.mkdir(mode=0o711)
    server = PrivatePostgres(place)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _peers(stack: ExitStack, folder: Path, store: SoftHsmStore) -> Iterator[Way]:
    location, place = store.create_token("peer"), folder / "django-ca"
    place.mkdir()
    words = [str(location.module), location.label, str(location.pin_file)]
    program = str(ROOT / "tests" / "bench" / "django_ca_peer.py")
    command = [str(peer_python()), program, str(place), *words]
    environment = {"SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"]}
    peer = stack.enter_context(workers(1, command, environment))
    yield Way("django-ca, one by one, SQLite", lambda: race(peer, 50, 0))
    yield Way("django-ca, all in one transaction, SQLite", lambda: race(peer, 100, 1))


def _take_turns(paths: list[Way]) -> None:
    for number in range(ROUNDS + 1):
        for path in paths:
            taken = path.measure()
            if number:  # the first round warms up
                path.taken.append(taken)
        print(f"round {number} of {ROUNDS}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Measure, print the tables and write them into docs/performance.md."""
    unknown = set(arguments) - {"--large", "--no-peer", "--no-write"}
    if unknown:
        print(f"bench issue: there is no {unknown.pop()}", file=sys.stderr)
        return 2
    sizes = LARGE_SIZES if "--large" in arguments else SIZES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server of PostgreSQL runs as another user
        store = SoftHsmStore(folder / "softhsm")
        store.activate()
        found = measure(folder, store, with_peer="--no-peer" not in arguments)
        _tell(found, arguments)
        for row in growth(folder, store, sizes):
            found.growth.append(row)
        _tell(found, arguments)
    return 0


def _tell(found: Run, arguments: list[str]) -> None:
    text = render(found)
    print(text, flush=True)
    if "--no-write" not in arguments:
        write_section("issue", text)
