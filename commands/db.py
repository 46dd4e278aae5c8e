"""`tillid db`: the schema of the database and its guards."""

from contextlib import closing

import click

from commands.installation import settings
from commands.output import Result, verb


@click.group
def group() -> None:
    """The database: migrate and check it, and the roles of PostgreSQL."""


@verb(group, example="tillid db migrate")
def migrate() -> Result:
    """Bring the database to this version's tables, guards and rights; safe to run again.

    On PostgreSQL with roles (`tillid db roles`) it signs in by database.owner_url.
    """
    from records.database import Database
    from records.schema import CURRENT
    from records.schema import migrate as apply
    from server.state import make_state_directory

    loaded = settings()
    make_state_directory(loaded.state)
    with closing(Database(loaded.database.owner.reveal())) as database:
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


@verb(group, example="tillid db roles | psql -d tillid  # as an administrator of PostgreSQL")
def roles() -> Result:
    """Print the SQL that makes the roles of a PostgreSQL database; nothing is run.

    It names the logins of database.url and database.owner_url. Without the second, whom
    database.url names stays the owner, and tillid_service is made for the service.
    """
    from records.roles import setting_up

    database = settings().database
    if not database.url.is_postgresql:
        raise click.UsageError(
            "database.url is SQLite, which has no roles. Name a PostgreSQL in database.url.",
            click.get_current_context(),
        )
    login = database.url.user if database.owner_url else "tillid_service"
    owner = database.owner.user
    if not owner or not login:
        raise click.UsageError(
            "An address of the database names no role. Write postgresql+psycopg://USER@HOST/NAME.",
            click.get_current_context(),
        )
    statements = setting_up(database.url.database, owner, login)
    return Result({"owner": owner, "login": login, "statements": list(statements)}, statements)
