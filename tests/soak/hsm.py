"""`./dev soak hsm [SECONDS]`: the token is away for ten real minutes, unless told otherwise.

A running service refuses meanwhile, on both databases; then it must sign within ten seconds, and
what was begun must end.
"""

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
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    slowest = 0.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tillid-soak.")))
        library = compiled(SOURCE, folder / "shim.so", "-shared", "-fPIC")
        workshop = Workshop(folder, stack)
        for engine in ENGINES:
            with workshop.verified(engine) as story:
                outage = Outage.begin(story, library)
                FAULTS["removed"](outage.shim)
                approved = outage.try_to_approve()
                asked = outage.hold(seconds)
                took = outage.end(approved=approved)
            slowest = max(slowest, took)
            print(f"{engine}: {asked} refusals in {seconds:.0f} s, signs after {took:.1f} s")
    return 0 if slowest < 10 else 1


if __name__ == "__main__":
    sys.exit(main())
