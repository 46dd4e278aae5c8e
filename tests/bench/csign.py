"""The floor of a signature in a token: the same C_Sign from a loop in C, compiled when needed."""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from hsm.token import TokenLocation
from tests.support.pkcs11_shim import compiled

SOURCE = Path(__file__).with_name("csign.c")

# Mechanism and octets of what is signed: a SHA-256 digest, with DigestInfo for RSA.
ECDSA = ("0x1041", "32")
RSA_PKCS = ("0x1", "51")


def has_compiler() -> bool:
    """Whether the floor can be measured here."""
    return shutil.which("cc") is not None


def c_loop(
    location: TokenLocation, key: tuple[str, tuple[str, str]], times: int
) -> tuple[float, float]:
    """CPU and wall seconds of one signature by C; `key`: its label, and the mechanism."""
    label, mechanism = key
    program = compiled(SOURCE, location.pin_file.with_name("csign"), "-O2")
    words = [str(program), str(location.module), location.label, str(location.pin_file), label]
    done = subprocess.run(
        [*words, *mechanism, str(times)], check=True, capture_output=True, text=True
    )
    cpu, wall = map(float, done.stdout.split())
    return cpu, wall


def beside_c(
    sign: Callable[[], object],
    location: TokenLocation,
    key: tuple[str, tuple[str, str]],
    times: int,
    rounds: int,
) -> tuple[float, float]:
    """Median CPU seconds of one signature by Python and by C; `key`: its label, and the mechanism.

    CPU time, for the two are processes of their own, and what else runs here meets them unequally.
    """
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(times):
            sign()
        taken[0].append((time.process_time() - started) / times)
        taken[1].append(c_loop(location, key, times)[0])
    return statistics.median(taken[0]), statistics.median(taken[1])
