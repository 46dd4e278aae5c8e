"""Lawful certificates of every profile, made from a seed: names, hosts, mailboxes and keys."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ca.certificates import Issuer, StatusUrls, assemble, sign_octets
from ca.issuance import CertificateOrder, prepare
from ca.key_quality import SubjectPublicKey
from ca.names import SubjectName
from ca.profiles import Profile, load_profile
from ca.rules import lint
from tests.support.ca_builders import NOW, a_key, a_root, an_issuer

# Letters of Danish, Faroese, Greenlandic, Icelandic, Sami, and of every other language of the EU
# that is written in Latin.
GIVEN = ("Åse", "Bjørn", "Chloë", "Dagny", "Ægir", "Eðvarð", "Łucja", "Malik", "Nivi", "Zoë", "X",
         "Ćićan", "Žofie", "Ğülşen", "Ioniță", "Ķēniņš", "Ċensa", "Őszike", "Ŝlomo", "Ánŋŋel",
         "Ñuño", "Ûrsŵla", "François-Régis")  # fmt: skip
FAMILY = ("Ødegaard", "d'Ancona", "Müller-Lüdenscheidt", "Þórðardóttir", "á Rógvi", "Ní Bhriain",
          "Kleist", "Nguyễn", "Sørensen", "Šimůnek", "van der Værft", "Y", "Ąžuolaitė", "Đurić",
          "Țepeș", "Żółkiewski", "Größe", "Vịnh", "Kuupik/Ingemann", "O'Ħara", "Ǿ")  # fmt: skip
WORDS = ("Havn", "Bøg & Søn", "Tørv", "Kraft", "Læge", "Sjø", "Værk", "Nord", '"Ø"', "Nr. 1",
         "A+B=C", "#1", "Müßig, Köln", "100 % <Uld>", "Ä; Å")  # fmt: skip
_HOST = "abcdefghijklmnopqrstuvwxyz0123456789"
_LOCAL = _HOST + "!#$%&'*+/=?^_`{|}~-"
_ZONES = ("example.com", "example.net", "example.org")
_BASE_URL = "http://pki.example.com"
_KEYS_A_KIND = 6
_ISSUER_KEYS = ("EC-P256", "EC-P256", "EC-P384", "RSA-2048")
_LONGEST = 64
_RARELY = 0.1


@dataclass(frozen=True)
class Chain:
    """One certificate that is judged, and what leads from a leaf to the root."""

    judged: x509.Certificate
    path: tuple[x509.Certificate, ...]
    issuers: tuple[Issuer, ...]
    """Those that signed the path, from the leaf's own to the root, able to sign."""


def samples(
    profile_name: str, count: int, seed: int, now: datetime = NOW
) -> Iterator[x509.Certificate]:
    """So many certificates of one profile, each through our own gate."""
    return (chain.judged for chain in chains(profile_name, count, seed, now))


def chains(profile_name: str, count: int, seed: int, now: datetime = NOW) -> Iterator[Chain]:
    """So many certificates of one profile with what is above them; below a root, one of a CA."""
    profile = load_profile(profile_name)
    chance = random.Random(f"{profile_name} {seed}")  # noqa: S311 - repeatable on purpose
    for _ in range(count):
        issuer, above = _issuer(profile, chance, now)
        made = signed(an_order(profile, chance, issuer), issuer, now)
        if profile.name == "root":
            root = replace(issuer, certificate=made)
            order = an_order(load_profile("issuing"), chance, root)
            yield Chain(made, (signed(order, root, now), made), (root,))
        else:
            issuers = (issuer, *above)
            path = (made, *(_certificate(each) for each in issuers))
            yield Chain(made, path, issuers)


def signed(order: CertificateOrder, issuer: Issuer, now: datetime) -> x509.Certificate:
    """The certificate that was ordered, through our own gate."""
    prepared = prepare(order, issuer, now)
    lint(prepared.copy, prepared.content)
    return assemble(prepared.copy, sign_octets(issuer.key, prepared.tbs_certificate), issuer)


def _certificate(issuer: Issuer) -> x509.Certificate:
    assert issuer.certificate is not None
    return issuer.certificate


