"""`tillid job`: the background jobs, by hand."""

import click

from commands.installation import installation
from commands.output import Result, Table, verb


@click.group
def group() -> None:
    """Background jobs: list them, run them now."""


@verb(group, example="tillid job list")
def _list() -> Result:
    """List the jobs and what each looks after."""
    from server.jobs import JOBS

    rows = tuple((name, (job.__doc__ or "").partition("\n")[0]) for name, job in JOBS.items())
    return Result(
        {"jobs": [{"name": name, "does": does} for name, does in rows]},
        table=Table(("Job", "What it does"), rows),
    )


@verb(group, example="tillid job run renew-crls")
@click.argument("names", nargs=-1)
@click.option("--again", is_flag=True, help="Also what is done once a night, and was done tonight.")
def run(names: tuple[str, ...], again: bool) -> Result:  # noqa: FBT001 - click's way
    """Run jobs now, all when none is named, whether or not the service runs."""
    from server.jobs import JOBS
    from server.service import jobs_by_hand

    unknown = [name for name in names if name not in JOBS]
    if unknown:
        raise click.UsageError(f"There is no job {unknown[0]}; there are: {', '.join(JOBS)}.")
    with installation() as parts:
        done = jobs_by_hand(parts, names, again=again)
    return Result(
        {"done": done},
        table=Table(("Job", "Done"), tuple((name, str(count)) for name, count in done.items())),
    )
