"""Issuers and their certificates; implements `ca.issuers.IssuerStore`."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection, Row, func, insert, select, update

from audit.events import Detail, Event
from ca.identifiers import IssuerName, SerialNumber
from ca.issuers import (
    CertificateKind,
    IssuerCertificate,
    IssuerPolicy,
    IssuerRecord,
    IssuerState,
)
from records.audit_log import append
from records.database import Database
from records.errors import Conflict, NotFound, RuleBroken
from records.tables import certificate, issuer, issuer_certificate

ACTOR = "system:ceremony"
# Built once: every tick and every page asks for all of them. The version of statuses, which is in
# no record, would make each read one of its own.
_ISSUERS = select(*(each for each in issuer.c if each is not issuer.c.status_version)).order_by(
    issuer.c.created_at, issuer.c.name
)
_CERTIFICATES = select(issuer_certificate).order_by(
    issuer_certificate.c.issuer, issuer_certificate.c.number
)


@dataclass(frozen=True, slots=True)
class Unended:
    """A certificate, or an intent, that still counts."""

    serial_number: SerialNumber
    status: str
    profile: str
    not_after: datetime


class Issuers:
    """The issuer table and that of the issuers' certificates."""

    def __init__(self, database: Database, actor: str = ACTOR) -> None:
        """Use the database; what is done is recorded as done by the actor."""
        self._database = database
        self._actor = actor

    def add(self, record: IssuerRecord, now: datetime) -> None:
        """Store an issuer that has a key and no certificate yet."""
        with self._database.write() as tx:
            tx.execute(
                insert(issuer).values(
                    name=record.name,
                    generation=record.generation,
                    parent=record.parent,
                    token=record.token,
                    key_label=record.key_label,
                    spki_sha256=record.spki_sha256,
                    profile=record.profile,
                    subject=record.subject.public_bytes(),
                    base_url=record.base_url,
                    state=IssuerState.ACTIVE,
                    created_at=now,
                    **_policy_columns(record.policy),
                )
            )
            details: dict[str, Detail] = {
                "token": record.token,
                "key_label": record.key_label,
                "spki_sha256": record.spki_sha256,
            }
            self._tell(tx, "issuer.prepared", record.name, details, now)

    def activate(
        self,
        name: IssuerName,
        certificate: x509.Certificate,
        now: datetime,
        signer: IssuerName | None = None,
    ) -> None:
        """Give an issuer its own certificate, by one of our issuers, itself when none is named."""
        added = IssuerCertificate(CertificateKind.OWN, certificate, signer or name)
        self.install(name, added, now)

    def install(self, name: IssuerName, added: IssuerCertificate, now: datetime) -> None:
        """Keep a further certificate of an issuer's key; one that is there already is left."""
        fingerprint = added.certificate.fingerprint(hashes.SHA256()).hex()
        with self._database.write() as tx:
            known = select(issuer_certificate.c.fingerprint).where(
                issuer_certificate.c.issuer == name
            )
            if fingerprint in tx.execute(known).scalars().all():
                return
            last = select(func.max(issuer_certificate.c.number)).where(
                issuer_certificate.c.issuer == name
            )
            tx.execute(
                insert(issuer_certificate).values(
                    issuer=name,
                    number=(tx.execute(last).scalar() or 0) + 1,
                    kind=added.kind,
                    signer=added.signer,
                    fingerprint=fingerprint,
                    der=added.certificate.public_bytes(Encoding.DER),
                    chain=b"".join(each.public_bytes(Encoding.PEM) for each in added.chain),
                    installed_at=now,
                )
            )
            details: dict[str, Detail] = {"fingerprint": fingerprint, "kind": str(added.kind)}
            self._tell(tx, "issuer.activated", name, details, now)

    def supersede(self, name: IssuerName, now: datetime) -> None:
        """Let an issuer give way to a later generation; Conflict unless it is active."""
        self._move(name, (IssuerState.ACTIVE,), IssuerState.SUPERSEDED, now)

    def retire(self, name: IssuerName, now: datetime) -> None:
        """Let an issuer sign nothing more but its last CRL, for good.

        Raises:
            RuleBroken: something that it issued has not ended yet.
            Conflict: it is retired already.
        """
        self._move(name, (IssuerState.ACTIVE, IssuerState.SUPERSEDED), IssuerState.RETIRED, now)

    def record_destruction(self, name: IssuerName, now: datetime) -> None:
        """Keep that the key of a retired issuer was destroyed; Conflict if that is kept already."""
        with self._database.write() as tx:
            statement = (
                update(issuer)
                .where(issuer.c.name == name, issuer.c.key_destroyed_at.is_(None))
                .where(issuer.c.state == IssuerState.RETIRED)
                .values(key_destroyed_at=now)
            )
            if tx.execute(statement).rowcount != 1:
                raise Conflict(f"issuer {name}", "not one whose key is to be destroyed")
            self._tell(tx, "issuer.key_destroyed", name, {}, now)

    def configure(self, name: IssuerName, policy: IssuerPolicy, now: datetime) -> None:
        """Give an issuer another policy."""
        columns = _policy_columns(policy)
        with self._database.write() as tx:
            statement = update(issuer).where(issuer.c.name == name).values(**columns)
            if tx.execute(statement).rowcount != 1:
                raise NotFound("issuer", name)
            details = {key: str(value) for key, value in columns.items()}
            self._tell(tx, "issuer.configured", name, details, now)

    def unended(self, name: IssuerName, now: datetime, limit: int) -> list[Unended]:
        """What an issuer signed, or is about to, that was not revoked and has not expired.

        Certificates of its own key are left out: they end with it.
        """
        own_key = select(issuer.c.spki_sha256).where(issuer.c.name == name).scalar_subquery()
        columns = certificate.c.serial, certificate.c.status, certificate.c.profile
        query = (
            select(*columns, certificate.c.not_after)
            .where(certificate.c.issuer == name, certificate.c.status != "revoked")
            .where(certificate.c.not_after >= now, certificate.c.spki_sha256 != own_key)
            .limit(limit)
        )
        with self._database.read() as tx:
            return [
                Unended(SerialNumber.from_hex(row.serial), row.status, row.profile, row.not_after)
                for row in tx.execute(query)
            ]

    def note(
        self, name: IssuerName, what: str, details: Mapping[str, Detail], now: datetime
    ) -> None:
        """Keep in the audit log what is done with an issuer's key and leaves no row."""
        with self._database.write() as tx:
            self._tell(tx, what, name, details, now)

    def get(self, name: str) -> IssuerRecord:
        """One issuer; NotFound if there is none of that name."""
        for record in self.all():
            if record.name == name:
                return record
        raise NotFound("issuer", name)

    def all(self) -> list[IssuerRecord]:
        """Every issuer, roots first, then in the order they were made.

        Raises:
            RuleBroken: a certificate holds another key than its issuer's.
        """
        with self._database.read() as tx:
            rows = tx.execute(_ISSUERS).all()
            certificates = tx.execute(_CERTIFICATES).all()
        found = [
            _record(row, tuple(each for each in certificates if each.issuer == row.name))
            for row in rows
        ]
        return sorted(found, key=lambda record: not record.is_root)

    def _move(
        self,
        name: IssuerName,
        before: tuple[IssuerState, ...],
        after: IssuerState,
        now: datetime,
    ) -> None:
        with self._database.write() as tx:
            _wait_for_orders(tx, name)
            statement = (
                update(issuer)
                .where(issuer.c.name == name, issuer.c.state.in_(before))
                .values(state=after)
            )
            if tx.execute(statement).rowcount != 1:
                raise Conflict(f"issuer {name}", f"not one that can be {after} now")
            self._tell(tx, f"issuer.{after}", name, {}, now)

    def _tell(
        self,
        tx: Connection,
        what: str,
        name: IssuerName,
        details: Mapping[str, Detail],
        now: datetime,
    ) -> None:
        append(tx, Event(what, self._actor, name, dict(details)), now)


