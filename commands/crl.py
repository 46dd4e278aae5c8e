"""`tillid crl`: the revocation lists."""

import click

from commands.ca_change import at_hand, with_online
from commands.installation import installation
from commands.output import Result, Table, verb


@click.group
def group() -> None:
    """Certificate revocation lists: issue and show."""


@verb(group, example="tillid crl issue --online")
@with_online
def issue(online: bool) -> Result:  # noqa: FBT001 - click's way
    """Issue and publish every CRL that is due now; those of roots only with --online."""
    from server.authorities import renew_root_crls
    from server.clock import utc_now
    from server.service import jobs_by_hand

    with at_hand(online) as parts:
        done = len(list(renew_root_crls(parts, utc_now())))
        done += sum(jobs_by_hand(parts, ("renew-crls", "publish-crls")).values())
    said = f"{done} CRLs were due and are published." if done else "No CRL is due."
    return Result({"issued": done}, (said,))


@verb(group, example="tillid crl show")
def show() -> Result:
    """Show the latest CRL of every issuer."""
    with installation() as parts:
        found = [(record.name, parts.crls.latest(record.name)) for record in parts.issuers.all()]
    facts = [
        {
            "issuer": name,
            "number": crl.number,
            "this_update": crl.this_update.isoformat(),
            "next_update": crl.next_update.isoformat(),
            "sha256": crl.sha256.hex(),
        }
        for name, crl in found
        if crl is not None
    ]
    rows = tuple(tuple(map(str, fact.values())) for fact in facts)
    head = ("Issuer", "Number", "thisUpdate", "nextUpdate", "SHA-256")
    return Result({"crls": facts}, table=Table(head, rows))
