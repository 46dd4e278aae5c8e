"""`./dev soak lint [COUNT]`: generated certificates over all profiles, 20,000 unless told.

Each passes our own gate and is read by pkilint; one process a core. Prints what was found.
"""

import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ca.profiles import profile_names
from tests.support.certificate_samples import samples
from tests.support.pkilint_findings import pkilint_findings

COUNT = 20_000
BATCH = 100


def judge(profile: str, count: int, seed: int) -> Counter[str]:
    """How often pkilint found what in one batch of a profile."""
    found: Counter[str] = Counter()
    for certificate in samples(profile, count, seed):
        found.update(f"{profile}: {code}" for code in pkilint_findings(certificate))
    return found


def main() -> int:
    """Judge batch by batch, with a line of progress for each tenth; 1 if anything was found."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    names = profile_names()
    batches = -(-count // BATCH)
    found, started = Counter[str](), time.monotonic()
    with ProcessPoolExecutor(2) as pool:
        running = [
            pool.submit(judge, names[seed % len(names)], BATCH, seed) for seed in range(batches)
        ]
        for done, batch in enumerate(as_completed(running), start=1):
            found += batch.result()
            if done % max(1, batches // 10) == 0:
                seconds = time.monotonic() - started
                print(f"{done * BATCH:,} certificates, {seconds:.0f} s", flush=True)
    for code, times in sorted(found.items()):
        print(f"{code}: {times}")
    print(f"{batches * BATCH:,} certificates over {len(names)} profiles, {found.total()} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
