"""`./dev soak parse [COUNT]`: hostile octets at every parse boundary, 1,000,000 unless told.

One process a core. Prints what was raised that should not be, what took longer than 50 ms, and the
slowest reading at each boundary.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.parse_boundaries import Boundary, boundaries, faults

COUNT = 1_000_000
BATCH = 2_000
_MADE: list[Boundary] = []


def make() -> None:
    """Keys and samples, once a process."""
    _MADE.extend(boundaries())


def judge(count: int, seed: int) -> tuple[str, float, list[str]]:
    """One batch at one boundary: its name, the seconds of its slowest reading, what was found."""
    boundary, took = _MADE[seed % len(_MADE)], [0.0]
    found = [str(fault) for fault in faults(boundary, count, seed, took)]
    return boundary.name, max(took), found


def main() -> int:
    """Go on batch by batch, with a line of progress for each tenth; 1 if anything was found."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    batches = -(-count // BATCH)
    found, started = 0, time.monotonic()
    slowest: dict[str, float] = {}
    with ProcessPoolExecutor(2, initializer=make) as pool:
        running = [pool.submit(judge, BATCH, seed) for seed in range(batches)]
        for done, batch in enumerate(as_completed(running), start=1):
            name, seconds, faulty = batch.result()
            slowest[name] = max(seconds, slowest.get(name, 0.0))
            found += len(faulty)
            print(*faulty, sep="\n", end="\n" if faulty else "", flush=True)
            if done % max(1, batches // 10) == 0:
                seconds = time.monotonic() - started
                print(f"{done * BATCH:,} readings, {seconds:.0f} s", flush=True)
    for name, seconds in sorted(slowest.items()):
        print(f"{name}: at most {seconds * 1000:.1f} ms of CPU")
    print(f"{batches * BATCH:,} readings at {len(slowest)} boundaries, {found} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
