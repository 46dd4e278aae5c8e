"""`tillid static-files`: what relying parties fetch, as files for a web server."""

import signal
from pathlib import Path
from threading import Event

import click

from commands.files import OutFolder, writing
from commands.installation import installation, settings
from commands.output import Result, verb


@click.group
def group() -> None:
    """Files for a web server: CRLs, CA certificates and OCSP answers; nginx's configuration."""


@verb(group, example="tillid static-files publish /srv/status --follow")
@click.argument("folder", type=OutFolder())
@click.option("--follow", is_flag=True, help="Stay, and write what changes, until SIGTERM.")
def publish(folder: Path, follow: bool) -> Result:  # noqa: FBT001 - click's way
    """Write into a folder what is missing there, and remove what is no longer so.

    May be interrupted and run again at any time. It needs the database, to read, and no token.
    """
    from records.errors import RecordsError
    from revocation.errors import PublicationFailed
    from server.clock import utc_now
    from server.static_files import StaticFiles

    stop = Event()
    if follow:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    with installation() as parts:
        files = StaticFiles(parts, folder.absolute())
        with writing(folder):
            done, trouble = files.publish(utc_now()), ""
        while follow and not stop.wait(parts.settings.jobs.tick_seconds):
            # What is away comes back; meanwhile what has ended must still be taken away.
            try:
                done += files.publish(utc_now())
                met = ""
            except (RecordsError, PublicationFailed, OSError) as error:
                met = type(error).__name__
            if met != trouble:
                click.echo(f"{met or 'all is there again'}: {folder}", err=True)
            trouble = met
    return Result({"files": done}, (f"{done} files were written or removed.",))


@verb(
    group, example="tillid static-files nginx /srv/status --listen 80 --origin http://10.0.0.5:8080"
)
@click.argument("folder", type=OutFolder())
@click.option("--listen", default="127.0.0.1:8081", show_default=True, help="As nginx takes it.")
@click.option("--origin", default="", help="A public node, for what no file answers.")
def nginx(folder: Path, listen: str, origin: str) -> Result:
    """Print the configuration of an nginx that serves the folder."""
    from server.nginx import nginx_configuration

    minutes = settings().ocsp.validity_minutes
    text = nginx_configuration(folder.absolute(), listen, minutes, origin)
    return Result({"configuration": text}, tuple(text.splitlines()))
