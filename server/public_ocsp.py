"""OCSP on the public listener: from memory, from the database, or signed within a budget.

Every answer of the standard comes with HTTP status 200, errors too, for clients look at nothing
else (RFC 6960 appendix A.2); caches keep what is true for long and nothing else (RFC 5019 6.2).
"""

import urllib.parse
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from ca.identifiers import IssuerName, SerialNumber
from ca.issuers import IssuerRecord
from hsm.errors import HsmError
from records.errors import RecordsError
from revocation.cert_ids import CertIdHash, IssuerCertIds
from revocation.errors import MalformedRequest, StatusUnavailable
from revocation.ocsp import (
    MAX_REQUEST_OCTETS,
    OcspRequest,
    ResponseStatus,
    encode_request,
    error_response,
    parse_request,
)
from revocation.preproduction import Life, PreproducedResponse, find_response
from revocation.responders import OcspResponders
from server.assembly import Assembly
from server.clock import utc_now
from server.own_certificates import ocsp_responder
from server.public_answer import NOT_FOUND, Answer, not_allowed
from server.public_responses import Held, HeldResponses, Question, ocsp_headers
from server.signing_budget import SigningBudget

_TYPE = "application/ocsp-response"
_NO_STORE = ("Cache-Control", "no-store")
# A responder's certificate is renewed now and then; an issuer that is new is found at once.
_RESPONDER_KNOWN_FOR = timedelta(minutes=5)
_ISSUERS_KNOWN_FOR = timedelta(seconds=1)
# Threads that may wait for the token at once. As many are left for what needs none, when all that
# may wait for the bodies of slow clients do so.
SIGN_AT_ONCE: Final = 4
# How base64 of any SEQUENCE begins, and no issuer's name does.
_BASE64_SEQUENCE = "M"

Kind = str
"""How an answer came about, as `tillid_ocsp_answers_total` counts it."""
_MADE_AHEAD: Kind = "made_ahead"

Said = Answer | Held


def _error(status: ResponseStatus, *headers: tuple[str, str]) -> tuple[Kind, Answer]:
    answer = Answer("200 OK", error_response(status), _TYPE, (_NO_STORE, *headers))
    return status.name.lower(), answer


MALFORMED = _error(ResponseStatus.MALFORMED_REQUEST)
UNAUTHORIZED = _error(ResponseStatus.UNAUTHORIZED)
INTERNAL_ERROR = _error(ResponseStatus.INTERNAL_ERROR)
TRY_LATER = _error(ResponseStatus.TRY_LATER, ("Retry-After", "5"))

