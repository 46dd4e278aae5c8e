"""Where ceremonies are held: the parts of an installation, as `ceremony` asks for them.

And the plan of the shortest one, with no script and no people: a root on P-384 and an issuing CA
on P-256, each in its token.
"""

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from audit.events import Event, parse_header
from ca.hierarchy import CeremonyStep, PlannedIssuer, run_ceremony
from ca.identifiers import IssuerName
from ca.names import SubjectName
from ca.profiles import load_profile
from ceremony.site import Site
from hsm.key_kinds import KeyKind
from hsm.labels import AUDIT_KEY
from records.audit_log import append, audit_log
from records.database import Database
from server.assembly import Assembly
from server.authorities import make_seen, renew_root_crls
from server.clock import utc_now

ROOT = IssuerName("root")
ISSUING = IssuerName("issuing")

_SOFTWARE = (
    "tillid",
    "cryptography",
    "python-pkcs11",
    "reportlab",
    "shamir-mnemonic",
    "sqlalchemy",
)


@dataclass(frozen=True, slots=True)
class DatabaseLog:
    """The audit log of a database; implements `ceremony.site.AuditLog`."""

    database: Database

    def holds(self, event: Event) -> bool:
        """Whether an event of this type, object and details is in the log."""
        with audit_log(self.database) as log:
            return any(
                parse_header(entry.header).event == event
                for entry in log.entries(0)
                if event.type.encode() in entry.header
            )

    def append(self, event: Event, now: datetime) -> None:
        """Add an event, in a transaction of its own."""
        with self.database.write() as tx:
            append(tx, event, now)


def ceremonies(state: Path) -> Path:
    """Where the ceremonies of an installation are kept, a folder each."""
    return state / "ceremonies"


def site_of(parts: Assembly) -> Site:
    """The installation, as a ceremony sees it."""
    return Site(
        folder=ceremonies(parts.settings.state),
        base_url=parts.settings.public.url,
        tokens=parts.tokens,
        issuers=parts.issuers,
        certificates=parts.certificates,
        crls=parts.crls,
        log=DatabaseLog(parts.database),
        audit_key=lambda: audit_key(parts),
        crl_policy=parts.crl_policy,
        software=software,
        clock=utc_now,
    )


def software() -> dict[str, str]:
    """What a ceremony runs on: names and versions."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def audit_key(parts: Assembly) -> ec.EllipticCurvePrivateKey:
    """The key of the log's heads, receipts, transcripts and packages; made if it is not there."""
    parts.tokens.create_missing(parts.settings.hsm.service_token)
    return parts.tokens.service_key(AUDIT_KEY)


def plan_ceremony(parts: Assembly, organisation: str, country: str) -> tuple[PlannedIssuer, ...]:
    """Two issuers under the organisation's name; Refused for a name that no certificate takes."""
    hsm = parts.settings.hsm

    def subject(common_name: str) -> SubjectName:
        return SubjectName.of([("C", country), ("O", organisation), ("CN", common_name)])

    return (
        PlannedIssuer(
            ROOT,
            ROOT,
            load_profile("root"),
            subject(f"{organisation} Root CA"),
            hsm.root_token,
            "root-ca",
            KeyKind.EC_P384,
        ),
        PlannedIssuer(
            ISSUING,
            ROOT,
            load_profile("issuing"),
            subject(f"{organisation} Issuing CA"),
            hsm.issuing_token,
            "issuing-ca",
            KeyKind.EC_P256,
        ),
    )


def hold_ceremony(
    parts: Assembly, organisation: str, country: str, now: datetime
) -> Iterator[CeremonyStep]:
    """Make the tokens and issuers that are not there yet, and tell each step."""
    plan = plan_ceremony(parts, organisation, country)
    for label in parts.tokens.create_missing():
        yield CeremonyStep(ROOT, f"token {label} made")
    url = parts.settings.public.url
    stores = (parts.issuers, parts.certificates)
    with parts.tokens.online(*{planned.token for planned in plan}):
        yield from run_ceremony(plan, url, stores, parts.tokens, now)
        yield from renew_root_crls(parts, now)


def let_be_seen(parts: Assembly, names: Iterable[str], now: datetime) -> Iterator[CeremonyStep]:
    """The first CRL and OCSP signer of issuers that a ceremony made; tell each step.

    The CRL of a root is made while its token is online. What lies in a token that custodians hold
    waits for whoever opens it.
    """
    for name in names:
        record = parts.issuers.get(name)
        if not record.is_root and parts.tokens.custody(record.token) is None:
            with parts.tokens.online(record.token):
                yield from make_seen(parts, record.name, now)
