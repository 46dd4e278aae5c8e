"""`tillid ceremony`: making the certificate authorities."""

import click

from commands.installation import installation
from commands.output import Result, Table, verb


@click.group
def group() -> None:
    """Make the root and the issuing certificate authority."""


@verb(group, example="tillid ceremony run --organisation 'Example CA' --country DK")
@click.option("--organisation", required=True, help="Name of the organisation, as certified.")
@click.option("--country", default="DK", show_default=True, help="ISO 3166 code.")
def run(organisation: str, country: str) -> Result:
    """Make tokens, keys and certificates that are not there yet; safe to run again."""
    from server.ceremony import hold_ceremony
    from server.clock import utc_now

    with installation() as parts:
        steps = list(hold_ceremony(parts, organisation, country, utc_now()))
    return Result(
        {
            "steps": [
                {"issuer": s.issuer, "done": s.done, "fingerprint": s.fingerprint} for s in steps
            ]
        },
        ("Compare the SHA-256 fingerprints with what relying parties were given.",),
        Table(
            ("Issuer", "Done", "Fingerprint"),
            tuple((s.issuer, s.done, s.fingerprint) for s in steps),
        ),
    )
