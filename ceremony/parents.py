"""Parents that no step makes: an authority of an earlier ceremony, and a foreign one.

The first is opened by whoever holds its PIN. To the second a request goes out in one session, in
the folder of the ceremony as ISSUER.csr; a later session reads ISSUER.pem from there, the
certificate first and then those above it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_csr

from audit.events import Event
from ca.foreign import check_offered, request_certificate
from ca.foreign_certificates import MAX_PEM_OCTETS, read_certificates
from ca.hierarchy import run_ceremony
from ca.issuers import CertificateKind, IssuerCertificate
from ca.profiles import load_profile
from ca.signatures import SigningKey
from ceremony.errors import Awaited, Conflict
from ceremony.facts import (
    Installed,
    ParentThere,
    Requested,
    public_facts,
    sign_text,
    test_statement,
    verify_text,
)
from ceremony.script import Install, MakeIssuer, OpenParent
from ceremony.transcript import ACTOR, write_paper
from hsm.uri import token_label

if TYPE_CHECKING:
    from ca.issuers import IssuerRecord
    from ceremony.steps import Room


def open_parent(room: "Room", step: OpenParent) -> ParentThere:
    """Open the token of an authority that is there, and let its key sign a test."""
    record, name = room.record(step.issuer), room.script.name
    certificate = record.certificate
    if certificate is None:
        raise Conflict(name, f"issuer {record.name} has no certificate")
    token = room.open(step.token)
    if token_label(record.token) != token_label(room.binding.token[step.token].label):
        raise Conflict(name, f"issuer {record.name} has its key in token {record.token}")
    key = _key(room, record)
    if key.public_key() != certificate.public_key():
        raise Conflict(name, f"key {record.key_label} is not the one of issuer {record.name}")
    _, digest = public_facts(key.public_key())
    statement = test_statement(name, record.key_label, digest)
    signature = sign_text(key, statement)
    verify_text(key.public_key(), signature, statement)
    return ParentThere(
        do="parent",
        issuer=step.issuer,
        token=step.token,
        device=token.device(),
        key=record.key_label,
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        signature=signature,
    )


def send_request(room: "Room", step: MakeIssuer) -> Requested:
    """Record an issuer without a certificate, and write the request for one."""
    room.open_for(step.issuer)
    site, now = room.site, room.journal.now()
    stores = (site.issuers, site.certificates)
    for _ in run_ceremony((room.planned(step, None),), site.base_url, stores, site.tokens, now):
        pass
    record = room.record(step.issuer)
    key = _key(room, record)
    site.log.append(Event("issuer.requested", ACTOR, record.name, {}), now)
    pem = request_certificate(record, key, load_profile(step.profile))
    path = _file(room, step.issuer, "csr")
    write_paper(path, pem)
    room.people.tell(f"  The request is in {path}: bring it to the authority above.")
    body = load_pem_x509_csr(pem)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(body.public_bytes(Encoding.DER))
    return Requested("request", step.issuer, step.key, pem.decode(), digest.finalize().hex())


def await_certificate(room: "Room", step: Install) -> None:
    """See that the certificate lies there. Raises: Awaited."""
    path = _file(room, step.issuer, "pem")
    if path.exists():
        return
    if room.site.foreign is None:
        raise Awaited(step.issuer, path)
    room.people.tell("  A stand-in plays the authority above.")
    write_paper(path, room.site.foreign(_file(room, step.issuer, "csr").read_bytes()))


def install(room: "Room", step: Install) -> Installed:
    """Install the certificate, after all that `tillid ca install` asks of one."""
    record, now = room.record(step.issuer), room.journal.now()
    with _file(room, step.issuer, "pem").open("rb") as file:
        leaf, *chain = read_certificates(file.read(MAX_PEM_OCTETS + 1))
    made = leaf not in [each.certificate for each in record.certificates]
    if made:
        added = IssuerCertificate(CertificateKind.OWN, leaf, None, tuple(chain))
        check_offered(record, load_profile(record.profile), added, now)
        room.site.issuers.install(record.name, added, now)
    return Installed(
        do="install",
        issuer=step.issuer,
        key=record.key_label,
        certificate=leaf.public_bytes(Encoding.PEM).decode(),
        chain="".join(each.public_bytes(Encoding.PEM).decode() for each in chain),
        sha256=leaf.fingerprint(hashes.SHA256()).hex(),
        made=made,
    )


def _key(room: "Room", record: "IssuerRecord") -> SigningKey:
    key = room.site.tokens.find(record.token, record.key_label)
    if key is None:
        raise Conflict(room.script.name, f"key {record.key_label} is not in token {record.token}")
    return key


def _file(room: "Room", issuer: str, ending: str) -> Path:
    return room.site.folder / room.script.name / f"{issuer}.{ending}"
