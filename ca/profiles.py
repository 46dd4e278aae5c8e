"""Certificate profiles: what a certificate of one kind holds, as TOML files under review.

A profile is read raw and becomes a validated value; its hash is recorded with each certificate.
"""

import functools
import hashlib
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pydantic import ConfigDict, Field, Strict, TypeAdapter, ValidationError, with_config

from ca.errors import Finding, NotFound, ProfileFaulty, Refused
from ca.names import ATTRIBUTES, SubjectName
from ca.qualified import Flag, Qualified, contradictions

SHIPPED = Path(__file__).parent / "profiles_shipped"
EXTENDED_KEY_USAGES = {
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}
_OF_AUTHORITIES = {
    "path_length": "4.2.1.9",
    "permitted_names": "4.2.1.10",
    "excluded_names": "4.2.1.10",
    "require_explicit_policy": "4.2.1.11",
}
_OCCURS_ONCE = {
    "key_types": "a kind of key is taken or not",
    "subject": "EN 319 412-2 4.2.4",
    "key_usage": "RFC 5280 4.2.1.3",
    "extended_key_usage": "RFC 5280 4.2.1.12",
    "policy_oids": "RFC 5280 4.2.1.4",
    "permitted_names": "RFC 5280 4.2.1.10",
    "excluded_names": "RFC 5280 4.2.1.10",
}
_ENCIPHERS, _AGREES = {"key_encipherment", "data_encipherment"}, "key_agreement"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")

KeyType = Literal[
    "EC-P256",
    "EC-P384",
    "EC-P521",
    "RSA-2048",
    "RSA-3072",
    "RSA-4096",
    "Ed25519",
    "ML-DSA-44",
    "ML-DSA-65",
    "ML-DSA-87",
]
SubjectAttribute = Annotated[str, Field(pattern=rf"^({'|'.join(ATTRIBUTES)})\??$")]
KeyUsageBit = Literal[
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
]
Purpose = Literal["server_auth", "client_auth", "email_protection", "code_signing", "ocsp_signing"]
ObjectIdentifier = Annotated[
    str, Field(pattern=r"^([01]\.[1-3]?[0-9]|2\.(0|[1-9][0-9]{0,8}))(\.(0|[1-9][0-9]{0,8}))+$")
]
ConstrainedName = Annotated[str, Field(pattern=r"^(dns|email):[a-z0-9][a-z0-9.-]{0,252}$")]
"""A domain whose host names, or whose mailboxes, a certificate authority is held to."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of certificate.

    `names_person` speaks of persons natural and legal: such a certificate comes only from an
    approved application. `host_names` and `email_addresses` are what the subjectAltName holds.
    `subject` lists the attributes in their order, a trailing "?" marks an optional one.
    `permitted_names`, `excluded_names` and `require_explicit_policy` hold a certificate authority
    to some names and policies (RFC 5280 sections 4.2.1.10 and 4.2.1.11).
    `validity_reason` says why certificates live so long and no longer, which a profile that names a
    person has to (NSIS 3.2.4, ISS-REN-L3).
    `agreement` is what the relation to such a person rests on (NSIS 3.2.3(4), REG-APP-L7): a
    contract, which the applicant makes by accepting the terms, or the statute that is named.
    `reuse_key` lets a subject renew a certificate with the key it has.
    `hold` lets it be suspended and returned; without it, it can only be revoked.
    `approvals` is how many officers have to sign for each certificate; for one that names a person
    it is one at least.
    `qualified` are its QCStatements (EN 319 412-5), which no profile has unless its owner may.
    `assurance_level` is the highest NSIS level a certificate of this profile can reach.
    """

    name: Annotated[str, Field(pattern=f"^{_NAME.pattern}$")]
    description: Annotated[str, Field(min_length=1)]
    validity_days: Annotated[int, Strict(), Field(gt=0, le=20 * 366)]
    key_types: tuple[KeyType, ...]
    subject: tuple[SubjectAttribute, ...]
    key_usage: tuple[KeyUsageBit, ...]
    extended_key_usage: tuple[Purpose, ...] = ()
    policy_oids: tuple[ObjectIdentifier, ...] = ()
    names_person: Flag = False
    assurance_level: Literal["low", "substantial", "high"] | None = None
    certificate_authority: Flag = False
    path_length: Annotated[int, Strict(), Field(ge=0)] | None = None
    permitted_names: tuple[ConstrainedName, ...] = ()
    excluded_names: tuple[ConstrainedName, ...] = ()
    require_explicit_policy: Annotated[int, Strict(), Field(ge=0)] | None = None
    host_names: Flag = False
    email_addresses: Flag = False
    status_urls: Flag = True
    ocsp_url: Flag = True
    ocsp_no_check: Flag = False
    reuse_key: Flag = False
    hold: Flag = False
    agreement: Annotated[str, Field(pattern=r"^(contract|statute: \S.{4,200})$")] | None = None
    validity_reason: Annotated[str, Field(min_length=20)] | None = None
    qualified: Qualified | None = None
    approvals: Annotated[int, Strict(), Field(ge=0, le=4)] = 0
    sha256: str = ""

    @property
    def approvals_demanded(self) -> int:
        """How many different officers have to sign for each certificate."""
        return max(self.approvals, int(self.names_person))

    def check_subject(self, subject: SubjectName) -> None:
        """Refuse a name whose attributes are not this profile's, in this profile's order."""
        given = [attribute for attribute, _ in subject.attributes]
        wanted = [a for a in self.subject if not a.endswith("?") or a[:-1] in given]
        if given != [a.removesuffix("?") for a in wanted]:
            raise Refused(
                Finding(
                    "profile.subject",
                    f"profile {self.name}",
                    f"the name must hold {', '.join(self.subject)} in this order",
                    "give the attributes the profile lists; '?' marks optional ones",
                )
            )

    def x509_key_usage(self) -> x509.KeyUsage:
        """The key usage extension's value."""
        return _key_usage(self.key_usage)


