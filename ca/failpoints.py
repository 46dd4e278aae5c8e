"""Named points of a use case at which a test can end the process.

Compiled out under `python -O`. The names are those of the steps in the documents:
issue.intended, issue.linted, issue.signed, issue.verified, issue.recorded, and so on.
"""

import os
import signal

VARIABLE = "TILLID_FAILPOINT"


def reach(name: str, scope: str = "") -> None:
    """Die by SIGKILL here if the environment says NAME:kill, or NAME@SCOPE:kill for this scope."""
    if __debug__ and os.environ.get(VARIABLE) in {f"{name}:kill", f"{name}@{scope}:kill"}:
        os.kill(os.getpid(), signal.SIGKILL)
