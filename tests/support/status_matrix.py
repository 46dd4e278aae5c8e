"""The table of relying parties: what each client is to say of a certificate in each state.

A client is one way of one program to hear a status. Each is asked about every state; where it has
other words for what is right, or is content with less, that is said beside it.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from revocation.reasons import Reason
from tests.support.service import quiet_port
from tests.support.tap import Tap


class Verdict(StrEnum):
    """What a relying party ends up with."""

    GOOD = "good"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Channel(StrEnum):
    """How the status comes to the client."""

    CRL = "full CRL"
    SHARD = "shard of the CRL"
    DELTA = "full and delta CRL"
    GET = "OCSP by GET"
    POST = "OCSP by POST"
    STAPLE = "OCSP, stapled"

    @property
    def methods(self) -> frozenset[str]:
        """How OCSP is asked over HTTP, if it is."""
        return frozenset({self.name} & {"GET", "POST"})


@dataclass(frozen=True)
class State:
    """What befell a certificate, and so what OCSP says of it."""

    name: str
    status: Verdict
    generation: str = "issuing-2"
    """The issuer that signed it."""
    reason: Reason | None = None
    expired: bool = False
    was_held: bool = False
    """It was put on hold, and a CRL told that, before anything else befell it."""

    def verdict(self, channel: Channel, *, by_path: bool) -> Verdict:
        """What is right: who validates a path also looks at its dates.

        A CRL says what was revoked and nothing of what was never issued (RFC 5280 section 5).
        """
        if self.expired and by_path:
            return Verdict.EXPIRED
        if self.status is Verdict.UNKNOWN and channel is Channel.CRL:
            return Verdict.GOOD
        return self.status


def _revoked(reason: Reason) -> State:
    return State(f"revoked-{reason.label}", Verdict.REVOKED, reason=reason)


REASONS = (
    Reason.UNSPECIFIED,
    Reason.KEY_COMPROMISE,
    Reason.CA_COMPROMISE,
    Reason.AFFILIATION_CHANGED,
    Reason.SUPERSEDED,
    Reason.CESSATION_OF_OPERATION,
    Reason.PRIVILEGE_WITHDRAWN,
)
STATES = (
    State("good", Verdict.GOOD),
    *map(_revoked, REASONS),
    State("held", Verdict.REVOKED, reason=Reason.CERTIFICATE_HOLD, was_held=True),
    State("returned", Verdict.GOOD, was_held=True),
    State("held-and-revoked", Verdict.REVOKED, reason=Reason.SUPERSEDED, was_held=True),
    State("unissued", Verdict.UNKNOWN),
    State("expired", Verdict.GOOD, "issuing", expired=True),
    State("older-good", Verdict.GOOD, "issuing"),
    State("older-revoked", Verdict.REVOKED, "issuing", Reason.SUPERSEDED),
    State("older-responder", Verdict.GOOD, "issuing"),
)
"""`unissued` is signed by our key, and in no record; what is `older` is signed by the key before,
and the answer about `older-responder` by the OCSP signer before."""
BY_NAME = {state.name: state for state in STATES}


@dataclass(frozen=True)
class Said:
    """What a client made of it; `reason` is its word for why, if it told one."""

    verdict: Verdict | None
    text: str
    reason: str | None = None


@dataclass(frozen=True)
class Client:
    """One way of a program to hear a status; `ask` gets the folder of the relying party."""

    name: str
    channel: Channel
    ask: Callable[["Party", State], Said]
    by_path: bool = True
    words: Mapping[Reason, str | None] = field(default_factory=dict)
    """What it calls each reason; empty when it tells none."""
    known_as: Mapping[str, Verdict] = field(default_factory=dict)
    """States of which it says something else than the table, and what."""
    meanwhile: frozenset[str] = frozenset()
    """The methods of OCSP that the same program may use at the same time, for another purpose."""

    def check(self, party: "Party", state: State) -> None:
        """Ask, and compare with the table; and that it asked in the way that it stands for here.

        What was found out before, as in one run for all states, asks nothing; and who hears
        "unknown" by GET may try again by POST.
        """
        with party.tap.listening() as requests:
            said = self.ask(party, state)
        methods = [method for method, path in requests if path.startswith("/ocsp/")]
        assert {*methods[:1]} <= self.channel.methods | self.meanwhile, requests
        right = state.verdict(self.channel, by_path=self.by_path)
        assert said.verdict == self.known_as.get(state.name, right), said.text
        if self.words and state.reason is not None:
            assert said.reason == self.words[state.reason], said.text


@dataclass(frozen=True)
class Party:
    """What a relying party has: the way to the public listener, and a folder of files.

    STATE.pem and STATE.key are a TLS server's, STATE.client.pem and .key a TLS client's;
    STATE.issuer.pem is who signed it. root.pem is trusted, between.pem holds every issuing
    certificate, crls.pem every CRL, NAME.crl and NAME.der those of one issuer.
    """

    url: str
    folder: Path
    tap: Tap = field(compare=False)
    _ports: dict[str, int] = field(default_factory=dict, compare=False)

    def port(self, name: str) -> int:
        """A TCP port for a server of this name, the same each time."""
        while name not in self._ports:
            port = quiet_port()
            if port not in self._ports.values():
                self._ports[name] = port
        return self._ports[name]

    def file(self, name: str) -> str:
        """The path of a file, as an argument."""
        return str(self.folder / name)

    def ocsp_url(self, state: State) -> str:
        """Where the status of a certificate is asked."""
        return f"{self.url}/ocsp/{state.generation}"


def each_cell(*clients: Client) -> pytest.MarkDecorator:
    """What is to be tried of these clients: every state."""
    assert all(client.known_as.keys() <= BY_NAME.keys() for client in clients)
    found = [(client, state) for client in clients for state in STATES]
    return pytest.mark.parametrize(
        ("client", "state"), found, ids=[f"{client.name}: {state.name}" for client, state in found]
    )


@dataclass(frozen=True)
class Ran:
    """How a program ended, and all it said."""

    code: int
    text: str


def run(*command: str, given: str = "", **environment: str) -> Ran:
    """Run a client; one that is not installed fails the test. `./dev test` installs it."""
    done = subprocess.run(
        command,
        input=given,
        env=os.environ | {"LC_ALL": "C.UTF-8", "no_proxy": "*"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Ran(done.returncode, f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def first_of(text: str, signs: Mapping[str, Verdict]) -> Verdict | None:
    """The verdict whose sign is in the text, the earlier named before the later."""
    return next((verdict for sign, verdict in signs.items() if sign in text), None)