@functools.cache
def _key_usage(words: tuple[KeyUsageBit, ...]) -> x509.KeyUsage:
    flags = {usage: usage in words for usage in get_args(KeyUsageBit)}
    return x509.KeyUsage(encipher_only=False, decipher_only=False, **flags)


def load_profile(name: str, folder: Path = SHIPPED) -> Profile:
    """Read the profile of that name.

    Raises:
        NotFound: there is no such file.
        ProfileFaulty: the file does not hold a profile.
    """
    place = f"{folder}/{name}.toml"  # no Path, which costs more than the look at the file
    try:
        written = os.stat(place)  # noqa: PTH116
    except OSError:
        raise NotFound("profile", name) from None
    if not _NAME.fullmatch(name) or not stat.S_ISREG(written.st_mode):
        raise NotFound("profile", name)
    return _read_profile(place, written.st_mtime_ns, written.st_size)


@functools.lru_cache(maxsize=64)
def _read_profile(place: str, mtime_ns: int, size: int) -> Profile:
    """The profile in a file as it was last written: as long as it stands, it is read once."""
    del mtime_ns, size
    path = Path(place)
    profile = parse_profile(path.read_bytes(), path.name)
    if profile.name != path.stem:
        raise ProfileFaulty(path.name, [f"name: it is {profile.name}, not that of the file"])
    return profile