def _wait_for_orders(tx: Connection, name: IssuerName) -> None:
    """Let every intent for the issuer be committed first; SQLite has one writer anyway."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(issuer.c.name).where(issuer.c.name == name).with_for_update())


def _policy_columns(policy: IssuerPolicy) -> dict[str, str | int | None]:
    validity, margin = policy.crl_validity, policy.crl_renew_margin
    return {
        "profiles": json.dumps(policy.profiles),
        "crl_validity_seconds": None if validity is None else int(validity.total_seconds()),
        "crl_margin_seconds": None if margin is None else int(margin.total_seconds()),
        "crl_shards": policy.crl_shards,
        "crl_deltas": int(policy.crl_deltas),
        "crl_keep_expired_seconds": int(policy.crl_keep_expired.total_seconds()),
        "ocsp_validity_seconds": None
        if policy.ocsp_validity is None
        else int(policy.ocsp_validity.total_seconds()),
    }


def _seconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


@functools.lru_cache(maxsize=256)
def _record(row: Row[*tuple[Any, ...]], rows: tuple[Row[*tuple[Any, ...]], ...]) -> IssuerRecord:
    """The record of a row and of those of its certificates."""
    certificates = tuple(map(_certificate, rows))
    for each in rows:
        if _read(each.der)[1] != row.spki_sha256:
            raise RuleBroken("PKI24", f"a certificate of issuer {row.name} holds another key")
    own = [each for each in certificates if each.kind is CertificateKind.OWN]
    return IssuerRecord(
        IssuerName(row.name),
        None if row.parent is None else IssuerName(row.parent),
        row.token,
        row.key_label,
        x509.Name.from_bytes(row.subject),
        row.base_url,
        own[-1].certificate if own else None,
        generation=row.generation,
        profile=row.profile,
        spki_sha256=row.spki_sha256,
        state=IssuerState(row.state),
        policy=IssuerPolicy(
            tuple(json.loads(row.profiles)),
            _seconds(row.crl_validity_seconds),
            _seconds(row.crl_margin_seconds),
            row.crl_shards,
            bool(row.crl_deltas),
            timedelta(seconds=row.crl_keep_expired_seconds),
            _seconds(row.ocsp_validity_seconds),
        ),
        certificates=certificates,
        key_destroyed_at=row.key_destroyed_at,
    )


def _certificate(row: Row[*tuple[Any, ...]]) -> IssuerCertificate:
    return IssuerCertificate(
        CertificateKind(row.kind),
        _read(row.der)[0],
        None if row.signer is None else IssuerName(row.signer),
        tuple(x509.load_pem_x509_certificates(row.chain)) if row.chain else (),
    )


@functools.lru_cache(maxsize=256)
def _read(der: bytes) -> tuple[x509.Certificate, str]:
    """A certificate, and the SHA-256 of its SubjectPublicKeyInfo in hexadecimal."""
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate, hashlib.sha256(octets).hexdigest()
