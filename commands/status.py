"""`tillid status`: what relying parties are told, how fresh it is, and the alarms."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.installation import installation
from commands.output import Result, Table, lone_verb

if TYPE_CHECKING:
    from server.status_overview import Overview


@lone_verb(example="tillid status --hours 24")
@click.option(
    "--hours",
    type=click.IntRange(1, 8784),
    default=24,
    show_default=True,
    help="How far back the seconds to visible are counted.",
)
def group(hours: int) -> Result:
    """Issuers, CRLs, OCSP answers, changes not yet seen, seconds to visible, and alarms.

    Exits 9 while an alarm is on.
    """
    from server.clock import utc_now
    from server.status_overview import overview

    with installation() as parts:
        found = overview(parts, utc_now(), timedelta(hours=hours))
    return Result(
        found.facts(),
        tuple(_sentences(found, hours)),
        Table(
            ("Issuer", "State", "CRL", "Age", "nextUpdate", "OCSP answers", "Waiting"),
            tuple(row.cells() for row in found.issuers),
        ),
        ExitCode.CHECK_SAYS_NO if found.alarms else ExitCode.DONE,
    )


def _sentences(found: "Overview", hours: int) -> list[str]:
    said = [
        f"ALARM {alarm.name} {alarm.subject}, since {alarm.since:%F %T}: {alarm.sentence}"
        f" {alarm.way_out}"
        for alarm in found.alarms
    ] or ["No alarm is on."]
    for channel, taken in found.latencies.items():
        if taken is None:
            said.append(f"{channel}: no change was seen in {hours} hours.")
            continue
        figures = (taken.median, taken.p99, taken.worst)
        p50, p99, worst = (f"{each.total_seconds():.1f}" for each in figures)
        said.append(
            f"{channel}: {taken.changes} changes seen in {hours} hours,"
            f" p50 {p50} s, p99 {p99} s, worst {worst} s."
        )
    return said