def an_order(profile: Profile, chance: random.Random, issuer: Issuer) -> CertificateOrder:
    """A random order that nothing stands against."""
    subject = SubjectName.of(_attributes(profile, chance))
    key: SubjectPublicKey = chance.choice(keys(chance.choice(profile.key_types)))
    if profile.name == "root":
        subject, key = SubjectName.from_x509(issuer.subject), issuer.key.public_key()
    hosts = tuple(_host(chance) for _ in range(chance.randint(1, 4)))
    if chance.random() < 0.2:
        hosts += (f"192.0.2.{chance.randrange(256)}", f"2001:db8::{chance.randrange(1, 9999)}")
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
    """A few keys of a kind, no issuer's; one RSA key is enough, they take long to make."""
    if kind.startswith("RSA"):
        return [rsa.generate_private_key(65537, int(kind[4:])).public_key()]
    return [a_key(kind).public_key() for _ in range(_KEYS_A_KIND)]


def _issuer(
    profile: Profile, chance: random.Random, now: datetime
) -> tuple[Issuer, tuple[Issuer, ...]]:
    """Who signs, and who is above."""
    root = _at_its_address(a_root(now=now))
    if profile.name == "root":
        subject = SubjectName.of(_attributes(profile, chance)).to_x509()
        return replace(root, subject=subject, certificate=None), ()
    if profile.certificate_authority:
        return root, ()
    return _at_its_address(an_issuer(chance.choice(_ISSUER_KEYS), now=now)), (root,)


def _at_its_address(issuer: Issuer) -> Issuer:
    return replace(issuer, urls=StatusUrls.under(_BASE_URL, issuer.name))


def _attributes(profile: Profile, chance: random.Random) -> Iterator[tuple[str, str]]:
    given, family = (" ".join(_some(words, chance)) for words in (GIVEN, FAMILY))
    scheme = chance.choice(("NTRDK", "VATDK", "VATSE", "LEIXG"))
    values = {
        "C": chance.choice(("DK", "GL", "FO", "SE", "IS", "DE", "PL", "FR")),
        "O": " ".join(_some(WORDS, chance)) + " A/S",
        "OU": "Authorities",
        "GN": given,
        "SN": family,
        "CN": f"{given} {family}" if "GN" in profile.subject else " ".join(_some(WORDS, chance)),
        "serialNumber": f"UI:DK-E:G:{chance.randrange(10**12)}",
        "pseudonym": f"officer-{chance.randrange(10**8):08d}",
        "organizationIdentifier": f"{scheme}-{_organisation_number(scheme, chance)}",
    }
    for attribute in profile.subject:
        if not attribute.endswith("?") or chance.random() < 0.5:
            name = attribute.removesuffix("?")
            yield name, _bounded(name, values[name], chance)


def _organisation_number(scheme: str, chance: random.Random) -> str:
    if scheme == "LEIXG":
        given = "".join(chance.choices(_HOST.upper(), k=18))
        return f"{given}{98 - int(''.join(str(int(c, 36)) for c in given + '00')) % 97:02d}"
    if scheme == "VATSE":
        return f"{chance.randrange(10**12):012d}"
    return f"{chance.randrange(10**8):08d}"


def _bounded(attribute: str, value: str, chance: random.Random) -> str:
    """The value, now and then as long as it may be: octets for a common name, else characters."""
    if attribute in {"GN", "SN", "CN", "O"} and chance.random() < _RARELY:
        value = (value + "-") * _LONGEST
    if attribute == "CN":
        return value.encode()[:_LONGEST].decode(errors="ignore").strip()
    return value[:_LONGEST].strip()


def _some(words: tuple[str, ...], chance: random.Random) -> list[str]:
    return chance.sample(words, chance.randint(1, 2))


def _host(chance: random.Random) -> str:
    zone = chance.choice(_ZONES)
    if chance.random() < _RARELY:  # 253 octets, of labels of 63
        labels = ["".join(chance.choices(_HOST, k=size)) for size in (63, 63, 63)]
        rest = 253 - len(zone) - sum(map(len, labels)) - len(labels) - 1
        return ".".join(["".join(chance.choices(_HOST, k=rest)), *labels, zone])
    labels = ["".join(chance.choices(_HOST, k=chance.randint(1, 12))) for _ in range(2)]
    return ".".join([*labels, zone])


def _mailbox(chance: random.Random) -> str:
    size = 64 if chance.random() < _RARELY else chance.randint(1, 20)
    zone = chance.choice(_ZONES)
    return "".join(chance.choices(_LOCAL, k=size)) + f"@{chance.choice('abc')}.{zone}"
