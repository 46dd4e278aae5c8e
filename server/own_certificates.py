"""The service's own certificates: OCSP signers and the staff listener's, renewed in good time.

Level-triggered: what is there is looked at, and what is missing or ends soon is made.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from audit.errors import ClockBehind
from ca.errors import Refused
from ca.issuance import CertificateOrder, issue, prepare
from ca.issuers import OCSP_PROFILE, IssuerRecord
from ca.key_quality import spki_sha256
from ca.names import SubjectName
from ca.profiles import load_profile
from ca.signatures import SigningKey
from hsm.labels import ocsp_key
from revocation.ocsp_policy import OcspPolicy
from revocation.published_files import write_published
from revocation.responder import OcspIssuer, OcspResponder
from revocation.responders import AWAY, OcspResponders
from server.assembly import Assembly
from server.settings import Settings

ACTOR = "system:service"


def ocsp_signer(parts: Assembly, record: IssuerRecord, now: datetime) -> x509.Certificate | None:
    """The newest OCSP signer certificate that this issuer's current key is certified by."""
    key = parts.tokens.find(parts.settings.hsm.service_token, ocsp_key(record.name))
    return None if key is None else _newest(parts, record, (key, OCSP_PROFILE), now)


def ocsp_responder(parts: Assembly, record: IssuerRecord, now: datetime) -> OcspResponders | None:
    """What answers for an issuer; None until a signer of it is certified, or with a clock behind.

    An answer that was signed with a time that has passed is of no use to who asks. A node that has
    the public listener alone has no token.

    Raises: HsmError when no token with a key for it is there.
    """
    if parts.settings.public.only:
        return None
    try:
        parts.clock.check(now)
    except ClockBehind:
        return None
    issuer, found = record.certificate, []
    if issuer is None:
        return None
    policy = ocsp_policy(parts.settings, record)
    for key in _present(parts, record):
        signer = _newest(parts, record, (key, OCSP_PROFILE), now)
        if signer is not None:
            of = OcspIssuer(record.name, issuer, signer, key)
            found.append(OcspResponder(of, parts.statuses, policy))
    return OcspResponders(tuple(found)) if found else None


def ocsp_policy(settings: Settings, record: IssuerRecord) -> OcspPolicy:
    """What the answers of an issuer hold, and for how long they are valid.

    Never for less than the settings say: by them caches and static files are told how long.
    """
    of = settings.ocsp
    least = timedelta(minutes=of.validity_minutes)
    return OcspPolicy(
        validity=max(least, record.policy.ocsp_validity or least),
        cert_hash=of.cert_hash,
        archive_cutoff=of.archive_cutoff,
        non_issued_revoked=of.non_issued == "revoked",
    )


def ensure_ocsp_signer(parts: Assembly, record: IssuerRecord, now: datetime) -> bool:
    """Certify the OCSP keys of an issuer whose certificates have no more than a third to go.

    A token that is away waits while another has a key; `check-tokens` tells of it.
    """
    profile, done = load_profile(OCSP_PROFILE), False
    for key in _present(parts, record):
        if _lasts(_newest(parts, record, (key, profile.name), now), now):
            continue
        subject = _ocsp_subject(record)
        _certify(parts, CertificateOrder(profile, subject, key.public_key()), record.name, now)
        done = True
    return done


def _present(parts: Assembly, record: IssuerRecord) -> list[ec.EllipticCurvePrivateKey]:
    """The OCSP keys of an issuer whose tokens are there; HsmError when none is."""
    found, away = [], []
    for open_key in parts.tokens.ocsp_keys(record.name):
        try:
            found.append(open_key())
        except AWAY as error:
            away.append(error)
    if not found:
        raise away[0]
    return found


def _ocsp_subject(record: IssuerRecord) -> SubjectName:
    """Country and organisation of the issuer, if it has them: imported ones have any name."""
    found = {
        name: str(values[0].value)
        for name, oid in (("C", NameOID.COUNTRY_NAME), ("O", NameOID.ORGANIZATION_NAME))
        if (values := record.subject.get_attributes_for_oid(oid))
    }
    try:
        return SubjectName.of([*found.items(), ("CN", f"{_common_name(record)} OCSP")])
    except Refused:
        return SubjectName.of([("CN", f"{record.name} OCSP")])


def _common_name(record: IssuerRecord) -> str:
    values = record.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(values[0].value) if values else record.name


def ensure_staff_listener(parts: Assembly, now: datetime) -> tuple[Path, Path]:
    """The certificate chain and key file (0600) of the staff listener, made when need be."""
    folder = parts.settings.state / "tls"
    folder.mkdir(mode=0o700, exist_ok=True)
    chain, key_file = folder / "staff.pem", folder / "staff.key"
    profile = load_profile("tls-server")
    record = parts.issuing_record(profile)
    key = _listener_key(key_file)
    certificate = _newest(parts, record, (key, profile.name), now)
    if certificate is None or not _lasts(certificate, now):
        host = urlsplit(parts.settings.staff.url).hostname or "localhost"
        subject = SubjectName.of([("CN", host)])
        order = CertificateOrder(profile, subject, key.public_key(), (host,))
        certificate = _certify(parts, order, record.name, now)
    pem = certificate.public_bytes(Encoding.PEM)
    for above in (record.certificate, *record.chain):
        pem += b"" if above is None else above.public_bytes(Encoding.PEM)
    if not chain.exists() or chain.read_bytes() != pem:
        write_published(chain, pem)
    return chain, key_file


def _listener_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the listener's key file holds no EC key")
    return key


def _certify(
    parts: Assembly, order: CertificateOrder, issuer: str, now: datetime
) -> x509.Certificate:
    prepared = prepare(order, parts.issuer(issuer), now, parts.settings.serial.node)
    return issue(prepared, parts.certificates, ACTOR, now)


def _newest(
    parts: Assembly, record: IssuerRecord, of: tuple[SigningKey, str], now: datetime
) -> x509.Certificate | None:
    """The newest certificate of a key under a profile that is valid now.

    One from the future is none: the clock was ahead when it was made.
    """
    key, profile = of
    digest = spki_sha256(key.public_key())
    every = parts.certificates.find(
        issuer=record.name, profile=profile, status="issued", spki_sha256=digest
    )
    for found in every:
        if found.not_before <= now <= found.not_after:
            return parts.certificates.body(found.issuer, found.serial_number)
    return None


def _lasts(certificate: x509.Certificate | None, now: datetime) -> bool:
    if certificate is None:
        return False
    whole = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_after_utc - now > whole / 3
