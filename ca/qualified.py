"""QCStatements: what a certificate says of its standing in law (ETSI EN 319 412-5, RFC 3739 3.2.6).

Statements are claims. Whoever writes them into a profile answers for them; no shipped profile does.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final, Literal

from cryptography import x509
from pydantic import ConfigDict, Field, Strict, with_config

from ca import der

QC_STATEMENTS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
_QCS = "0.4.0.1862.1"
_COMPLIANCE, _RETENTION, _SSCD = (der.oid(f"{_QCS}.{number}") for number in (1, 3, 4))
_DISCLOSURE, _TYPE, _LEGISLATION = (der.oid(f"{_QCS}.{number}") for number in (5, 6, 7))
_SYNTAX_V2 = der.oid("1.3.6.1.5.5.7.11.2")
_SEMANTICS = MappingProxyType(
    {"natural": der.oid("0.4.0.194121.1.1"), "legal": der.oid("0.4.0.194121.1.2")}
)
_TYPES = MappingProxyType(
    {word: der.oid(f"{_QCS}.6.{n}") for n, word in enumerate(("esign", "eseal", "web"), start=1)}
)
_PRINTABLE, _IA5 = der.PRINTABLE_STRING, 0x16
_LANGUAGE = re.compile(rb"[a-z]{2}")
_HTTPS = re.compile(rb"https://[!-~]+")
_NEITHER = "qcStatements cannot be read as EN 319 412-5 writes them"

Flag = Annotated[bool, Strict()]
Disclosure = Annotated[str, Field(pattern=r"^[a-z]{2} https://[!-~]{1,200}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Qualified:
    """The `[qualified]` table of a profile: one member a statement.

    `compliance` claims a qualified certificate of the EU, or of the law of `countries` if there are
    any; `sscd` that the private key is in a qualified device; `disclosure` are places of the PKI
    disclosure statement, each a language and an address: "en https://…". `semantics` says how the
    identifiers in the name are built (EN 319 412-1 section 5.1).
    """

    compliance: Flag = False
    type: Literal["esign", "eseal", "web"] | None = None
    sscd: Flag = False
    retention_years: Annotated[int, Strict(), Field(ge=0, le=100)] | None = None
    disclosure: tuple[Disclosure, ...] = ()
    countries: tuple[Country, ...] = ()
    semantics: Literal["natural", "legal"] | None = None

    def extension(self) -> x509.UnrecognizedExtension:
        """The value of the extension, which is not critical (EN 319 412-5 section 4.1)."""
        return x509.UnrecognizedExtension(QC_STATEMENTS, der.sequence(*self._statements()))

    def _statements(self) -> Iterator[bytes]:
        if self.semantics is not None:
            yield der.sequence(_SYNTAX_V2, der.sequence(_SEMANTICS[self.semantics]))
        if self.compliance:
            yield der.sequence(_COMPLIANCE)
        if self.countries:
            codes = [der.element(_PRINTABLE, country.encode()) for country in self.countries]
            yield der.sequence(_LEGISLATION, der.sequence(*codes))
        if self.type is not None:
            yield der.sequence(_TYPE, der.sequence(_TYPES[self.type]))
        if self.retention_years is not None:
            yield der.sequence(_RETENTION, der.integer(self.retention_years))
        if self.sscd:
            yield der.sequence(_SSCD)
        if self.disclosure:
            yield der.sequence(_DISCLOSURE, der.sequence(*map(_place, self.disclosure)))


def _place(disclosure: str) -> bytes:
    language, _, url = disclosure.partition(" ")
    return der.sequence(der.element(_IA5, url.encode()), der.element(_PRINTABLE, language.encode()))


def contradictions(raw: Mapping[str, object]) -> dict[str, bool]:
    """What the table says against itself or the rest of a raw profile; each False is a fault."""
    table = raw.get("qualified")
    if not isinstance(table, dict):
        return {}
    claims, kind = table.get("compliance") is True, table.get("type")
    places = table.get("disclosure")
    english = isinstance(places, list) and any(str(place).startswith("en ") for place in places)
    purposes = raw.get("extended_key_usage")
    serves = isinstance(purposes, list) and "server_auth" in purposes
    return {
        "qualified: it states nothing": any(table.values()) or "retention_years" in table,
        "qualified: it speaks of a person, and the profile names none (EN 319 412-5 4.1)": (
            raw.get("names_person") is True or kind == "web"
        ),
        "qualified: it is not for certificate authorities (EN 319 412-5 1)": (
            raw.get("certificate_authority") is not True
        ),
        "qualified: a web certificate is one of a TLS server (EN 319 412-5 4.2.3)": (
            (kind == "web") == serves
        ),
        "qualified: a qualified certificate has a type (EN 319 412-5 4.2.3 and 5)": (
            not claims or kind is not None
        ),
        "qualified: a qualified certificate names a disclosure in English (EN 319 412-5 4.3.4)": (
            english or not (claims or places)
        ),
        "qualified: only a qualified certificate has its key in such a device (EN 319 412-5 4.2.2)":
            claims or table.get("sscd") is not True,
        "qualified: countries are of a qualified certificate (EN 319 412-5 4.2.4)": (
            claims or not table.get("countries")
        ),
    }  # fmt: skip


def statements(certificate: x509.Certificate) -> x509.ExtensionType | None:
    """The value of its qcStatements, if it has any."""
    found = _extension(certificate)
    return None if found is None else found.value


def broken(certificate: x509.Certificate) -> str | None:
    """What is wrong with the QCStatements of any certificate, or None; those of others pass."""
    found = _extension(certificate)
    if found is None:
        return None
    if found.critical:
        return "qcStatements are critical, and relying parties need not know them"
    try:
        return _inconsistent(_read(found.value.public_bytes()))
    except (ValueError, IndexError):
        return _NEITHER


def _extension(certificate: x509.Certificate) -> x509.Extension[x509.ExtensionType] | None:
    return next((each for each in certificate.extensions if each.oid == QC_STATEMENTS), None)


def _read(octets: bytes) -> dict[bytes, bytes]:
    """What follows each statement's identifier. Raises: ValueError."""
    ((tag, content),) = der.elements(octets)
    found: dict[bytes, bytes] = {}
    for each, statement in der.elements(content):
        (kind, identifier), *rest = der.elements(statement)
        if (tag, each, kind) != (der.SEQUENCE, der.SEQUENCE, der.OBJECT_IDENTIFIER):
            raise ValueError("no statement")
        encoded = der.element(kind, identifier)
        if len(rest) > 1 or encoded in found:
            raise ValueError("a statement has one value, and occurs once")
        found[encoded] = der.element(*rest[0]) if rest else b""
    if not found:
        raise ValueError("no statement at all")
    return found


