"""Ceremonies for tests: a script and a binding as files have them, and people who answer."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ceremony.checks import check_binding, read_script
from ceremony.conduct import Papers
from ceremony.people import StandIns
from ceremony.script import read_binding, template_text
from records.database import Database
from records.schema import migrate
from server.assembly import Assembly, assembled
from server.settings_sources import load_settings
from tests.support.softhsm import SoftHsm

_NUMBERS = itertools.count(1)


@dataclass
class Crew(StandIns):
    """People who answer at once, and of whom one presses Ctrl-C at the `stop_at`th question."""

    stop_at: int = 0
    asked: int = 0
    deviations: list[str] = field(default_factory=list)
    first_pin: str = ""

    def secret(self, question: str) -> str:  # noqa: ARG002 - a part
        return self.first_pin

    def ask(self, question: str, *, optional: bool = False) -> str:
        self._question()
        return super().ask(question, optional=optional)

    def identify(self, question: str, names: Sequence[str]) -> str:
        self._question()
        return super().identify(question, names)

    def before_step(self) -> list[str]:
        self._question()
        return [self.deviations.pop()] if self.deviations else []

    def hand_out(self, custodian: str, heading: str, share: str) -> None:
        self._question()
        super().hand_out(custodian, heading, share)

    def take_share(self, heading: str, complaint: str) -> str:
        self._question()
        assert not complaint
        return super().take_share(heading, complaint)

    def _question(self) -> None:
        self.asked += 1
        if self.asked == self.stop_at:
            raise KeyboardInterrupt


def a_binding(pin: str = "custodians") -> str:
    """Tokens that no other test has."""
    number = next(_NUMBERS)
    return (
        f'[token.root]\nlabel = "ceremony-root-{number}"\npin = "{pin}"\n\n'
        f'[token.issuing]\nlabel = "ceremony-issuing-{number}"\npin = "file"\n'
    )


def papers(script: str | None = None, binding: str | None = None) -> Papers:
    """What a ceremony is held by; the template and a binding of its own by default."""
    read = read_script((script or template_text()).encode(), "script.toml")
    bound = read_binding((binding or a_binding()).encode(), "binding.toml")
    check_binding(read.script, bound)
    return Papers(read, bound, rehearsal=False)


@contextmanager
def an_empty_installation(softhsm: SoftHsm, state: Path, **environment: str) -> Iterator[Assembly]:
    """Settings, a migrated database, the tokens of the test process, and no issuer."""
    state.mkdir(mode=0o700, exist_ok=True)
    settings = load_settings(
        {
            "TILLID_STATE": str(state),
            "TILLID_HSM__SOFTHSM_DIRECTORY": str(softhsm.store.directory),
            **environment,
        },
        state,
    )
    database = Database(settings.database.url.reveal())
    migrate(database)
    database.close()
    with assembled(settings) as parts:
        yield parts
