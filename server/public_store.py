"""The certificate store by HTTP (RFC 4387): certificates and CRLs by the hash of what names them.

CA certificates and CRLs are always there; those of subjects while a directory shows them. Nobody
is found by name or mail address: whoever asks already holds something of the certificate.
"""

import base64
import binascii
import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.serialization import Encoding

from ca.identifiers import IssuerName
from ca.store_hashes import StoreHashes, store_hashes
from server.assembly import Assembly
from server.public_answer import NOT_FOUND, Answer

SEARCH = "search.cgi"
"""The last part of both addresses, /certificates/search.cgi and /crls/search.cgi."""
_KNOWN_SECONDS = 5.0
_MOST = 20
_SHA1_OCTETS = 20
_LONGEST_QUERY = 200
_COLUMNS = {"certHash": "cert_sha1", "iAndSHash": "name_sha1", "sKIDHash": "key_sha1"}
_OF_CERTIFICATES = frozenset({*_COLUMNS, "sHash"})
_OF_CRLS = frozenset({"iHash", "sKIDHash"})
_KIND = "application/pkix-cert"


def refused(known: frozenset[str]) -> Answer:
    """The answer to a query that is none."""
    names = ", ".join(sorted(known))
    body = f"the query is one of {names}, with a SHA-1 hash in base64 (RFC 4387 2.1)\n"
    return Answer("400 Bad Request", body.encode())


@dataclass(frozen=True, slots=True)
class _Known:
    """One certificate of an issuer."""

    issuer: IssuerName
    octets: bytes
    hashes: StoreHashes

    def is_named(self, attribute: str, sha1: bytes) -> bool:
        of = self.hashes
        return sha1 == {
            "certHash": of.certificate,
            "iAndSHash": of.issuer_and_serial,
            "sKIDHash": of.key,
            "sHash": of.subject,
        }.get(attribute)


class PublicStore:
    """The answers of one worker; what is known of issuers is asked for anew now and then."""

    def __init__(self, parts: Assembly) -> None:
        """Nothing is known yet."""
        self._parts = parts
        self._known: tuple[float, tuple[_Known, ...]] = (float("-inf"), ())

    def certificates(self, query: str, now: datetime) -> Answer:
        """The certificates that a query names: one by itself, several as multipart/mixed."""
        asked = read_query(query, _OF_CERTIFICATES)
        if asked is None:
            return refused(_OF_CERTIFICATES)
        attribute, sha1 = asked
        found = [each.octets for each in self._issuers() if each.is_named(attribute, sha1)]
        if not found and attribute in _COLUMNS:
            column = _COLUMNS[attribute]
            found = self._parts.publications.published_as(column, sha1, _MOST, now)
        return _answer(found)

    def issuer_of_crl(self, query: str) -> IssuerName | Answer | None:
        """The issuer whose CRL a query asks for: the newest of that name, or the one of a key."""
        asked = read_query(query, _OF_CRLS)
        if asked is None:
            return refused(_OF_CRLS)
        attribute, sha1 = asked
        wanted = "sHash" if attribute == "iHash" else attribute
        found = [each.issuer for each in self._issuers() if each.is_named(wanted, sha1)]
        return found[-1] if found else None

    def _issuers(self) -> tuple[_Known, ...]:
        asked, known = self._known
        if time.monotonic() - asked > _KNOWN_SECONDS:
            known = tuple(
                _Known(
                    record.name,
                    each.certificate.public_bytes(Encoding.DER),
                    store_hashes(each.certificate),
                )
                for record in self._parts.issuers.all()
                for each in record.certificates
            )
            self._known = (time.monotonic(), known)
        return known


def read_query(query: str, known: frozenset[str]) -> tuple[str, bytes] | None:
    """Attribute and hash of a query; None unless it is one known attribute and 20 octets."""
    if len(query) > _LONGEST_QUERY:
        return None
    # A plus sign stands for itself in base64, and for a blank in forms.
    pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
    if len(pairs) != 1 or pairs[0][0] not in known:
        return None
    attribute, text = pairs[0]
    try:
        sha1 = base64.b64decode(text.rstrip("=") + "=", validate=True)
    except (binascii.Error, ValueError):
        return None
    return (attribute, sha1) if len(sha1) == _SHA1_OCTETS else None


def _answer(found: list[bytes]) -> Answer:
    if not found:
        return NOT_FOUND
    headers = (("Cache-Control", "no-store"),)
    if len(found) == 1:
        return Answer("200 OK", found[0], _KIND, headers)
    boundary = hashlib.sha256(b"".join(found)).hexdigest()
    parts = [
        f"--{boundary}\r\nContent-Type: {_KIND}\r\nContent-Length: {len(each)}\r\n\r\n".encode()
        + each
        for each in found
    ]
    body = b"\r\n".join([*parts, f"--{boundary}--\r\n".encode()])
    return Answer("200 OK", body, f"multipart/mixed; boundary={boundary}", headers)
