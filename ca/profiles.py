"""Certificate profiles: what a certificate of one kind holds, as TOML files under review.

A profile is read raw and becomes a validated value; its hash is recorded with each certificate.
"""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from ca.errors import Finding, NotFound, ProfileFaulty, Refused
from ca.names import SubjectName

SHIPPED = Path(__file__).parent / "profiles_shipped"
KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
EXTENDED_KEY_USAGES = {
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of certificate.

    `subject` lists the attributes in their order, a trailing "?" marks an optional one.
    `assurance_level` is the highest NSIS level a certificate of this profile can reach.
    """

    name: str
    description: str
    validity_days: Annotated[int, Field(gt=0, le=20 * 366)]
    key_types: tuple[str, ...]
    subject: tuple[str, ...]
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...] = ()
    policy_oids: tuple[str, ...] = ()
    names_person: bool = False
    assurance_level: Literal["low", "substantial", "high"] | None = None
    certificate_authority: bool = False
    path_length: int | None = None
    host_names: bool = False
    status_urls: bool = True
    ocsp_url: bool = True
    ocsp_no_check: bool = False
    sha256: str = ""

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
        flags = {usage: usage in self.key_usage for usage in KEY_USAGES}
        return x509.KeyUsage(encipher_only=False, decipher_only=False, **flags)


def load_profile(name: str, folder: Path = SHIPPED) -> Profile:
    """Read the profile of that name.

    Raises:
        NotFound: there is no such file.
        ProfileFaulty: the file does not hold a profile.
    """
    path = folder / f"{name}.toml"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound("profile", name)
    return parse_profile(path.read_bytes(), path.name)


def profile_names(folder: Path = SHIPPED) -> tuple[str, ...]:
    """The names of all profiles in the folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def parse_profile(octets: bytes, source: str) -> Profile:
    """Turn TOML into a profile; ProfileFaulty names every fault found."""
    try:
        raw = tomllib.loads(octets.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileFaulty(source, [str(error)]) from None
    if "sha256" in raw:
        raise ProfileFaulty(source, ["sha256: it is computed, not stated"])
    try:
        profile = _SHAPE.validate_python(raw | {"sha256": hashlib.sha256(octets).hexdigest()})
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ProfileFaulty(source, faults) from None
    if faults := _faults(profile):
        raise ProfileFaulty(source, faults)
    return profile


_SHAPE = TypeAdapter(Profile)


def _faults(profile: Profile) -> list[str]:
    faults = [
        f"{word!r} is none of {', '.join(known)}"
        for words, known in (
            (profile.key_usage, frozenset(KEY_USAGES)),
            (profile.extended_key_usage, EXTENDED_KEY_USAGES.keys()),
        )
        for word in words
        if word not in known
    ]
    if profile.certificate_authority and "crl_sign" not in profile.key_usage:
        faults.append("key_usage: a certificate authority needs crl_sign (RFC 10007)")
    return faults
