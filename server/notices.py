"""Notices that say nothing: "you have a message, case K7F2M9QX". What it is, is behind the secret.

A mail or a text message may be read by others on its way, so a notice holds the number of the case
and nothing else; a name in it could not even be put there.
"""

from dataclasses import dataclass, field
from string import Template
from typing import Protocol

NOTICES: dict[str, str] = {
    "da": "Der er en besked til dig i sag $case. Åbn den på $url/privacy",
    "sv": "Du har ett meddelande i ärende $case. Öppna det på $url/privacy",
    "en": "You have a message in case $case. Open it at $url/privacy",
}
"""The only texts that leave the house, by language."""
ALLOWED = frozenset({"case", "url"})
"""What may stand in a notice: neither says anything about the person."""


class Notifier(Protocol):
    """Sends a notice to an address: by mail, text message, or to another system."""

    def send(self, address: str, notice: str) -> None:
        """Send it, or keep it to be sent; an address that takes none is nobody's fault."""


@dataclass(frozen=True, slots=True)
class NoNotifier:
    """Sends nothing; whoever asks looks at the page of the case."""

    def send(self, address: str, notice: str) -> None:
        """Nothing is sent."""


@dataclass(slots=True)
class KeptNotices:
    """A notifier that keeps what it was given, for tests and rehearsals."""

    sent: list[tuple[str, str]] = field(default_factory=list)

    def send(self, address: str, notice: str) -> None:
        """Keep it."""
        self.sent.append((address, notice))


def notice_of(language: str, case_id: str, url: str) -> str:
    """The notice of a case."""
    return Template(NOTICES[language]).substitute(case=case_id, url=url)


def placeholders(template: str) -> frozenset[str]:
    """The names that stand in a template, for the check that no notice tells anything."""
    return frozenset(Template(template).get_identifiers())
