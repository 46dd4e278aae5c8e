"""The settings of directories: any number of tables `[directories.NAME]`, each checked whole.

A directory holds personal data of ours at somebody's place: so who runs it, and where, is said
before it is used (GDPR Articles 28, 30(1)(d)-(e), 44).
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from ca.errors import CaError
from ca.profiles import Profile, load_profile, profile_names
from publish_ldap.authority import check_template
from publish_ldap.entry import EntryTemplate, default_template
from publish_ldap.names import is_distinguished_name
from publish_ldap.settings import AuthorityTemplate, DirectorySettings, Product
from server.settings_section import Section
from server.settings_types import OptionalPath, Text, check_url, refused

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
# The European Union, and the EEA states beside it (GDPR Article 44; EEA Agreement).
_WITHIN = frozenset(
    re.split(
        " ",
        "EU EEA AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
        " IS LI NO",
    )
)
_COUNTRY = re.compile(r"[A-Z]{2}")
_ISSUER_WORDS = ("CN",)


def _ldap(url: str) -> str:
    return check_url(url, ("ldaps", "ldap"))


LdapUrl = Annotated[Text, AfterValidator(_ldap)]


class EntrySection(Section):
    """How the entries of one profile are made, or found; empty, by what its subjects are."""

    dn: Text = Field(default="", description="RDNs below the base: uid={serialNumber},ou=people.")
    object_classes: list[Text] = Field(default=[], description="Object classes of an entry.")
    attributes: dict[Text, Text] = Field(default={}, description="Attribute types and templates.")
    holder: Text = Field(default="", description="Attribute that tells one holder from another.")
    find: Text = Field(default="", description="Finds an entry of another's making: uid={mail}.")

    def template(self, profile: Profile) -> EntryTemplate:
        """The template; ValueError where it makes no entry."""
        if self == EntrySection():
            return default_template(each.removesuffix("?") for each in profile.subject)
        return EntryTemplate(
            self.dn,
            tuple(self.object_classes),
            tuple(self.attributes.items()),
            self.holder,
            self.find,
        )


class AuthoritySection(Section):
    """Where certificate authorities stand."""

    dn: Text = Field(default="cn={CN}", description="RDNs below the base: cn={CN},ou=pki.")
    object_class: Text = Field(default="applicationProcess", description="Class beside pkiCA.")


class DirectorySection(Section):
    """One X.500 directory that certificates and CRLs are published to."""

    url: LdapUrl = Field(description="LDAP server, ldaps://HOST or ldap://HOST.")
    base_dn: Text = Field(description="Entry below which everything is published.")
    processor: Text = Field(description="Who runs it, as in the register of processors.")
    region: Text = Field(description="Where it stands: EU, EEA, or a country (ISO 3166) like DK.")
    transfer_basis: Literal["", "adequacy", "standard-clauses", "binding-rules", "derogation"] = (
        Field(default="", description="Basis of the transfer when it stands outside the EEA.")
    )
    product: Literal["openldap", "389ds", "active-directory"] = Field(
        default="openldap", description="Which server it is."
    )
    bind_dn: Text = Field(default="", description="Entry to bind as, with password_file.")
    password_file: OptionalPath = Field(
        default=None, description="File with the password of bind_dn; empty when there is none."
    )
    anchors_file: OptionalPath = Field(
        default=None, description="CAs (PEM) of its TLS certificate; with ldap:// starts TLS."
    )
    certificate_file: OptionalPath = Field(
        default=None, description="Our TLS certificate (PEM), for SASL EXTERNAL."
    )
    key_file: OptionalPath = Field(default=None, description="The key (PEM) of certificate_file.")
    timeout_seconds: int = Field(
        default=5, ge=1, le=60, description="Seconds to wait for a connection and each answer."
    )
    replicas: list[LdapUrl] = Field(
        default=[], description="Further servers with the same entries, looked at one by one."
    )
    create_parents: bool = Field(
        default=False, description="Whether entries between base and holder are made."
    )
    on_erasure: Literal["block", "debt"] = Field(
        default="block",
        description="Whether an erasure waits for the directory, or leaves its withdrawal owed.",
    )
    certificates: bool = Field(
        default=True, description="Whether certificates of consenting subjects go there."
    )
    authorities: bool = Field(
        default=True, description="Whether CA certificates and CRLs go there."
    )
    authority: AuthoritySection = AuthoritySection()
    entries: dict[Text, EntrySection] = Field(default_factory=dict)

    @field_validator("base_dn")
    @classmethod
    def _is_dn(cls, text: str) -> str:
        if is_distinguished_name(text):
            return text
        raise refused("is not a distinguished name (RFC 4514)", "Write it as dc=example,dc=dk.")

    @field_validator("processor")
    @classmethod
    def _is_named(cls, text: str) -> str:
        if text.strip():
            return text
        raise refused("is empty", "Name who runs the directory (GDPR Article 28).")

    @field_validator("region")
    @classmethod
    def _is_region(cls, text: str) -> str:
        if text in _WITHIN or _COUNTRY.fullmatch(text):
            return text
        raise refused("is neither EU, EEA nor a country of two letters", "Write it as DK.")

    @field_validator("entries")
    @classmethod
    def _fit_their_profiles(cls, entries: dict[str, EntrySection]) -> dict[str, EntrySection]:
        known = profile_names()
        for profile, section in entries.items():
            if profile not in known:
                raise refused(f"names no profile: {profile}", f"There are {', '.join(known)}.")
            _check_entry(profile, section)
        return entries

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if self.region not in _WITHIN and not self.transfer_basis:
            raise refused(
                f"stands outside the EEA ({self.region}) without a transfer_basis",
                "Name the basis (GDPR Articles 45 to 49), or use another directory.",
            )
        try:
            check_template(self._authority(), _ISSUER_WORDS)
            self.settings("check")
        except ValueError as error:
            raise refused(f"cannot work: {error}", "Correct it.") from None
        return self

    def settings(self, name: str) -> DirectorySettings:
        """What `publish_ldap` needs to know; ValueError where it cannot work."""
        return DirectorySettings(
            name=name,
            url=self.url,
            base_dn=self.base_dn,
            bind_dn=self.bind_dn or None,
            password_file=self.password_file,
            timeout_seconds=self.timeout_seconds,
            ca_file=self.anchors_file,
            certificate_file=self.certificate_file,
            key_file=self.key_file,
            product=Product(self.product),
            replicas=tuple(self.replicas),
            create_parents=self.create_parents,
            entries={
                profile: each.template(load_profile(profile))
                for profile, each in self.entries.items()
            },
            authority=self._authority(),
        )

    def devices(self) -> frozenset[str]:
        """The profiles with entries of their own whose certificates are of no person.

        Such a certificate is published because the settings say so, for nobody could consent.
        """
        return frozenset(each for each in self.entries if not load_profile(each).names_person)

    def _authority(self) -> AuthorityTemplate:
        return AuthorityTemplate(self.authority.dn, self.authority.object_class)


def _check_entry(name: str, section: EntrySection) -> None:
    profile = load_profile(name)
    if profile.certificate_authority:
        raise refused(
            f"of {name} are those of authorities", "Say in the table authority how they are made."
        )
    try:
        template = section.template(profile)
        lacking = template.lacking(profile.subject)
    except (ValueError, CaError) as error:
        raise refused(f"of {name} make no entry: {error}", "See docs/directories.md.") from None
    if lacking:
        raise refused(
            f"of {name} need {{{lacking[0]}}}, which its certificates do not have",
            "Use a word of the profile's subject, or mark it optional: {WORD?}.",
        )


def _named(tables: Mapping[str, DirectorySection]) -> Mapping[str, DirectorySection]:
    for name in tables:
        if not _NAME.fullmatch(name):
            raise refused(
                f"holds {name}, which is no name", "Use small letters, digits and hyphens."
            )
    return tables


Directories = Annotated[dict[str, DirectorySection], AfterValidator(_named)]
"""All directories by name, in the order of the file."""
