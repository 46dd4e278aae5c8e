"""`./dev soak lint [COUNT]`: generated certificates over all profiles, 20,000 unless told.

Each passes our own gate, is read by the linters of what its profile claims, and is verified with
its CRLs by OpenSSL, GnuTLS, NSS, Java and pyhanko; one process a core. Prints what was found.
"""

import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ca.profiles import profile_names
from server.clock import utc_now
from tests.support.certificate_samples import chains
from tests.support.outside_judges import Bench
from tests.support.pkilint_findings import WAIVED, claimed_findings

COUNT = 20_000
BATCH = 100


def judge(profile: str, count: int, seed: int) -> Counter[str]:
    """How often which judge found what in one batch of a profile."""
    now = utc_now().replace(microsecond=0)
    made = list(chains(profile, count, seed, now))
    found: Counter[str] = Counter()
    for chain in made:
        found.update(f"{profile}: {code}" for code in claimed_findings(chain.judged, profile))
    with tempfile.TemporaryDirectory() as folder:
        for name, refused in Bench(Path(folder), profile, now).judged(made).items():
            found.update(f"{profile}: {name} refuses: {why}" for why in refused.values())
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
    waived = Counter({code: n for code, n in found.items() if code.split(": ")[1] in WAIVED})
    for code, times in sorted((found - waived).items()):
        print(f"{code}: {times}")
    for code, times in sorted(waived.items()):
        print(f"waived: {code}: {times}")
    others = (found - waived).total()
    print(f"{batches * BATCH:,} certificates over {len(names)} profiles, {others} findings")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main())
