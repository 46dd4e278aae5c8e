"""The plan of the first ceremony: a root on P-384 and an issuing CA on P-256, each in its token."""

from collections.abc import Iterator
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from ca.hierarchy import CeremonyStep, PlannedIssuer, run_ceremony
from ca.identifiers import IssuerName
from ca.names import SubjectName
from ca.profiles import load_profile
from server.assembly import Assembly
from server.authorities import renew_root_crls

ROOT = IssuerName("root")
ISSUING = IssuerName("issuing")


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
            ec.SECP384R1(),
        ),
        PlannedIssuer(
            ISSUING,
            ROOT,
            load_profile("issuing"),
            subject(f"{organisation} Issuing CA"),
            hsm.issuing_token,
            "issuing-ca",
            ec.SECP256R1(),
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
