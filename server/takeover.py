"""Taking over an existing certificate authority: its files, its key, and its issuer in our records.

What is done with each certificate is decided in `revocation.takeover`; here files are read and the
issuer is set up, before the first certificate is taken over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from ca.errors import Conflict, Finding, MalformedRequest, Refused
from ca.foreign_certificates import MAX_PEM_OCTETS, is_signed_by, read_certificate
from ca.hierarchy import check_key_is_own, check_label
from ca.identifiers import IssuerName
from ca.issuers import IssuerRecord, find_issuer
from records.takeovers import PROFILE, key_digest
from revocation.foreign_crls import MAX_OCTETS, read_crl
from revocation.openssl_index import read_index
from revocation.takeover import Source, SourceFile
from server.assembly import Assembly

_MAX_INDEX = 1 << 30
"""Octets; some ten million lines."""
_CLAUSE = "RFC 5280 4.2.1, ETSI EN 319 411-1 OVR-5.2"


@dataclass(frozen=True, slots=True)
class Files:
    """Where an existing authority keeps what it issued; index and CRL may be missing."""

    authority: Path
    certificates: Path
    index: Path | None = None
    crl: Path | None = None


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """The token and label of the authority's key, both empty when it is not in a token here."""

    token: str = ""
    label: str = ""


def read_source(files: Files) -> Source:
    """Read everything; a single file that is no certificate becomes a row of its own.

    Raises:
        MalformedRequest: the authority's certificate, the index or the CRL cannot be read.
    """
    authority = read_certificate(_octets(files.authority, MAX_PEM_OCTETS))
    index = None
    if files.index is not None:
        text = _octets(files.index, _MAX_INDEX).decode("utf-8", errors="replace")
        index = list(read_index(text))
    crl = None if files.crl is None else read_crl(_octets(files.crl, MAX_OCTETS), authority)
    return Source(authority, list(_source_files(files.certificates)), index, crl)


def prepare_issuer(
    parts: Assembly, name: IssuerName, authority: x509.Certificate, key: KeyPlace, base_url: str
) -> IssuerRecord:
    """The issuer as it will be recorded, checked against its key and what is there; stores nothing.

    Raises:
        Refused: it is no authority that we can go on with, or the key is not its own.
        Conflict: an issuer of that name is there, and is another one.
    """
    _check_authority(authority, with_key=bool(key.label))
    record = IssuerRecord(
        name,
        _parent_of(parts, name, authority),
        key.token,
        key.label,
        authority.subject,
        base_url,
        authority,
        profile=PROFILE,
        spki_sha256=key_digest(authority),
    )
    records = parts.issuers.all()
    there = find_issuer(records, record.name)
    if there is not None and not _is_same(there, record):
        raise Conflict(f"issuer {name}", "there already, with another certificate or key")
    if key.label:
        check_key_is_own(record, records)
        _check_key(parts, authority, key)
    return record


def add_issuer(parts: Assembly, record: IssuerRecord, now: datetime) -> None:
    """Record the issuer unless it is there; without its certificate it signs nothing yet."""
    if find_issuer(parts.issuers.all(), record.name) is None:
        parts.issuers.add(record, now)


def activate_issuer(parts: Assembly, record: IssuerRecord, now: datetime) -> None:
    """Give the issuer its certificate unless it has it; what a crash left half done is finished."""
    there = find_issuer(parts.issuers.all(), record.name)
    if record.certificate is not None and there is not None and there.certificate is None:
        parts.issuers.activate(record.name, record.certificate, now, record.parent)


def _is_same(there: IssuerRecord, record: IssuerRecord) -> bool:
    same = (there.parent, there.token, there.key_label) == (
        record.parent,
        record.token,
        record.key_label,
    )
    certificates = {None, record.certificate}
    return same and there.subject == record.subject and there.certificate in certificates


def _octets(path: Path, longest: int) -> bytes:
    try:
        with path.open("rb") as file:
            octets = file.read(longest + 1)
    except OSError as error:
        raise MalformedRequest(f"file {path}", error.strerror or "it cannot be read") from None
    if len(octets) > longest:
        raise MalformedRequest(f"file {path}", f"it is longer than {longest:,} octets")
    return octets


def _source_files(folder: Path) -> Iterator[SourceFile]:
    """Each regular file of the folder, by name; a hidden one is none of the authority's."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise MalformedRequest(f"folder {folder}", error.strerror or "it cannot be read") from None
    for path in paths:
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            yield SourceFile(path.name, read_certificate(_octets(path, MAX_PEM_OCTETS)))
        except MalformedRequest as malformed:
            yield SourceFile(path.name, None, malformed.why)


def _parent_of(parts: Assembly, name: IssuerName, authority: x509.Certificate) -> IssuerName:
    """Itself for a root, else the issuer of ours whose key signed it."""
    if is_signed_by(authority, authority):
        return name
    for record in parts.issuers.all():
        if record.certificate is not None and is_signed_by(authority, record.certificate):
            return record.authority
    raise _refused(
        "import.parent",
        "the authority is under another one, which is no issuer here",
        "import the authority above it first",
    )


def _check_authority(authority: x509.Certificate, *, with_key: bool) -> None:
    """That it may sign certificates, and, to go on with its key, CRLs that lead back to it."""
    found = {type(each.value): each.value for each in authority.extensions}
    constraints, usage = found.get(x509.BasicConstraints), found.get(x509.KeyUsage)
    if not isinstance(constraints, x509.BasicConstraints) or not constraints.ca:
        raise _refused(
            "import.authority",
            "the certificate is not one of a certificate authority",
            "name the authority's own certificate with --certificate",
        )
    if not with_key:
        return
    may_sign = isinstance(usage, x509.KeyUsage) and usage.crl_sign and usage.key_cert_sign
    if not may_sign or x509.SubjectKeyIdentifier not in found:
        raise _refused(
            "import.authority",
            "the certificate has no subjectKeyIdentifier, or no keyUsage for certificates and CRLs",
            "import it without its key, and let a new authority issue from now on",
        )


def _check_key(parts: Assembly, authority: x509.Certificate, key: KeyPlace) -> None:
    """That the key is the authority's own and no other role's, and never leaves its token."""
    check_label(key.label)
    found = parts.tokens.find(key.token, key.label)
    if found is None or found.public_key() != authority.public_key():
        raise _refused(
            "import.key",
            f"key {key.label} in token {key.token} is not there, or not the authority's",
            "tillid hsm list shows which keys there are",
        )
    parts.tokens.check_keys([(key.token, key.label)])


def _refused(rule: str, sentence: str, way_out: str) -> Refused:
    return Refused(Finding(rule, _CLAUSE, sentence, way_out))
