"""`tillid demo`: the whole story, or a tour of one subject, on real parts."""

import click

from server.problems import Problem, ProblemRaised


@click.command(epilog="Example: tillid demo --once")
@click.option("--once", is_flag=True, help="End after the story instead of staying.")
@click.option("--tour", metavar="NAME", default="", help="Play a tour instead: erasure, ra.")
def group(once: bool, tour: str) -> None:  # noqa: FBT001 - click's way
    """Play one credential's whole life: proved, issued, published, checked, revoked, erased.

    Uses real SoftHSM tokens and a private slapd in the state directory. A second run goes on where
    the first one stopped; a tour begins anew, in a folder of its own. The registers it asks are
    test equipment and know nobody real.
    """
    from demo.errors import DemoError
    from demo.story import play
    from demo.tours import NAMES, TOURS

    if tour not in TOURS:
        raise click.UsageError(f"There is no tour {tour!r}: name one of {', '.join(NAMES)}.")
    try:
        play(once=once, tour=tour)
    except DemoError as error:
        raise ProblemRaised(_stopped(error)) from None


def _stopped(error: Exception) -> Problem:
    return Problem(
        type="demo-stopped",
        title="The story stopped",
        status=503,
        detail=str(error),
        way_out="Mend what it names and run it again: it goes on from there.",
    )
