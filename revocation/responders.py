"""Several responders of one issuer, each with a key and a delegation of its own.

RFC 6960 section 4.2.2.2 lets an issuer delegate to any number of keys. While the token of the first
is away the next one signs, within the same call: two answers to one question do no harm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ca.identifiers import IssuerName
from hsm.errors import HsmError, PinRejected, TokenNotFound, TokenUnavailable
from revocation.ocsp import OcspRequest
from revocation.ocsp_gate import Statement
from revocation.preproduction import DueResponse, Life, ProducedResponses
from revocation.responder import OcspAnswer, OcspResponder

AWAY: tuple[type[HsmError], ...] = (TokenUnavailable, TokenNotFound, PinRejected)
"""A token is not there; any other fault, a quota too, is no reason to use another one."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class OcspResponders:
    """One or more responders of one issuer, the preferred first."""

    responders: tuple[OcspResponder, ...]

    @property
    def issuer_name(self) -> IssuerName:
        """Whose certificates they answer for."""
        return self.responders[0].issuer_name

    def answer(self, octets: bytes, now: datetime) -> OcspAnswer:
        """As `OcspResponder.answer`, by the first whose token is there. Raises: HsmError."""
        return self._by_the_first(lambda responder: responder.answer(octets, now))

    def answer_request(self, request: OcspRequest, now: datetime) -> OcspAnswer:
        """As `answer`, of a request that was read already. Raises: HsmError."""
        return self._by_the_first(lambda responder: responder.answer_request(request, now))

    def statement(self, response: bytes, life: Life) -> Statement | None:
        """What a response that was made ahead says, if one of them signed it."""
        found = (responder.statement(response, life) for responder in self.responders)
        return next((each for each in found if each is not None), None)

    def with_nonce(self, statement: Statement, nonce: bytes, now: datetime) -> bytes | None:
        """As `OcspResponder.with_nonce`, by the one whose statement it is. Raises: HsmError."""
        signed = (responder.with_nonce(statement, nonce, now) for responder in self.responders)
        return next((each for each in signed if each is not None), None)

    def produce(self, due: DueResponse, now: datetime) -> ProducedResponses:
        """As `OcspResponder.produce`, by the first whose token is there. Raises: HsmError."""
        return self._by_the_first(lambda responder: responder.produce(due, now))

    def _by_the_first(self, act: Callable[[OcspResponder], Result]) -> Result:
        *others, last = self.responders
        for responder in others:
            try:
                return act(responder)
            except AWAY:
                continue
        return act(last)
