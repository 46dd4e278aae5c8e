"""Asking people: a terminal does it; stand-ins do it in a rehearsal without people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ceremony.custodians import join_pin, read_share
from ceremony.custody import Custody
from ceremony.errors import ShareRefused


class People(Protocol):
    """Those who hold the ceremony, as the program meets them."""

    def tell(self, *lines: str) -> None:
        """Say something."""
        ...

    def ask(self, question: str, *, optional: bool = False) -> str:
        """A line that somebody types; empty only if optional."""
        ...

    def identify(self, question: str, names: Sequence[str]) -> str:
        """The one of the names that somebody types, whatever the case of its letters."""
        ...

    def before_step(self) -> list[str]:
        """Wait until the step may begin; the deviations that are to be written down before it."""
        ...

    def hand_out(self, custodian: str, heading: str, share: str) -> None:
        """Show a share to its custodian alone, and return when they have it."""
        ...

    def take_share(self, heading: str, complaint: str) -> str:
        """What a custodian types; nobody else sees it."""
        ...

    def secret(self, question: str) -> str:
        """A line that is not shown while it is typed."""
        ...


def gather_pin(people: People, token: str, custody: Custody) -> str:
    """Ask custodians for their shares until the PIN is whole.

    Raises: ShareRefused when the shares fit one by one and make no PIN together.
    """
    shares: list[str] = []
    complaint = ""
    while len(shares) < custody.threshold:
        heading = f"Token {token}: share {len(shares) + 1} of the {custody.threshold} needed"
        try:
            shares.append(read_share(people.take_share(heading, complaint), custody, shares))
            complaint = ""
        except ShareRefused as refused:
            complaint = f"Not taken: {refused}."
    return join_pin(shares)


def ask_new(people: People, question: str, taken: Iterable[str], *, optional: bool = False) -> str:
    """A name that none of the others has, whatever the case of its letters."""
    known = {name.casefold() for name in taken}
    while True:
        name = people.ask(question, optional=optional)
        if name.casefold() not in known:
            return name
        people.tell(f"{name} is there already, and each person has one part.")


@dataclass(slots=True)
class StandIns:
    """Nobody: answers what has to be answered, for a rehearsal that checks the script."""

    told: list[str] = field(default_factory=list)
    shares: list[str] = field(default_factory=list)
    _answers: int = 0

    def tell(self, *lines: str) -> None:
        """Keep it."""
        self.told.extend(lines)

    def ask(self, question: str, *, optional: bool = False) -> str:
        """A name that says that it is nobody's."""
        if optional:
            return ""
        self._answers += 1
        return f"Stand-in {self._answers} ({question.rstrip(':')})"

    def identify(self, question: str, names: Sequence[str]) -> str:  # noqa: ARG002 - a part
        """The first."""
        return names[0]

    def before_step(self) -> list[str]:
        """Nothing to wait for."""
        return []

    def hand_out(self, custodian: str, heading: str, share: str) -> None:  # noqa: ARG002 - a part
        """Keep the share, as its custodian would."""
        self.shares.append(share)

    def take_share(self, heading: str, complaint: str) -> str:  # noqa: ARG002 - as above
        """Give the shares back one by one."""
        self.shares.append(share := self.shares.pop(0))
        return share

    def secret(self, question: str) -> str:
        """There is none."""
        raise ShareRefused(question)
