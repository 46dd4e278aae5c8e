"""What verbs about the machine act on: this installation's settings and parts."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ceremony.custody import Custody
    from server.assembly import Assembly
    from server.held_pins import AskPin
    from server.settings import Settings

OPERATOR = "system:operator"


def settings() -> "Settings":
    """The settings of this installation; SettingsRefused names every fault."""
    from server.settings_sources import load_settings

    return load_settings(os.environ, Path.cwd())


def _custodians() -> "AskPin | None":
    """Asks custodians at the terminal; without one, a token that they hold is not at hand."""
    if not sys.stdin.isatty():
        return None

    def ask(label: str, custody: "Custody") -> str:
        from ceremony.people import gather_pin
        from commands.ceremony_people import TerminalPeople

        with TerminalPeople.open() as people:
            return gather_pin(people, label, custody)

    return ask


@contextmanager
def installation(*, checked: bool = True) -> Iterator["Assembly"]:
    """The parts of this installation, joined; whether the service runs makes no difference.

    Unless `checked`, also on a database whose guards are not those of this version.
    """
    from server.assembly import assembled
    from server.logs import log_to

    loaded = settings()
    with (
        log_to(loaded.state, "command", loaded.logs.level),
        assembled(loaded, checked=checked, ask_pin=_custodians()) as parts,
    ):
        yield parts
