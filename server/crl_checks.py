"""What we know about a CRL: whose it is, whether it is in force and as recorded, each in words."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca import der
from ca.errors import MalformedRequest
from ca.foreign_certificates import UNREADABLE
from ca.issuers import IssuerRecord
from revocation.crl import CrlHeader, check_crl, check_frame, read_parts
from revocation.errors import CrlRefused
from revocation.publication import COMPLETE, DELTA, CrlScope
from server.assembly import Assembly
from server.verification import Check, Outcome


def read_any(octets: bytes) -> x509.CertificateRevocationList:
    """A CRL in PEM or DER. Raises: MalformedRequest."""
    load = x509.load_pem_x509_crl if der.is_armored(octets) else x509.load_der_x509_crl
    try:
        found = load(octets)
        list(found.extensions)
    except UNREADABLE:
        raise MalformedRequest("CRL", "the octets are not a CRL") from None
    return found


def check_octets(
    parts: Assembly, crl: x509.CertificateRevocationList, now: datetime
) -> Iterator[Check]:
    """Everything that can be said about a CRL, whoever gave it to us."""
    octets = crl.public_bytes(Encoding.DER)
    record = next((r for r in parts.issuers.all() if _is_of(crl, r)), None)
    if record is None or record.certificate is None:
        yield Check("issuer", Outcome.FAILS, "None of our issuers signed it.")
        return
    yield Check("issuer", Outcome.HOLDS, f"Issuer {record.name} signed it.")
    try:
        _, header = check_frame(octets, record.certificate)
        check_crl(octets, record.certificate, header.this_update)
    except CrlRefused as refused:
        yield Check("form", Outcome.FAILS, f"It is not of our form: {refused.rule.value}.")
        return
    yield Check("form", Outcome.HOLDS, "Every entry and extension is as our own gate wants it.")
    yield _time(header, now)
    yield _recorded(parts, record, header, octets)


def check_lists(parts: Assembly, record: IssuerRecord, now: datetime) -> Iterator[Check]:
    """Every list of an issuer: as it is served, and as all rows of the records would have it."""
    for latest in parts.crls.lists(record.name):
        name = list_name(latest.shard)
        path = parts.crl_file(record.name, latest.shard)
        try:
            crl = read_any(path.read_bytes())
        except (OSError, MalformedRequest):
            yield Check(name, Outcome.FAILS, f"No CRL lies at {path}.")
            continue
        checks = list(check_octets(parts, crl, now))
        failed = [check.said for check in checks if check.outcome is Outcome.FAILS]
        of = f"Number {latest.number}, {latest.entries} entries"
        if failed:
            yield Check(name, Outcome.FAILS, f"{of}. {' '.join(failed)}")
        else:
            yield Check(name, Outcome.HOLDS, f"{of}: as recorded, and in force.")
    yield _rows(parts, record)


def list_name(shard: int) -> str:
    """What a list of an issuer is called."""
    return {COMPLETE: "complete", DELTA: "delta"}.get(shard, f"shard {shard}")


def _is_of(crl: x509.CertificateRevocationList, record: IssuerRecord) -> bool:
    if record.certificate is None or crl.issuer != record.certificate.subject:
        return False
    try:
        key = record.certificate.public_key()
        return crl.is_signature_valid(key)  # type: ignore[arg-type]  # TypeError for others
    except UNREADABLE:
        return False


def _time(header: CrlHeader, now: datetime) -> Check:
    until = f"{header.this_update:%F %T} to {header.next_update:%F %T} UTC"
    if header.this_update <= now <= header.next_update:
        return Check("time", Outcome.HOLDS, f"It is in force, from {until}.")
    return Check("time", Outcome.FAILS, f"It is not in force: from {until}.")


def _recorded(parts: Assembly, record: IssuerRecord, header: CrlHeader, octets: bytes) -> Check:
    shard = COMPLETE if header.base is None else DELTA
    if header.distribution_point is not None:
        shards = parts.crls.shards(record.name)
        urls = {record.urls.crl_of(each): each for each in shards}
        shard = urls.get(header.distribution_point, COMPLETE)
    known = parts.crls.recorded(CrlScope(record.name, shard), header.number)
    name = f"number {header.number} of {record.name}, {list_name(shard)}"
    if known is None:
        return Check("records", Outcome.FAILS, f"Our records have no {name}.")
    if known.sha256 != hashlib.sha256(octets).digest():
        return Check("records", Outcome.FAILS, f"Our records have another {name}.")
    latest = parts.crls.latest(record.name, shard)
    if latest is not None and latest.number != header.number:
        said = f"It is {name}; a later one is number {latest.number}."
        return Check("records", Outcome.HOLDS, said)
    return Check("records", Outcome.HOLDS, f"It is {name}, the latest.")


def _rows(parts: Assembly, record: IssuerRecord) -> Check:
    """Whether the complete CRL lists what all rows say, when no change is waiting to be shown."""
    scope = CrlScope(record.name)
    with parts.crls.next_crl(scope) as source:
        latest = source.heading.latest
        if latest is None or latest.version != source.heading.version:
            return Check("rows", Outcome.OPEN, "A change waits for the next CRL.")
        rows = hashlib.sha256()
        for entry in source.entries(latest.left_until):
            rows.update(entry)
        octets = b"".join(piece.octets for piece in source.pieces())
    begins, ends = read_parts(octets).entries
    if hashlib.sha256(octets[begins:ends]).digest() != rows.digest():
        return Check("rows", Outcome.FAILS, "The complete CRL is not what the records list.")
    said = "The complete CRL lists what all rows of the records say."
    return Check("rows", Outcome.HOLDS, said)
