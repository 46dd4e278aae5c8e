"""`./dev soak hsm [SECONDS] [sqlite|postgresql]`: the token is away for ten real minutes.

Unless told otherwise, and on both databases, one after the other. A running service refuses
meanwhile; then it must sign within ten seconds, and what was begun must end.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.pkcs11_shim import SOURCE, compiled
from tests.support.token_faults import FAULTS, Outage
from tests.support.workshop import ENGINES, Workshop

SECONDS = 600.0


def main() -> int:
    """Hold the token down once for each database, and tell what was seen; 1 if it was too long."""
    asked_for = argparse.ArgumentParser(prog="./dev soak hsm")
    asked_for.add_argument("seconds", nargs="?", type=float, default=SECONDS)
    asked_for.add_argument("engine", nargs="?", choices=ENGINES)
    of = asked_for.parse_args()
    seconds = of.seconds
    slowest = 0.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tillid-soak.")))
        library = compiled(SOURCE, folder / "shim.so", "-shared", "-fPIC")
        workshop = Workshop(folder, stack)
        for engine in [of.engine] if of.engine else ENGINES:
            with workshop.verified(engine) as story:
                outage = Outage.begin(story, library)
                FAULTS["removed"](outage.shim)
                approved = outage.try_to_approve()
                asked = outage.hold(seconds)
                took = outage.end(approved=approved)
            slowest = max(slowest, took)
            said = f"{asked} refusals in {seconds:.0f} s, signs after {took:.1f} s"
            print(f"{engine}: {said}", flush=True)
    return 0 if slowest < 10 else 1


if __name__ == "__main__":
    sys.exit(main())
