"""`./dev soak parse [COUNT]`: hostile octets at every parse boundary, 1,000,000 unless told.

One process a core. Prints what was raised that should not be, and what took longer than 50 ms.
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


def judge(count: int, seed: int) -> list[str]:
    """What one batch at one boundary found."""
    boundary = _MADE[seed % len(_MADE)]
    return [str(fault) for fault in faults(boundary, count, seed)]


def main() -> int:
    """Go on batch by batch, with a line of progress for each tenth; 1 if anything was found."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    batches = -(-count // BATCH)
    found, started = 0, time.monotonic()
    with ProcessPoolExecutor(2, initializer=make) as pool:
        running = [pool.submit(judge, BATCH, seed) for seed in range(batches)]
        for done, batch in enumerate(as_completed(running), start=1):
            for line in batch.result():
                found += 1
                print(line, flush=True)
            if done % max(1, batches // 10) == 0:
                seconds = time.monotonic() - started
                print(f"{done * BATCH:,} readings, {seconds:.0f} s", flush=True)
    print(f"{batches * BATCH:,} readings at {len(boundaries())} boundaries, {found} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
