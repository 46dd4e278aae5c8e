"""The state directory: where it is, and that nobody else can read it."""

from collections.abc import Mapping
from pathlib import Path

from server.errors import StateRefused

_OWNER_ONLY = 0o700
_OTHERS = 0o077


def state_directory(environment: Mapping[str, str], working_directory: Path) -> Path:
    """The absolute path of $TILLID_STATE, or of `.state` in the working directory.

    Nothing is created here: see `make_state_directory`.
    """
    return working_directory.absolute() / (environment.get("TILLID_STATE") or ".state")


def make_state_directory(path: Path) -> None:
    """Make the directory with mode 0700 unless it is there.

    Raises:
        StateRefused: it cannot be made, is no directory, or is open to other users.
    """
    try:
        path.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise StateRefused(
            path, f"cannot be made ({reason})", "Set TILLID_STATE to a directory of your own."
        ) from error
    if mode & _OTHERS:
        raise StateRefused(
            path, "is open to other users of this machine", f"Run: chmod 700 '{path}'"
        )
