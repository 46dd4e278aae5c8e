"""A statement sent straight to the database, past the program: what an impatient operator tries."""

import sqlite3
import subprocess
from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

from demo.errors import DemoError
from server.settings import Settings


def refusal(settings: Settings, statement: str) -> str:
    """What the database answers to a statement that it has to refuse.

    Raises:
        DemoError: it did not refuse.
    """
    url = settings.database.url.reveal()
    if url.startswith("sqlite"):
        return _sqlite(url.partition(":///")[2], statement)
    return _postgresql(url, statement)


def _sqlite(path: str, statement: str) -> str:
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        try:
            with connection:
                connection.execute(statement)
        except sqlite3.IntegrityError as error:
            return str(error)
    raise DemoError("the database let a direct delete through")


def _postgresql(url: str, statement: str) -> str:
    plain = urlunsplit(urlsplit(url)._replace(scheme="postgresql"))
    done = subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", "--file", "-"],
        input=statement,
        env={"PGSERVICEFILE": "/dev/null", **_connection(plain)},
        capture_output=True,
        text=True,
        check=False,
    )
    for told in done.stderr.splitlines():
        if "ERROR:" in told:
            return told.partition("ERROR:")[2].strip()
    raise DemoError("the database let a direct delete through")


def _connection(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    return {
        "PATH": "/usr/bin:/bin",
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.path.lstrip("/"),
    }