IssuerHashes = tuple[bytes, bytes, bytes]
Plain = tuple[CertIdHash, SerialNumber]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request about certificates of an issuer; `recognised` when a response may be made ahead."""

    record: IssuerRecord
    request: OcspRequest
    recognised: tuple[CertIdHash, SerialNumber] | None
    question: Question


@dataclass(slots=True)
class PublicOcsp:
    """The OCSP responders of one worker process; `issuer_of` knows issuers by name."""

    parts: Assembly
    issuer_of: Callable[[str], IssuerRecord | None]
    tell: Callable[[Exception], None]
    held: HeldResponses
    budget: SigningBudget
    _responders: dict[str, tuple[datetime, OcspResponders]] = field(default_factory=dict)
    _cert_ids: dict[str, tuple[x509.Certificate, IssuerCertIds]] = field(default_factory=dict)
    _names: tuple[datetime, dict[IssuerHashes, str]] | None = None

    def answer(self, method: str, path: str, body: bytes) -> tuple[Kind, Said]:
        """The answer to a question that is not held in memory."""
        # PATH_INFO is decoded once by the server: what follows the issuer's name is taken raw.
        name, encoded = _split(path)
        question: Question
        try:
            if method == "POST" and not encoded:
                octets, question = body, (path, body)
            elif method in {"GET", "HEAD"} and encoded:
                octets, question = _from_path(encoded), path
            else:
                known = not name or self.issuer_of(name) is not None
                return "none", not_allowed("GET, POST") if known else NOT_FOUND
            return self._about(name, question, octets)
        except (RecordsError, StatusUnavailable) as error:
            self.tell(error)
            return TRY_LATER

    def responder(self, record: IssuerRecord, now: datetime) -> OcspResponders | None:
        """What signs for an issuer. Raises: HsmError, RecordsError."""
        kept = self._responders.get(record.name)
        if kept is not None and abs(now - kept[0]) < _RESPONDER_KNOWN_FOR:
            return kept[1]
        responder = ocsp_responder(self.parts, record, now)
        if responder is not None:
            self._responders[record.name] = (now, responder)
        return responder

    def _about(self, name: str, question: Question, octets: bytes) -> tuple[Kind, Said]:
        now = utc_now()
        record = self.issuer_of(name) if name else None
        if name and record is None:
            return "none", NOT_FOUND
        plain = None if record is None else self._plain(record, octets)
        if record is not None:
            ready = self._at_once(record, plain, (question, octets), now)
            if ready is not None:
                return ready
        return self._read(record, (question, octets), now, is_looked_for=plain is not None)

    def _read(
        self,
        record: IssuerRecord | None,
        asked: tuple[Question, bytes],
        now: datetime,
        *,
        is_looked_for: bool,
    ) -> tuple[Kind, Said]:
        """The answer to any other question; `is_looked_for` if what is made ahead was looked at."""
        question, octets = asked
        try:
            request = parse_request(octets)
        except MalformedRequest:
            return MALFORMED
        record = record or self._issuer_asked_about(request, now)
        cert_ids = None if record is None else self._ids(record)
        if record is None or cert_ids is None or not record.answers_ocsp:
            return UNAUTHORIZED  # of a retired one, or a root, the CRL says it all
        if not any(map(cert_ids.is_ours, request.cert_ids)):
            return UNAUTHORIZED
        # What was looked for by its octets is not looked for again.
        recognised = None if is_looked_for else cert_ids.recognise_only(request)
        return self._of_ours(_Asked(record, request, recognised, question), now)

    def _at_once(
        self,
        record: IssuerRecord,
        plain: Plain | None,
        asked: tuple[Question, bytes],
        now: datetime,
    ) -> tuple[Kind, Said] | None:
        """The answer to the two commonest of questions, which are not read but compared."""
        question, octets = asked
        if plain is None:
            return self._renewed(record, octets, now)
        held = self._made_ahead(record.name, plain, question, now)
        return None if held is None else (_MADE_AHEAD, held)

    def _plain(self, record: IssuerRecord, octets: bytes) -> tuple[CertIdHash, SerialNumber] | None:
        """The certificate that the commonest of questions is about."""
        cert_ids = self._ids(record) if record.answers_ocsp else None
        return None if cert_ids is None else cert_ids.recognise_plain(octets)

    def _of_ours(self, asked: "_Asked", now: datetime) -> tuple[Kind, Said]:
        with_nonce = asked.request.nonce is not None
        if asked.recognised is not None and not with_nonce:
            held = self._made_ahead(asked.record.name, asked.recognised, asked.question, now)
            if held is not None:
                return _MADE_AHEAD, held
        signed = self._sign(asked, now)
        if signed is not None:
            return signed
        # A responder may leave a nonce unanswered, and the client then looks at the times
        # (RFC 5019 section 4); what was made ahead is as true as what would be signed now.
        if asked.recognised is not None and with_nonce:
            source = self.parts.ocsp_responses
            found = find_response(source, asked.record.name, asked.recognised, now)
            if found is not None:
                return "without_nonce", Answer("200 OK", found.body, _TYPE, (_NO_STORE,))
        return TRY_LATER

    def _made_ahead(
        self,
        issuer: IssuerName,
        recognised: tuple[CertIdHash, SerialNumber],
        question: Question,
        now: datetime,
    ) -> Held | None:
        """The response for one certificate from memory, or else from the database; then held."""
        cert_id_hash, serial = recognised
        seen = self.held.version(issuer)
        held = self.held.find((issuer, serial), cert_id_hash, now)
        if held is None:
            found = find_response(self.parts.ocsp_responses, issuer, recognised, now)
            if found is None:
                return None
            held = Held.of_response((issuer, serial), cert_id_hash, found, now)
        if held.serves(now):  # the next one may be late
            self.held.hold(question, held, seen)
        return held

    def _renewed(
        self, record: IssuerRecord, octets: bytes, now: datetime
    ) -> tuple[Kind, Answer] | None:
        """What a response made ahead says, signed for who sent a nonce; None if that cannot be."""
        cert_ids = self._ids(record) if record.answers_ocsp else None
        found = None if cert_ids is None else cert_ids.recognise_nonced(octets)
        if cert_ids is None or found is None:
            return None
        (cert_id_hash, serial), nonce = found
        held = self.held.find((record.name, serial), cert_id_hash, now)
        if held is None:
            plain = encode_request(cert_ids.encode(cert_id_hash, serial), None)
            question = f"/ocsp/{record.name}", plain
            held = self._made_ahead(record.name, found[0], question, now)
        if held is None or held.is_anothers or not held.serves(now) or not self.budget.take():
            return None
        try:
            body = self._said_again(record, held, nonce, now)
        except HsmError as error:
            self.tell(error)
            return "without_nonce", Answer("200 OK", held.body, _TYPE, (_NO_STORE,))
        finally:
            self.budget.give_back()
        return None if body is None else ("signed", Answer("200 OK", body, _TYPE, (_NO_STORE,)))

    def _said_again(
        self, record: IssuerRecord, held: Held, nonce: bytes, now: datetime
    ) -> bytes | None:
        responder = self.responder(record, now)
        if responder is None:
            return None
        statement = held.statement or responder.statement(held.body, held.life)
        held.statement, held.is_anothers = statement, statement is None
        if statement is None:
            return None
        return responder.with_nonce(statement, nonce, now)

    def _sign(self, asked: "_Asked", now: datetime) -> tuple[Kind, Answer] | None:
        """An answer of its own; None beyond the budget, and while nothing can sign."""
        if not self.budget.take():
            return None
        try:
            responder = self.responder(asked.record, now)
            answer = None if responder is None else responder.answer_request(asked.request, now)
        except HsmError as error:
            self.tell(error)
            return None
        finally:
            self.budget.give_back()
        if answer is None or answer.body == TRY_LATER[1].body:
            return None
        if answer.next_update is None:
            return "signed", Answer("200 OK", answer.body, _TYPE, (_NO_STORE,))
        life = Life(now.replace(microsecond=0), answer.next_update)
        headers = ocsp_headers(PreproducedResponse(life, answer.body), now)
        return "signed", Answer("200 OK", answer.body, _TYPE, headers)

    def _ids(self, record: IssuerRecord) -> IssuerCertIds | None:
        """How CertIDs name the issuer; None while it has no certificate."""
        kept = self._cert_ids.get(record.name)
        if record.certificate is None:
            return None
        if kept is None or kept[0] is not record.certificate:
            kept = record.certificate, IssuerCertIds.of(record.certificate)
            self._cert_ids[record.name] = kept
        return kept[1]

    def _issuer_asked_about(self, request: OcspRequest, now: datetime) -> IssuerRecord | None:
        """The first issuer of ours that a request names, whose address the client did not know."""
        names = self._names_by_hashes(now)
        for each in request.cert_ids:
            hashes = (each.hash_algorithm, each.issuer_name_hash, each.issuer_key_hash)
            if hashes in names:
                return self.issuer_of(names[hashes])
        return None

    def _names_by_hashes(self, now: datetime) -> dict[IssuerHashes, str]:
        kept = self._names
        if kept is None or abs(now - kept[0]) > _ISSUERS_KNOWN_FOR:
            found: dict[IssuerHashes, str] = {}
            for record in self.parts.issuers.all():
                cert_ids = self._ids(record)
                if cert_ids is not None:
                    found |= dict.fromkeys(cert_ids.issuer_hashes, record.name)
            kept = self._names = now, found
        return kept[1]


def _split(path: str) -> tuple[str, str]:
    """Issuer and base64 of /ocsp/ISSUER/BASE64; both may be missing, and base64 holds slashes."""
    rest = path.removeprefix("/ocsp").removeprefix("/")
    if rest.startswith(_BASE64_SEQUENCE):
        return "", rest
    name, _, encoded = rest.partition("/")
    return name, encoded


def _from_path(encoded: str) -> bytes:
    """The request of a GET: base64, whose / + and = a client may have written as such or not."""
    text = urllib.parse.unquote(encoded).replace(" ", "+")
    try:
        return b64decode(text, validate=True)[: MAX_REQUEST_OCTETS + 1]
    except (Base64Error, ValueError):
        return b""
