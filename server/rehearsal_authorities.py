"""What plays the authorities that are not there in a rehearsal; nothing of it is kept.

For an authority of an earlier ceremony a root is made in a token of the rehearsal, whose PIN two
people get in shares to practise with. A foreign authority has a key in memory.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ceremony.journal import Journal
from ceremony.people import People
from ceremony.script import (
    REHEARSAL,
    Binding,
    MakeIssuer,
    MakeKey,
    MakeToken,
    OpenParent,
    Script,
    Split,
    Step,
)
from ceremony.site import Site
from ceremony.steps import Room

_LIFE = timedelta(days=3650)


def make_parents(script: Script, binding: Binding, site: Site, people: People) -> None:
    """Make the authorities that the script finds there, with the tokens that they are in."""
    parents = [step for step in script.step if isinstance(step, OpenParent)]
    if not parents:
        return
    people.tell("Stand-ins are made of the authorities that are there when it is done in earnest.")
    steps = tuple(step for parent in parents for step in _steps(parent, parents))
    stand_ins = Script("stand-ins", "Stand-ins", steps)
    journal = Journal.open(site.folder / "stand-ins.jsonl", site.clock)
    room = Room(stand_ins, binding, site, people, journal)
    labels = [bound.label for bound in binding.token.values()]
    with site.tokens.online(*labels):
        for number, step in enumerate(steps, 1):
            room.perform(number, step)


def _steps(parent: OpenParent, parents: Sequence[OpenParent]) -> list[Step]:
    first = next(each for each in parents if each.token == parent.token)
    subject = {"C": "DK", "O": "Rehearsal", "CN": f"Stand-in of {parent.issuer}{REHEARSAL}"}
    label, token = f"{parent.issuer}-ca", parent.token
    made: list[Step] = [
        Split(do="split", token=token, threshold=2, shares=2),
        MakeToken(do="token", token=token),
    ]
    return [
        *(made if first == parent else ()),
        MakeKey(do="key", token=token, label=label, type="EC-P384"),
        MakeIssuer(do="root", issuer=parent.issuer, key=label, profile="root", subject=subject),
    ]


def foreign_authority(request: bytes, now: datetime) -> bytes:
    """Certificate and root (PEM) of an authority that grants whatever the request asks for."""
    key, asked = ec.generate_private_key(ec.SECP384R1()), x509.load_pem_x509_csr(request)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Stand-in authority{REHEARSAL}")])
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    root = _signed((name, key.public_key()), name, key, [constraints, _signs(asked), own], now)
    asked_for = [each.value for each in asked.extensions]
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    public: Any = asked.public_key()
    leaf = _signed((asked.subject, public), name, key, [*asked_for, identifier], now)
    return leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)


def _signs(asked: x509.CertificateSigningRequest) -> x509.ExtensionType:
    return asked.extensions.get_extension_for_class(x509.KeyUsage).value


def _signed(
    subject: tuple[x509.Name, Any],
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    extensions: Sequence[x509.ExtensionType],
    now: datetime,
) -> x509.Certificate:
    builder = x509.CertificateBuilder(issuer, *subject, x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + _LIFE)
    for extension in extensions:
        critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA384())
