"""Whether a key is in a token, seen by a process that has never used it.

Run as `python -m server.fresh_look TOKEN LABEL [PIN-SOURCE]`; ends with 0 when the key is there,
with 9 when it is gone, and with anything else when that could not be found out.
"""

import os
import subprocess
import sys
from pathlib import Path

from server.settings import Settings
from server.settings_sources import environment_name, load_settings
from server.token_places import pin_descriptors
from server.tokens import Tokens

_THERE, _GONE = 0, 9
_SECONDS = 60


def is_gone(settings: Settings, token: str, label: str, pin: Path | None = None) -> bool:
    """Whether a process of its own finds the token without the key.

    `pin` is where the PIN is read that custodians gave. False also when the process could not
    look: what was not seen is not claimed.
    """
    root = Path(__file__).resolve().parent.parent
    given = {
        environment_name("hsm", key): _as_text(value)
        for key, value in settings.hsm.model_dump().items()
    }
    given_pin = () if pin is None else (pin,)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "server.fresh_look", token, label, *given_pin],
            env=os.environ | given | {"TILLID_STATE": str(settings.state), "PYTHONPATH": str(root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=pin_descriptors(settings.hsm, *given_pin),
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == _GONE


def _as_text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def main(token: str, label: str, pin: str | None = None) -> int:
    """Look, and give the exit code."""
    tokens = Tokens(load_settings(os.environ, Path.cwd()).hsm)
    if pin is not None:
        tokens.take_pin(token, Path(pin))
    with tokens.online(token):
        # By its label first: a private key without its public one would be there all the same.
        there = tokens.open(token).has_key(label) or tokens.held_by(token, label) is not None
    return _THERE if there else _GONE


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
