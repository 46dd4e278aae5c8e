"""`tillid db`: the schema of the database and its guards."""

from contextlib import closing

import click

from commands.installation import settings
from commands.output import Result, verb


@click.group
def group() -> None:
    """The database: migrate and check it."""


@verb(group, example="tillid db migrate")
def migrate() -> Result:
    """Bring the database to this version's tables and guards; safe to run again."""
    from records.database import Database
    from records.schema import CURRENT
    from records.schema import migrate as apply
    from server.state import make_state_directory

    loaded = settings()
    make_state_directory(loaded.state)
    with closing(Database(loaded.database.url.reveal())) as database:
        database.check_durable()
        apply(database)
    return Result({"schema": CURRENT}, (f"The database has schema {CURRENT} with all its guards.",))


@verb(group, example="tillid db check")
def check() -> Result:
    """See whether tables and guards are those of this version, and commits are durable."""
    from records.database import Database
    from records.schema import CURRENT, check_schema

    with closing(Database(settings().database.url.reveal())) as database:
        database.check_durable()
        check_schema(database)
    return Result({"schema": CURRENT}, (f"Schema {CURRENT}, all guards in place.",))
