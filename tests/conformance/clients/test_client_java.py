"""OpenJDK's PKIX validator: by the CRLs it fetches, and by OCSP with GET and with POST."""

from functools import cache, partial
from pathlib import Path

import pytest

import tests.support
from revocation.reasons import Reason
from tests.support.status_matrix import (
    STATES,
    Channel,
    Client,
    Party,
    Said,
    State,
    Verdict,
    each_cell,
    run,
)

_PROGRAM = Path(*tests.support.__path__) / "java" / "StatusJudge.java"


@cache
def judged(party: Party, asked: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Said]:
    """All cases, each a channel and a state, in one virtual machine."""
    ran = run(
        *("java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Duser.language=en"),
        *("-Dcom.sun.security.enableCRLDP=true", str(_PROGRAM), str(party.folder)),
        given="".join(f"{channel} {name}\n" for channel, name in asked),
    )
    found = {}
    for line in ran.text.splitlines()[1:]:
        channel, name, word, reason, *_ = line.split(" ")
        found[channel, name] = Said(Verdict(word), line, reason)
    return found


def _ask(channel: Channel, party: Party, state: State) -> Said:
    return judged(party, _CASES)[channel.name, state.name]


WORDS = {reason: reason.name for reason in Reason}
_CHANNELS = (Channel.CRL, Channel.GET, Channel.POST)
_CASES = tuple((channel.name, state.name) for channel in _CHANNELS for state in STATES)
CLIENTS = tuple(
    Client(f"Java PKIX, {channel}", channel, partial(_ask, channel), words=WORDS)
    for channel in _CHANNELS
)


@pytest.fixture(scope="module", autouse=True)
def methods(party: Party) -> list[str]:
    """How the virtual machine asked, once and for all."""
    with party.tap.listening() as requests:
        judged(party, _CASES)
    return [method for method, path in requests if path.startswith("/ocsp/")]


def test_java_asked_by_both_methods_of_all_but_the_expired(methods: list[str]) -> None:
    asked = sum(not state.expired for state in STATES)
    assert methods == ["GET"] * asked + ["POST"] * asked


@each_cell(*CLIENTS)
def test_java_sees_each_state(party: Party, client: Client, state: State) -> None:
    client.check(party, state)