def profile_names(folder: Path = SHIPPED) -> tuple[str, ...]:
    """The names of all profiles in the folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


@functools.lru_cache(maxsize=64)
def parse_profile(octets: bytes, source: str) -> Profile:
    """Turn TOML into a profile; ProfileFaulty names every fault found."""
    try:
        raw = tomllib.loads(octets.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileFaulty(source, [str(error)]) from None
    except (ValueError, RecursionError):
        raise ProfileFaulty(source, ["it holds a value beyond all bounds"]) from None
    faults = _contradictions(raw)
    try:
        profile = _shape().validate_python(raw | {"sha256": hashlib.sha256(octets).hexdigest()})
    except ValidationError as error:
        faults += [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    if faults:
        raise ProfileFaulty(source, [_placed(fault, octets.decode()) for fault in faults])
    return profile


def _placed(fault: str, text: str) -> str:
    """The fault behind the line of its member: tomllib tells lines of broken syntax only."""
    member = re.escape(re.split(r"[.:]", fault, maxsplit=1)[0])
    found = re.search(rf"^[ \t]*(\[{member}\]|[\"']?{member}[\"']?[ \t]*=)", text, re.MULTILINE)
    return f"line {text.count(chr(10), 0, found.start()) + 1}: {fault}" if found else fault


@functools.cache
def _shape() -> TypeAdapter[Profile]:
    return TypeAdapter(Profile)


def _contradictions(raw: dict[str, object]) -> list[str]:
    """What two members say against each other; looked for even if others are misshapen."""
    authority = raw.get("certificate_authority") is True
    usages, purposes = _words(raw, "key_usage"), _words(raw, "extended_key_usage")
    rules = {
        "key_usage: a certificate authority needs key_cert_sign (RFC 5280 4.2.1.3)": (
            not authority or "key_cert_sign" in usages
        ),
        "key_usage: a certificate authority needs crl_sign (RFC 10007)": (
            not authority or "crl_sign" in usages
        ),
        "key_usage: key_cert_sign is for certificate authorities (RFC 5280 4.2.1.9)": (
            authority or "key_cert_sign" not in usages
        ),
        "assurance_level: a profile that names a person states one (NSIS 3.2)": (
            raw.get("names_person") is not True or "assurance_level" in raw
        ),
        "validity_reason: a profile that names a person says why (NSIS 3.2.4)": (
            raw.get("names_person") is not True or "validity_reason" in raw
        ),
        "agreement: a profile that names a person rests on contract or statute (NSIS 3.2.3(4))": (
            raw.get("names_person") is not True or "agreement" in raw
        ),
        "approvals: authorities, OCSP signers and officers have ceremonies and ways of their own": (
            not raw.get("approvals")
            or not (authority or "ocsp_signing" in purposes or raw.get("name") == "staff")
        ),
        "ocsp_no_check: it is for OCSP signers (RFC 6960 4.2.2.2.1)": (
            raw.get("ocsp_no_check") is not True or "ocsp_signing" in purposes
        ),
        "hold: it is not for TLS servers (BR 4.9.13), nor for authorities and OCSP signers": (
            raw.get("hold") is not True
            or not (authority or {"server_auth", "ocsp_signing"}.intersection(purposes))
        ),
        "sha256: it is computed, not stated": "sha256" not in raw,
    } | {f"{m}: it is empty": raw.get(m) != [] for m in ("key_types", "subject", "key_usage")}
    rules |= {
        f"{member}: it is for certificate authorities (RFC 5280 {clause})": (
            authority or member not in raw
        )
        for member, clause in _OF_AUTHORITIES.items()
    }
    rules |= _usages(raw, authority=authority) | _repetitions(raw) | contradictions(raw)
    return [fault for fault, holds in rules.items() if not holds]


def _usages(raw: Mapping[str, object], *, authority: bool) -> dict[str, bool]:
    """What keys are used for, beside what they and their holders are; each False is a fault."""
    usages, purposes, types = (
        set(_words(raw, m)) for m in ("key_usage", "extended_key_usage", "key_types")
    )
    return {
        "key_usage: crl_sign is for certificate authorities (RFC 5280 4.2.1.3)": (
            authority or "crl_sign" not in usages
        ),
        "key_usage: key_encipherment and data_encipherment are for RSA keys; make a profile for"
        " each kind of key (RFC 8813 3)": (
            usages.isdisjoint(_ENCIPHERS) or all(kind.startswith("RSA-") for kind in types)
        ),
        "key_usage: key_agreement is for EC keys; make a profile for each kind of key"
        " (RFC 3279 2.3.1)": (
            _AGREES not in usages or all(kind.startswith("EC-") for kind in types)
        ),
        "extended_key_usage: a TLS server is named by host_names = true (RFC 9525 3)": (
            authority or "server_auth" not in purposes or raw.get("host_names") is True
        ),
    }


def _repetitions(raw: Mapping[str, object]) -> dict[str, bool]:
    rules = {}
    for member, clause in _OCCURS_ONCE.items():
        words = [word.removesuffix("?") for word in _words(raw, member)]
        twice = [word for word in dict.fromkeys(words) if words.count(word) > 1]
        rules[f"{member}: {', '.join(twice)} more than once ({clause})"] = not twice
    return rules


def _words(raw: Mapping[str, object], member: str) -> list[str]:
    """A list of the raw profile as text; empty if it is none."""
    words = raw.get(member)
    return [str(word) for word in words] if isinstance(words, list) else []