def _inconsistent(found: dict[bytes, bytes]) -> str | None:
    claims = _COMPLIANCE in found
    if found.get(_COMPLIANCE) or found.get(_SSCD):
        return _NEITHER
    if _TYPE in found and _listed(found[_TYPE]) not in [[kind] for kind in _TYPES.values()]:
        return "qcStatements name other than one type of certificate"
    if claims and _TYPE not in found:
        return "it claims to be qualified and not for what (QcType)"
    if _SSCD in found and not claims:
        return "it claims a qualified device and not to be qualified"
    if not (claims or _DISCLOSURE in found):
        return None
    languages = _languages(found.get(_DISCLOSURE, der.sequence()))
    return None if b"en" in languages else "no disclosure statement in English is named (QcPDS)"


def _listed(sequence: bytes) -> list[bytes]:
    ((tag, content),) = der.elements(sequence)
    if tag != der.SEQUENCE:
        raise ValueError("no SEQUENCE")
    return [der.element(*each) for each in der.elements(content)]


def _languages(places: bytes) -> set[bytes]:
    """The languages of a PdsLocations whose addresses are https. Raises: ValueError."""
    found = set()
    for place in _listed(places):
        ((url_tag, url), (language_tag, language)) = [
            each for part in _listed(place) for each in der.elements(part)
        ]
        fitting = _HTTPS.fullmatch(url) and _LANGUAGE.fullmatch(language)
        if (url_tag, language_tag) != (_IA5, _PRINTABLE) or not fitting:
            raise ValueError("no place of a disclosure statement")
        found.add(language)
    return found
