"""The port to what is sent to people: letters, text messages, e-mail.

A notifier takes a notice over and says so; a repeated notice of the same key is sent once. Any
adapter must pass `tests/support/port_contracts.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ra.case import CodeChannel
from ra.identity import Personal


class NoticeKind(StrEnum):
    """What a notice is about."""

    ACTIVATION_CODE = "activation_code"
    PROOFING_CODE = "proofing_code"
    PROOFING_DONE = "proofing_done"
    STATUS_CHANGED = "status_changed"
    CALL_BACK = "call_back"
    CASE_MESSAGE = "case_message"


@dataclass(frozen=True, slots=True, repr=False)
class Notice:
    """One notice; address and text are personal, and `key` names the occasion and nobody."""

    key: str
    kind: NoticeKind
    channel: CodeChannel
    address: Personal
    text: Personal

    def __repr__(self) -> str:
        return f"Notice({self.key}, {self.kind.value}, {self.channel.value}, ***)"


class Sending(StrEnum):
    """What became of a notice."""

    TAKEN_OVER = "taken_over"
    UNDELIVERABLE = "undeliverable"
    """The address does not exist; another one is needed."""
    NO_ANSWER = "no_answer"
    """Nobody knows whether it was taken over: send it again under the same key."""


class Notifier(Protocol):
    """Whatever carries notices by one or more channels."""

    @property
    def channels(self) -> frozenset[CodeChannel]:
        """The channels that it carries notices by."""
        ...

    def send(self, notice: Notice, now: datetime) -> Sending:
        """Take a notice over; a key that was taken over before is not sent again."""
        ...
