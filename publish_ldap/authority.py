"""What a directory says of a certificate authority: its certificates and CRLs (RFC 4523).

The entry is of the class pkiCA; deltaCRL joins it where there are delta CRLs. Each shard of a CRL
has an entry of its own below, of the class cRLDistributionPoint.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ca import der
from ca.issuers import CertificateKind, IssuerRecord
from ca.names import SubjectName
from publish_ldap.entry import Entry, EntryTemplate, Holder
from publish_ldap.names import escaped
from publish_ldap.settings import AuthorityTemplate

CERTIFICATES: Final = "cACertificate;binary"
CROSS_PAIRS: Final = "crossCertificatePair;binary"
CRL: Final = "certificateRevocationList;binary"
AUTHORITY_CRL: Final = "authorityRevocationList;binary"
DELTA_CRL: Final = "deltaRevocationList;binary"
_CRLS: Final = frozenset({CRL, AUTHORITY_CRL, DELTA_CRL})


@dataclass(frozen=True, slots=True)
class AuthorityValues:
    """The entry of one issuer, below the base: `replaced` are the attributes that we alone keep."""

    issuer: str
    name: str
    parts: int
    object_class: str
    classes: tuple[str, ...]
    naming: tuple[tuple[str, str], ...]
    values: Mapping[str, tuple[bytes, ...]]

    @property
    def replaced(self) -> frozenset[str]:
        """The CRLs: an old one beside the new one would deceive."""
        return _CRLS


@dataclass(frozen=True, slots=True)
class AuthorityCrls:
    """The octets of the complete CRL and of its delta, as far as there are any."""

    complete: bytes = b""
    delta: bytes = b""


def authority_values(
    record: IssuerRecord,
    crls: AuthorityCrls,
    template: AuthorityTemplate,
    crossed: Sequence[x509.Certificate] = (),
) -> AuthorityValues:
    """The entry of an issuer that has a certificate, and of those that it `crossed`.

    The CRL of a root lists authorities, so that it is an authorityRevocationList, too.

    Raises: EntryRefused where the name of the issuer cannot stand in a directory.
    """
    own = [each for each in record.certificates if each.kind is not CertificateKind.CROSS]
    values = {
        CERTIFICATES: tuple(_octets(each.certificate) for each in own),
        CROSS_PAIRS: cross_pairs(record, crossed),
        CRL: (crls.complete,) if crls.complete else (),
        AUTHORITY_CRL: (crls.complete,) if crls.complete and record.is_root else (),
        DELTA_CRL: (crls.delta,) if crls.delta else (),
    }
    entry = authority_entry(record, template)
    return AuthorityValues(
        issuer=record.name,
        name=entry.name,
        parts=entry.parts,
        object_class=template.object_class,
        classes=("pkiCA", "deltaCRL") if crls.delta else ("pkiCA",),
        naming=entry.attributes,
        values={attribute: octets for attribute, octets in values.items() if octets},
    )


def authority_entry(record: IssuerRecord, template: AuthorityTemplate) -> Entry:
    """Where an issuer stands; generations of one authority may stand in one place.

    Raises: EntryRefused.
    """
    subject = SubjectName.from_x509(record.subject).attributes
    return _template(template).entry(Holder("", (*subject, ("serialNumber", record.name))))


def merged(values: Sequence[AuthorityValues]) -> AuthorityValues:
    """One entry for all issuers that stand in one place: each value of each of them."""
    together: dict[str, tuple[bytes, ...]] = {}
    for each in values:
        for attribute, octets in each.values.items():
            before = together.get(attribute, ())
            together[attribute] = (*before, *(one for one in octets if one not in before))
    classes = max((each.classes for each in values), key=len)
    return replace(values[0], classes=classes, values=together)


def digest_of(
    record: IssuerRecord, crls: Iterable[bytes], template: AuthorityTemplate, base_dn: str
) -> str:
    """SHA-256 over what the entry is to hold, told from the digests of the CRLs alone.

    Another digest is another entry, so that whoever published one knows whether it is still right.
    """
    found = sha256(repr((base_dn, template.dn, template.object_class)).encode())
    for each in record.certificates:
        found.update(each.kind.encode() + each.certificate.fingerprint(hashes.SHA256()))
    for crl in crls:
        found.update(crl)
    return found.hexdigest()


def shard_values(
    record: IssuerRecord, shard: int, crl: bytes, template: AuthorityTemplate
) -> AuthorityValues:
    """The entry of one shard of an issuer's CRL, below that of the issuer (RFC 4523 section 3.9).

    Raises: EntryRefused.
    """
    above, name = authority_entry(record, template), f"{record.name} shard {shard}"
    listed = (CRL, AUTHORITY_CRL) if record.is_root else (CRL,)
    return AuthorityValues(
        issuer=record.name,
        name=f"cn={escaped(name)},{above.name}",
        parts=above.parts + 1,
        object_class="cRLDistributionPoint",
        classes=(),
        naming=(("cn", name),),
        values=dict.fromkeys(listed, (crl,)),
    )


def cross_pairs(
    record: IssuerRecord, crossed: Sequence[x509.Certificate] = ()
) -> tuple[bytes, ...]:
    """CertificatePair for each cross certificate of its key, and for each that it signed.

    The former are `issuedToThisCA [0]`, the latter `issuedByThisCA [1]` (X.509 section 11.2.3).
    """
    to_it = [each for each in record.certificates if each.kind is CertificateKind.CROSS]
    pairs = [(0, each.certificate) for each in to_it] + [(1, each) for each in crossed]
    return tuple(
        der.sequence(der.element(der.context(tag), _octets(certificate)))
        for tag, certificate in pairs
    )


def crossed_by(record: IssuerRecord, every: Iterable[IssuerRecord]) -> tuple[x509.Certificate, ...]:
    """The cross certificates that an issuer gave to others of ours."""
    return tuple(
        each.certificate
        for other in every
        for each in other.certificates
        if each.kind is CertificateKind.CROSS and each.signer == record.name
    )


def check_template(template: AuthorityTemplate, subject: Sequence[str]) -> None:
    """ValueError for a template that names no entry, or needs what no issuer has."""
    lacking = _template(template).lacking([*subject, "serialNumber"])
    if lacking:
        raise ValueError(f"an issuer has no {{{lacking[0]}}}")


def _template(of: AuthorityTemplate) -> EntryTemplate:
    attribute, _, text = of.dn.partition(",")[0].partition("=")
    return EntryTemplate(of.dn, (of.object_class,), ((attribute, text),), attribute)


def _octets(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
