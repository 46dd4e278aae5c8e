"""`tillid serve`: the service, in the foreground."""

import signal
import sys
from threading import Event

import click

from commands.installation import settings


@click.command(epilog="Example: tillid serve")
def group() -> None:
    """Run the service until SIGTERM or Ctrl-C; says `ready` when both listeners answer."""
    from server.service import serve

    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(settings(), stop.is_set, lambda: click.echo("ready", file=sys.stderr))
