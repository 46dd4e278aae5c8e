"""`tillid doctor`: what is known to break, looked at in one go."""

from dataclasses import asdict

import click

from commands.exit_codes import ExitCode
from commands.installation import settings
from commands.output import Result, Table, lone_verb


@lone_verb(example="tillid doctor --fix")
@click.option("--fix", is_flag=True, help="Put a token.object that is lost or torn back.")
def group(fix: bool) -> Result:  # noqa: FBT001 - click's way
    """Look at the token's files, locks, database, CRLs, clock and certificates.

    Exits 9 when something needs a hand.
    """
    from server.clock import utc_now
    from server.doctor import examine

    findings = list(examine(settings(), utc_now(), fix=fix))
    wrong = [finding for finding in findings if not finding.ok]
    rows = tuple(
        (f.check, "ok" if f.ok else "NO", f"{f.sentence} {f.way_out}".rstrip()) for f in findings
    )
    said = f"{len(wrong)} of {len(findings)} checks say no." if wrong else "All is well."
    return Result(
        {"healthy": not wrong, "findings": [asdict(finding) for finding in findings]},
        (said,),
        Table(("Check", "", "What was seen"), rows),
        ExitCode.CHECK_SAYS_NO if wrong else ExitCode.DONE,
    )
