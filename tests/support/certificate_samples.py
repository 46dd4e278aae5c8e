"""Lawful certificates of every profile, made from a seed: names, hosts, mailboxes and keys."""

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from cryptography import x509

from ca.certificates import Issuer, assemble, sign_octets
from ca.issuance import CertificateOrder, prepare
from ca.key_quality import SubjectPublicKey
from ca.names import SubjectName
from ca.profiles import Profile, load_profile
from ca.rules import lint
from tests.support.ca_builders import NOW, a_key, a_root, an_issuer

GIVEN = ("Åse", "Bjørn", "Chloë", "Dagny", "Ægir", "Eðvarð", "Łucja", "Malik", "Nivi", "Zoë")
FAMILY = ("Ødegaard", "d'Ancona", "Müller-Lüdenscheidt", "Þórðardóttir", "á Rógvi", "Ní Bhriain",
          "Kleist", "Nguyễn", "Sørensen", "Šimůnek", "van der Værft")  # fmt: skip
WORDS = ("Havn", "Bøg & Søn", "Tørv", "Kraft", "Læge", "Sjø", "Værk", "Nord")
_HOST = "abcdefghijklmnopqrstuvwxyz0123456789"
_LOCAL = _HOST + "!#$%&'*+/=?^_`{|}~-"
_KEYS_A_KIND = 6


def samples(profile_name: str, count: int, seed: int) -> Iterator[x509.Certificate]:
    """So many certificates of one profile, each through our own gate."""
    profile = load_profile(profile_name)
    chance = random.Random(f"{profile_name} {seed}")  # noqa: S311 - repeatable on purpose
    for _ in range(count):
        issuer = _issuer(profile, chance)
        prepared = prepare(an_order(profile, chance, issuer), issuer, NOW)
        lint(prepared.copy, prepared.content)
        yield assemble(prepared.copy, sign_octets(issuer.key, prepared.tbs_certificate), issuer)


def an_order(profile: Profile, chance: random.Random, issuer: Issuer) -> CertificateOrder:
    """A random order that nothing stands against."""
    subject = SubjectName.of(_attributes(profile, chance))
    key: SubjectPublicKey = chance.choice(keys(chance.choice(profile.key_types)))
    if profile.name == "root":
        subject, key = SubjectName.from_x509(issuer.subject), issuer.key.public_key()
    hosts = tuple(_host(chance) for _ in range(chance.randint(1, 4)))
    if chance.random() < 0.2:
        hosts += (f"10.{chance.randrange(256)}.0.1", f"fd00::{chance.randrange(1, 9999)}")
    mailboxes = tuple(_mailbox(chance) for _ in range(chance.randint(1, 2)))
    return CertificateOrder(
        profile,
        subject,
        key,
        hosts if profile.host_names else (),
        email_addresses=mailboxes if profile.email_addresses else (),
    )


@cache
def keys(kind: str) -> list[SubjectPublicKey]:
    """A few keys of a kind; one RSA key is enough, they take long to make."""
    made = 1 if kind.startswith("RSA") else _KEYS_A_KIND
    return [a_key(kind).public_key() for _ in range(made)]


def _issuer(profile: Profile, chance: random.Random) -> Issuer:
    if profile.name == "root":
        subject = SubjectName.of(_attributes(profile, chance)).to_x509()
        return replace(a_root(), subject=subject, certificate=None)
    return a_root() if profile.certificate_authority else an_issuer()


def _attributes(profile: Profile, chance: random.Random) -> Iterator[tuple[str, str]]:
    given, family = (" ".join(_some(words, chance)) for words in (GIVEN, FAMILY))
    scheme = chance.choice(("NTRDK", "VATDK", "DK:DK"))
    values = {
        "C": chance.choice(("DK", "GL", "FO", "SE", "IS")),
        "O": " ".join(_some(WORDS, chance)) + " A/S",
        "OU": "Authorities",
        "GN": given,
        "SN": family,
        "CN": f"{given} {family}" if "GN" in profile.subject else " ".join(_some(WORDS, chance)),
        "serialNumber": f"UI:DK-E:G:{chance.randrange(10**12)}",
        "pseudonym": f"officer-{chance.randrange(10**8):08d}",
        "organizationIdentifier": f"{scheme}-{chance.randrange(10**8):08d}",
    }
    for attribute in profile.subject:
        if not attribute.endswith("?") or chance.random() < 0.5:
            name = attribute.removesuffix("?")
            yield name, values[name].encode()[:64].decode(errors="ignore").strip()


def _some(words: tuple[str, ...], chance: random.Random) -> list[str]:
    return chance.sample(words, chance.randint(1, 2))


def _host(chance: random.Random) -> str:
    labels = ["".join(chance.choices(_HOST, k=chance.randint(1, 12))) for _ in range(2)]
    return ".".join([*labels, "example"])


def _mailbox(chance: random.Random) -> str:
    return "".join(chance.choices(_LOCAL, k=chance.randint(1, 20))) + "@" + _host(chance)
