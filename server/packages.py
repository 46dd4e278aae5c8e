"""What is handed to a person: files with a manifest of their digests, signed by the audit key.

GDPR Art. 15(3) (a copy of the data) and Art. 20(1) (data to take along, machine-readable).
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from pydantic import TypeAdapter

from ca.certificates import sign_octets
from gdpr_erasure.person_file import Asking, PersonFile
from server.assembly import Assembly
from server.ceremony import audit_key
from server.declared import declared
from server.errors import PackageDamaged
from server.portability import PortableData, portable_data, vcard
from server.privacy_pages import document, page
from server.privacy_report import AccessReport, access_report
from server.privacy_words import Language

MANIFEST = "manifest.json"
_PURPOSE = b"tillid data-subject package\n"
_FORM = "tillid-package-1"


def access_package(parts: Assembly, asked: Asking, language: Language) -> Mapping[str, bytes]:
    """The answer to a request for access: files by name, with a signed manifest.

    Raises: NotFound when there is no such person; SettingsRefused for a faulty register of
    processors.
    """
    file = parts.person_files.of(asked)
    return sign_package(parts, access_files(parts, file, language), asked.at)


def access_files(parts: Assembly, file: PersonFile, language: Language) -> dict[str, bytes]:
    """The report as page, document and JSON with its schema, and the certificates in PEM."""
    report = access_report(file, declared(parts.settings), language)
    return {
        "report.html": page(report),
        "report.pdf": document(report),
        "report.json": _json(asdict(report)),
        "report.schema.json": _json(TypeAdapter(AccessReport).json_schema(mode="serialization")),
        **file.attachments,
    }


def portability_package(parts: Assembly, asked: Asking) -> Mapping[str, bytes]:
    """What the person provided on consent or contract: JSON with schema, PEM, and a vCard.

    Raises: NotFound when there is no such person.
    """
    file = parts.person_files.of(asked)
    return sign_package(parts, portability_files(file), asked.at)


def portability_files(file: PersonFile) -> dict[str, bytes]:
    """The files of a portability package."""
    data = portable_data(file)
    return {
        "data.json": _json(asdict(data)),
        "data.schema.json": _json(TypeAdapter(PortableData).json_schema(mode="serialization")),
        "person.vcf": vcard(data),
        **file.attachments,
    }


def sign_package(parts: Assembly, package: Mapping[str, bytes], now: datetime) -> dict[str, bytes]:
    """The files with a manifest, signed by the audit key."""
    return signed_with(audit_key(parts), package, now)


def signed_with(
    key: ec.EllipticCurvePrivateKey, package: Mapping[str, bytes], now: datetime
) -> dict[str, bytes]:
    """The files with a manifest: form, time, digest of each file; ECDSA over it, DER in base64."""
    signed = {
        "form": _FORM,
        "made_at": now.isoformat(),
        "files": {name: hashlib.sha256(octets).hexdigest() for name, octets in package.items()},
    }
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = base64.b64encode(sign_octets(key, _PURPOSE + _json(signed))).decode()
    manifest = {"signed": signed, "public_key": public.decode(), "signature": signature}
    return {**package, MANIFEST: _json(manifest)}


def verify_package(
    package: Mapping[str, bytes], trusted: ec.EllipticCurvePublicKey | None = None
) -> tuple[str, ...]:
    """The names of the files, each as it was signed; `trusted` is the audit key, where known.

    Raises: PackageDamaged naming what is missing, altered, added, or signed by another.
    """
    try:
        manifest = json.loads(package[MANIFEST])
        signed, key = manifest["signed"], load_pem_public_key(manifest["public_key"].encode())
        signature = base64.b64decode(manifest["signature"], validate=True)
        files = dict(signed["files"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise PackageDamaged(MANIFEST, "is missing or is no manifest") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or (trusted and key != trusted):
        raise PackageDamaged(MANIFEST, "is signed by another key than the audit key")
    try:
        key.verify(signature, _PURPOSE + _json(signed), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise PackageDamaged(MANIFEST, "is not what was signed") from None
    found = {name: hashlib.sha256(one).hexdigest() for name, one in package.items()}
    found.pop(MANIFEST)
    for name in sorted(files.keys() | found.keys()):
        if files.get(name) != found.get(name):
            raise PackageDamaged(name, "is missing, added or altered")
    return tuple(sorted(found))


def _json(value: object) -> bytes:
    """One form for one value: sorted keys, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()
