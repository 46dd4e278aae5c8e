"""Certification requests: one boundary between octets and a key that may be certified.

Implements the reading of PKCS#10 (RFC 2986). Only the public key crosses the boundary, beside the
DNS names that the requester proposes, which a profile may accept or refuse.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ca import der
from ca.errors import Finding, MalformedRequest, Refused
from ca.key_quality import SubjectPublicKey, check_key, spki, spki_sha256

MAX_OCTETS = 16 * 1024
MAX_ATTRIBUTES = 64
MAX_DEPTH = 32
"""Levels of elements in an attribute; a requested subjectAltName has seven."""
# Hyphens in places 3 and 4 are reserved, and so far for xn-- alone (RFC 5890 section 2.3.1).
_LABEL = r"(?!(?!xn)[^.]{2}--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME = re.compile(
    rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}"  # an IP address is no host name
)
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LOCAL_PART = 64
_PEM = re.compile(rb"^-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CertificationRequest:
    """A key whose possession was proven, and the DNS names that were proposed with it."""

    public_key: SubjectPublicKey
    proposed_host_names: tuple[str, ...]
    der: bytes

    @property
    def spki_sha256(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo, in hexadecimal."""
        return spki_sha256(self.public_key)


def parse_request(octets: bytes) -> CertificationRequest:
    """Read a PKCS#10 request, PEM or DER, at most 16 KiB, and check proof of possession.

    It holds at most 64 attributes, of at most 32 levels: nothing is looked at in more.

    Raises:
        MalformedRequest: the octets are no certification request.
        Refused: the signature does not verify, or the key is too weak to certify.
    """
    request = _decode(octets)
    _check_attributes(request)
    key = certifiable_key(request.public_key, request.tbs_certrequest_bytes)
    whole = request.public_bytes(Encoding.DER)
    # It ends with its signature, before which stands the number of unused bits.
    if not (whole.endswith(b"\0" + request.signature) and _is_possessed(request)):
        raise not_possessed("RFC 2986 3, ETSI EN 319 411-1 REG-6.3.1")
    return CertificationRequest(key, _proposed_host_names(request), whole)


def _decode(octets: bytes) -> x509.CertificateSigningRequest:
    if not octets.strip():
        raise MalformedRequest("certification request", "it is empty")
    if len(octets) > MAX_OCTETS:
        raise MalformedRequest("certification request", f"it is longer than {MAX_OCTETS} octets")
    try:
        if der.is_armored(octets):
            _check_alone(octets)
            return x509.load_pem_x509_csr(octets)
        return x509.load_der_x509_csr(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise MalformedRequest(
            "certification request", "the octets are not a PKCS#10 request in PEM or DER"
        ) from None


def _check_alone(octets: bytes) -> None:
    found = len(_PEM.findall(octets))
    if found > 1:
        raise MalformedRequest("certification request", f"there are {found} where one is asked for")


def _check_attributes(request: x509.CertificateSigningRequest) -> None:
    """Refuse more attributes, or deeper ones, than an honest request has (RFC 2986 section 4.1)."""
    try:
        ((_, info),) = der.elements(request.tbs_certrequest_bytes)
        fields = [content for tag, content in der.elements(info) if tag == der.context(0)]
        attributes = [each for content in fields for each in der.elements(content)]
        deep = any(der.is_nested_deeper(content, MAX_DEPTH) for content in fields)
    except ValueError:
        raise MalformedRequest("certification request", "its attributes cannot be read") from None
    if deep or len(attributes) > MAX_ATTRIBUTES:
        why = (
            f"it has more than {MAX_ATTRIBUTES} attributes, or one of more than {MAX_DEPTH} levels"
        )
        raise MalformedRequest("certification request", why)


def not_possessed(clause: str) -> Refused:
    """The refusal of a request that its own key did not sign."""
    return Refused(
        Finding(
            "request.possession",
            clause,
            "the request is not signed by the key it asks a certificate for",
            "make the request again with the private key at hand, and SHA-2 for its signature",
        )
    )


def certifiable_key(read: Callable[[], object], signed: bytes) -> SubjectPublicKey:
    """The key, checked before any work is done with it: a hostile one can be costly to use.

    Raises:
        Refused: it is of a kind that is not certified, weak, or written otherwise in `signed`.
    """
    try:
        key = read()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _uncertifiable("the public key is of a kind that is not certified") from None
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise _uncertifiable("the public key is of a kind that is not certified")
    check_key(key)
    # Parameters of a curve that are written out, and other spellings of a key, are not carried on.
    if spki(key) not in signed:
        raise _uncertifiable("the public key is not encoded with a named curve and a whole point")
    return key


def _is_possessed(request: x509.CertificateSigningRequest) -> bool:
    try:
        return request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def _proposed_host_names(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """The hosts of the requested subjectAltName; a common name proposes nothing (RFC 9525)."""
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise MalformedRequest(
            "certification request", "its requested extensions cannot be read"
        ) from None
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = map(str, extension.value.get_values_for_type(x509.IPAddress))
    return tuple(dict.fromkeys([*map(_check_host_name, names), *addresses]))


def check_host_name(name: str) -> str:
    """A DNS name in lower case, or an IP address as it is; Refused for anything else (RFC 1123)."""
    return name if ip_address(name) is not None else _check_host_name(name)


def check_email_address(address: str) -> str:
    """A mailbox in ASCII with its host in lower case; Refused for anything else.

    Addresses in other letters need another kind of name (RFC 9598), which is not issued yet.
    """
    local, at, host = address.rpartition("@")
    if at and len(local) <= _LOCAL_PART and _DOT_ATOM.fullmatch(local) and "." in host:
        try:
            return f"{local}@{_check_host_name(host)}"
        except Refused:
            pass
    raise Refused(
        Finding(
            "name.email",
            "RFC 5321 4.1.2, RFC 5280 4.2.1.6",
            "an e-mail address is not of the form local-part@host in ASCII",
            "give a mailbox without display name, quotes or comments",
        )
    )


def _check_host_name(name: str) -> str:
    lowered = name.lower()
    # A name whose last label is a number would be read as an address (RFC 3696 section 2).
    if not _DNS_NAME.fullmatch(lowered) or lowered.rpartition(".")[2].isdigit():
        raise Refused(
            Finding(
                "name.host",
                "RFC 1123 2.1, RFC 5890 2.3.1, RFC 5280 4.2.1.6",
                "a proposed name is neither a host name of letters, digits, hyphens and dots"
                " nor an IP address",
                "name hosts in their ASCII form without wildcards, addresses without a zone",
            )
        )
    return lowered


def ip_address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a name is, or None; with a zone it is one on one machine (RFC 4007)."""
    if "%" in name or (":" not in name and not name[-1:].isdigit()):
        return None  # at once, for an exception costs more than all the rest
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _uncertifiable(sentence: str) -> Refused:
    return Refused(
        Finding(
            "request.key",
            "CA/B BR 6.1.1.3, ETSI TS 119 312",
            sentence,
            "make a new key: P-256, P-384, P-521, or RSA of 2048 to 4096 bits with exponent 65537",
        )
    )
