"""Notices that say nothing: "you have a message, case K7F2M9QX". What it is, is behind the secret.

A mail or a text message may be read by others on its way, so a notice holds the number of the case
and nothing else; a name in it could not even be put there. They go through the port of
`ra.notices`, as every notice to a person does.
"""

from dataclasses import dataclass
from datetime import datetime
from string import Template

from ra.case import CodeChannel
from ra.identity import Personal
from ra.notices import Notice, NoticeKind, Sending

NOTICES: dict[str, str] = {
    "da": "Der er en besked til dig i sag $case. Åbn den på $url/privacy",
    "sv": "Du har ett meddelande i ärende $case. Öppna det på $url/privacy",
    "en": "You have a message in case $case. Open it at $url/privacy",
}
"""The only texts that leave the house, by language."""
ALLOWED = frozenset({"case", "url"})
"""What may stand in a notice: neither says anything about the person."""


@dataclass(frozen=True, slots=True)
class NoNotifier:
    """Carries notices by no channel; whoever asks looks at the page of the case."""

    channels: frozenset[CodeChannel] = frozenset()

    def send(self, notice: Notice, now: datetime) -> Sending:
        """Nothing is sent."""
        del notice, now
        return Sending.UNDELIVERABLE


def case_notice(text: str, occasion: str, address: str) -> Notice:
    """The notice of an occasion in a case; an address with an at sign is mail, another a number."""
    channel = CodeChannel.EMAIL if "@" in address else CodeChannel.SMS
    return Notice(occasion, NoticeKind.CASE_MESSAGE, channel, Personal(address), Personal(text))


def notice_of(language: str, case_id: str, url: str) -> str:
    """The text of a notice."""
    return Template(NOTICES[language]).substitute(case=case_id, url=url)


def placeholders(template: str) -> frozenset[str]:
    """The names that stand in a template, for the check that no notice tells anything."""
    return frozenset(Template(template).get_identifiers())
