"""`./dev bench [NAME...]`: what each path costs, beside its floor in the same run.

Those of `OWN_RUNS` are runs of their own, which write docs/performance.md or docs/scale.md.

Only the ratios mean anything: machines are shared and noisy. Each figure is the median of rounds in
which the path and its floor take turns.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from sqlalchemy import insert

from audit.events import Event
from ca.key_quality import CHECKS, _is_prime, check_key
from hsm.softhsm import SoftHsmStore
from records.audit_log import append
from records.tables import lease
from revocation.ocsp import ResponseSigner, SingleAnswer, build_response
from revocation.status import Good
from server.assembly import Assembly
from server.clock import utc_now
from tests.bench import crl, data, directory, issue, revoke, scale
from tests.bench import ocsp as ocsp_bench
from tests.bench.csign import ECDSA, RSA_PKCS, beside_c, has_compiler
from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm
from tests.support.token_keys import a_token_rsa_key

ROUNDS = 5


@dataclass(frozen=True)
class Measured:
    """One line of the table: what, beside which floor, and how many seconds each took a time."""

    path: str
    floor: str
    path_seconds: float
    floor_seconds: float

    def __str__(self) -> str:
        ratio = self.path_seconds / self.floor_seconds
        return (
            f"| {self.path} | {self.path_seconds * 1e6:,.0f} µs | {self.floor} |"
            f" {self.floor_seconds * 1e6:,.0f} µs | {ratio:.2f} |"
        )


Call = Callable[[], object]


def beside(path: Call, floor: Call, times: int) -> tuple[float, float]:
    """Median seconds of one call of each, taking turns."""
    taken: dict[Call, list[float]] = {path: [], floor: []}
    for _ in range(ROUNDS):
        for each in (path, floor):
            started = time.perf_counter()
            for _ in range(times):
                each()
            taken[each].append((time.perf_counter() - started) / times)
    return statistics.median(taken[path]), statistics.median(taken[floor])


def signing(parts: Assembly) -> Measured:
    """A P-256 signature through hsm/, beside one by a loop in C, or by a software key."""
    token, algorithm, octets = parts.issuing().key, ec.ECDSA(hashes.SHA256()), b"x" * 700
    assert isinstance(token, ec.EllipticCurvePrivateKey)
    path = "signature in the token (P-256)"
    if has_compiler():
        record = parts.issuing_record()
        key, at = (record.key_label, ECDSA), parts.tokens.location(record.token)
        found = beside_c(lambda: token.sign(octets, algorithm), at, key, 3000, ROUNDS)
        return Measured(path, "C loop (CPU time)", *found)
    software = ec.generate_private_key(ec.SECP256R1())
    found = beside(
        lambda: token.sign(octets, algorithm), lambda: software.sign(octets, algorithm), 300
    )
    return Measured(path, "software key", *found)


def signing_rsa(parts: Assembly) -> Measured:
    """An RSA-2048 signature through hsm/, beside one by a loop in C, or by a software key."""
    scheme, digest, octets = padding.PKCS1v15(), hashes.SHA256(), b"x" * 700
    token = parts.tokens.open(parts.settings.hsm.service_token)
    key = a_token_rsa_key(token, "bench-rsa")
    path = "signature in the token (RSA-2048)"
    if has_compiler():
        place = ("bench-rsa", RSA_PKCS)
        at = token.location
        found = beside_c(lambda: key.sign(octets, scheme, digest), at, place, 500, ROUNDS)
        return Measured(path, "C loop (CPU time)", *found)
    software = rsa.generate_private_key(65537, 2048)
    found = beside(
        lambda: key.sign(octets, scheme, digest), lambda: software.sign(octets, scheme, digest), 100
    )
    return Measured(path, "software key", *found)


def keys(parts: Assembly) -> Iterator[Measured]:
    """Every check of a key once, beside one verification with it."""
    del parts
    algorithm, octets = hashes.SHA256(), b"x" * 300
    curve = ec.generate_private_key(ec.SECP256R1())
    public, signature = curve.public_key(), curve.sign(octets, ec.ECDSA(algorithm))
    found = beside(
        lambda: check_key(public),
        lambda: public.verify(signature, octets, ec.ECDSA(algorithm)),
        300,
    )
    yield Measured("key checks, P-256", "one verification", *found)
    for bits in (2048, 3072, 4096):
        made = rsa.generate_private_key(65537, bits)
        known, signed = made.public_key(), made.sign(octets, padding.PKCS1v15(), algorithm)
        for cheap in (True, False):
            yield _rsa_checks(known, signed, octets, cheap=cheap)


def _rsa_checks(key: rsa.RSAPublicKey, signature: bytes, octets: bytes, *, cheap: bool) -> Measured:
    """All checks but the last, or the last one: whether the modulus is a power of a prime."""
    checks = CHECKS[:-1] if cheap else CHECKS[-1:]

    def look() -> None:
        _is_prime.cache_clear()
        assert [check.found(key) for check in checks] == [None] * len(checks)

    found = beside(
        look, lambda: key.verify(signature, octets, padding.PKCS1v15(), hashes.SHA256()), 5
    )
    what = "key checks but the last" if cheap else "prime power check"
    return Measured(f"{what}, RSA-{key.key_size}", "one verification", *found)


def ocsp_answer(parts: Assembly) -> Measured:
    """An OCSP answer signed by a software key, beside the bare signature."""
    issuing, now = parts.issuing(), utc_now().replace(microsecond=0)
    assert issuing.certificate is not None
    key = ec.generate_private_key(ec.SECP256R1())
    signer = ResponseSigner.of(issuing.certificate, key)
    single = SingleAnswer(bytes.fromhex("3000"), Good(), now, now + timedelta(hours=1))
    found = beside(
        lambda: build_response(signer, now, [single], None),
        lambda: key.sign(b"x" * 300, ec.ECDSA(hashes.SHA256())),
        500,
    )
    return Measured("OCSP answer, software key", "signature", *found)


def audit(parts: Assembly) -> Measured:
    """An audit event in a transaction of 100, beside a plain insert."""
    counter = iter(range(10**9))

    def events() -> None:
        with parts.database.write() as tx:
            for _ in range(100):
                append(tx, Event("bench.event", "system:operator", "bench", {}), utc_now())

    def inserts() -> None:
        with parts.database.write() as tx:
            for _ in range(100):
                name = f"bench-{next(counter)}"
                tx.execute(insert(lease).values(name=name, holder="bench", until_at=utc_now()))

    path, floor = beside(events, inserts, 3)
    return Measured("audit event, 100 a transaction", "plain insert", path / 100, floor / 100)


_ALL = (signing, signing_rsa, keys, ocsp_answer, audit)
BENCHES = {each.__name__: each for each in _ALL}
OWN_RUNS: dict[str, Callable[[list[str]], int]] = {
    "crl": crl.main,
    "data": data.main,
    "directory": directory.main,
    "issue": issue.main,
    "ocsp": ocsp_bench.main,
    "revoke": revoke.main,
    "scale": lambda _: scale.main(),
}


@contextmanager
def prepared() -> Iterator[Assembly]:
    """An installation on SQLite in a temporary directory."""
    with tempfile.TemporaryDirectory() as folder:
        store = SoftHsmStore(Path(folder) / "softhsm")
        store.activate()
        with an_installation(SoftHsm(store), Path(folder) / "state") as parts:
            yield parts


def main() -> int:
    """Run the benches named on the command line, all by default; prints a table."""
    if sys.argv[1:2] and sys.argv[1] in OWN_RUNS:
        return OWN_RUNS[sys.argv[1]](sys.argv[2:])
    wanted = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        print(
            f"bench: there is no {unknown[0]}; there are: {', '.join([*OWN_RUNS, *BENCHES])}",
            file=sys.stderr,
        )
        return 2
    print(f"{os.cpu_count()} cores, medians of {ROUNDS} rounds; only the ratios mean anything\n")
    print("| path | a time | floor | a time | path / floor |\n|---|---|---|---|---|")
    with prepared() as parts:
        for name in wanted:
            measured = BENCHES[name](parts)
            for line in [measured] if isinstance(measured, Measured) else measured:
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
