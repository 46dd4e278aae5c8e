"""`tillid cert revoke|hold|release`: the status of one certificate."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.installation import OPERATOR, installation
from commands.output import Result, verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from records.certificate_rows import CertificateRecord
    from server.assembly import Assembly
    from server.revocations import Place

REASONS = (
    "keyCompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
)
CAUSES = (
    "key-lost",
    "compromise-suspected",
    "key-compromised",
    "association-ended",
    "content-changed",
    "content-wrong",
    "replaced",
    "not-needed",
    "agreement-ended",
    "company-ceased",
    "death",
    "erasure",
    "terms-breached",
)
HOLD_CAUSES = ("key-lost", "compromise-suspected", "not-needed")
TIME = click.DateTime(["%Y-%m-%dT%H:%M:%SZ"])
identity_option = click.option(
    "--identity",
    type=click.Path(path_type=Path),
    help="Act as this officer through the staff API; without it, as the system operator here.",
)


@click.group
def group() -> None:
    """The status of one certificate."""


@verb(group, example="tillid cert revoke web.pem --cause key-lost")
@click.argument("certificate")
@click.option("--cause", type=click.Choice(CAUSES), help="Why; kept here and not published.")
@click.option(
    "--reason",
    type=click.Choice(REASONS),
    help="Instead of a cause: what is published (RFC 5280 5.3.1), which follows from the cause.",
)
@click.option(
    "--invalid-since",
    type=TIME,
    help="Since when others may have had the key (UTC); published as invalidityDate.",
)
@click.option("--yes", is_flag=True, help="Do not ask; a revocation is final.")
@identity_option
def revoke(
    certificate: str,
    yes: bool,  # noqa: FBT001 - click's way
    identity: Path | None,
    **why: object,
) -> Result:
    """Revoke a certificate, for good: ISSUER/SERIAL, or a file."""
    from server.revocations import grounds_of, revoke_certificate

    if (why["cause"] is None) is (why["reason"] is None):
        raise click.UsageError("Give either --cause or --reason.")
    body = {name: word(value) for name, value in why.items() if value is not None}
    grounds = grounds_of(body.get("cause"), body.get("reason"), body.get("invalid_since"))
    change = _Change("revocation", f"is revoked ({grounds.cause.reason.label})", identity)
    return change.of(
        certificate,
        lambda parts, place: revoke_certificate(parts, place, grounds, OPERATOR, _now()),
        body,
        question=None if yes else "Revoke {0} for good?",
    )


@verb(group, example="tillid cert hold issuing/01ab… --cause key-lost")
@click.argument("certificate")
@click.option("--cause", required=True, type=click.Choice(HOLD_CAUSES), help="Why.")
@identity_option
def hold(certificate: str, cause: str, identity: Path | None) -> Result:
    """Put a certificate on hold: ISSUER/SERIAL, or a file."""
    from revocation.causes import Cause
    from server.revocations import hold_certificate

    return _Change("hold", "is on hold", identity).of(
        certificate,
        lambda parts, place: hold_certificate(parts, place, Cause(cause), OPERATOR, _now()),
        {"cause": cause},
    )


@verb(group, example="tillid cert release issuing/01ab… --identity me.pem")
@click.argument("certificate")
@identity_option
def release(certificate: str, identity: Path | None) -> Result:
    """Lift a hold that somebody else put on: ISSUER/SERIAL, or a file."""
    return _Change("release", "is good again", identity).of(
        certificate,
        lambda parts, place: parts.statuses.release(*place, OPERATOR, _now()),
        {},
    )


class _Change:
    """One change of status, made here or through the staff API."""

    def __init__(self, operation: str, said: str, identity: Path | None) -> None:
        self.operation = operation
        self.said = said
        self.identity = identity

    def of(
        self,
        certificate: str,
        act: "Callable[[Assembly, Place], CertificateRecord]",
        body: dict[str, str],
        question: str | None = None,
    ) -> Result:
        """Ask, if there is a question; change; and tell."""
        from commands.cert import facts_of, place_of
        from commands.staff_client import StaffClient

        place = place_of(certificate)
        name = f"{place[0]}/{place[1].hex}"
        if question is not None:
            click.confirm(question.format(name), abort=True, err=True)
        if self.identity is not None:
            client = StaffClient.as_officer(self.identity)
            found = client.post(f"certificates/{name}/{self.operation}", body)
        else:
            with installation() as parts:
                found = facts_of(act(parts, place))
        next_crl = "while the service runs, the next CRL is issued at once."
        return Result(found, (f"{name} {self.said}; {next_crl}",))


def word(value: object) -> str:
    """An option as the API takes it: text, or a time in UTC."""
    return value if isinstance(value, str) else f"{value:%Y-%m-%dT%H:%M:%SZ}"


def _now() -> "datetime":
    from server.clock import utc_now

    return utc_now()
