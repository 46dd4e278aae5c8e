"""Attacks with the rights of each role of PostgreSQL, and what the roles are still able to do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache

import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, create_engine, delete, insert, update
from sqlalchemy.exc import IntegrityError, ProgrammingError

from records.database import Database
from records.errors import DatabaseUnavailable, RuleBroken
from records.guards import GUARDS, triggers
from records.roles import APPLICATION, ERASER, ROLES, VERIFIER, erasing, excess, rights
from records.schema import check_schema, digest_in_force, migrate
from records.tables import certificate, lease, metadata, subject
from server.clock import utc_now
from tests.support.databases import Databases
from tests.support.postgres import AUDITOR, SERVICE, PrivatePostgres
from tests.support.stores import Stores, place_of, server_order

SignedIn = Callable[[str], Connection]
# What no role may do, whatever the rows are.
BY_NOBODY = (
    "DROP TABLE certificate",
    "DROP TRIGGER guard_000_pki01 ON certificate",
    "DROP FUNCTION guard_000_pki01() CASCADE",
    "ALTER TABLE certificate DISABLE TRIGGER guard_000_pki01",
    "ALTER TABLE certificate DISABLE TRIGGER ALL",
    "ALTER TABLE certificate ENABLE TRIGGER guard_000_pki01",
    "ALTER TABLE audit_event ADD COLUMN helpful INTEGER",
    "ALTER TABLE certificate OWNER TO CURRENT_USER",
    "ALTER FUNCTION guard_000_pki01() RESET search_path",
    "ALTER FUNCTION effect_residue() SECURITY INVOKER",
    (
        "CREATE OR REPLACE FUNCTION guard_000_pki01() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN OLD; END'"
    ),
    "CREATE FUNCTION public.length(bytea) RETURNS integer LANGUAGE sql AS 'SELECT 0'",
    "CREATE TABLE public.helpful (id INTEGER)",
    "CREATE SCHEMA helpful",
    "CREATE TEMPORARY TABLE status_observation (issuer TEXT)",
    "CREATE TRIGGER helpful BEFORE DELETE ON lease FOR EACH ROW EXECUTE FUNCTION effect_residue()",
    "CREATE RULE helpful AS ON DELETE TO lease DO INSTEAD NOTHING",
    "CREATE ROLE helpful SUPERUSER",
    "SET session_replication_role = replica",
    "SET ROLE tillid",
    "COPY certificate TO PROGRAM 'true'",
    "TRUNCATE audit_head",
    "UPDATE alembic_version SET version_num = '0000'",
    "DELETE FROM alembic_version",
)
BY_THE_APPLICATION = (
    "DELETE FROM certificate",
    "DELETE FROM subject",
    "DELETE FROM data_key",
    "DELETE FROM audit_payload",
    "DELETE FROM revocation_residue",
    "DELETE FROM retention_order",
    "UPDATE audit_event SET header = ''",
    "UPDATE crl SET number = 1",
    "UPDATE status_observation SET observed_at = 0",
    "UPDATE revocation_residue SET reason = 1",
    "UPDATE erasure_approval SET person_id = 'x'",
    "INSERT INTO status_change (issuer, version, serial, at, shard) VALUES ('x', 1, '01', 0, 0)",
)
BY_THE_ERASER = (
    "INSERT INTO certificate (issuer, serial) VALUES ('issuing', '01')",
    "UPDATE certificate SET status = 'revoked'",
    "UPDATE subject SET state = 'erasing'",
    "UPDATE erasure SET state = 'approved'",
    "INSERT INTO erasure_approval (case_id) VALUES ('x')",
    "INSERT INTO status_observation (issuer) VALUES ('issuing')",
    "INSERT INTO audit_event (sequence) VALUES (0)",
    "INSERT INTO doomed_key (key_ref, doomed_at) VALUES ('x', 0)",
    "INSERT INTO revocation_residue (issuer) VALUES ('issuing')",
    "UPDATE issuer SET status_version = 0",
    "DELETE FROM crl_piece",
)
ATTACKS = [
    *((role, statement) for role in ROLES for statement in BY_NOBODY),
    *((APPLICATION, statement) for statement in BY_THE_APPLICATION),
    *((ERASER, statement) for statement in BY_THE_ERASER),
]


@pytest.fixture(scope="module")
def place(postgres: PrivatePostgres, databases: Databases) -> Iterator[str]:
    """The name of a database that an administrator set up by the printed SQL."""
    with databases.migrated("postgresql") as owned:
        name = str(owned.engine.url.database)
        postgres.set_up_roles(name)
        yield name


@pytest.fixture(scope="module")
def signed_in(postgres: PrivatePostgres, place: str) -> Iterator[SignedIn]:
    """A connection of a login that is a member of a role, each statement by itself."""
    with ExitStack() as stack:

        @cache
        def of_role(role: str) -> Connection:
            login = AUDITOR if role == VERIFIER else SERVICE
            engine = create_engine(postgres.url(place, login), isolation_level="AUTOCOMMIT")
            stack.callback(engine.dispose)
            connection = stack.enter_context(engine.connect())
            if role == ERASER:
                connection.exec_driver_sql(f"SET ROLE {role}")
            return connection

        yield of_role


def denied(connection: Connection, statement: str) -> None:
    with pytest.raises(ProgrammingError) as refusal:
        connection.exec_driver_sql(statement)
    assert isinstance(refusal.value.orig, InsufficientPrivilege), statement


@pytest.mark.parametrize(("role", "statement"), ATTACKS)
def test_a_role_has_no_right_to(role: str, statement: str, signed_in: SignedIn) -> None:
    denied(signed_in(role), statement)


def test_a_verifier_reads_every_table_and_writes_none(signed_in: SignedIn) -> None:
    verifier = signed_in(VERIFIER)
    for table in metadata.tables:
        verifier.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608 - our own
        column = next(iter(metadata.tables[table].columns)).name
        denied(verifier, f"INSERT INTO {table} DEFAULT VALUES")
        denied(verifier, f"UPDATE {table} SET {column} = {column}")  # noqa: S608
        denied(verifier, f"DELETE FROM {table}")  # noqa: S608
    denied(verifier, "SELECT * FROM tillid_index.entry")
    denied(verifier, f"SET ROLE {ERASER}")


def test_no_function_that_writes_as_the_owner_can_be_put_on_another_table(
    signed_in: SignedIn, postgres: PrivatePostgres, place: str
) -> None:
    use = "CREATE TRIGGER forged AFTER DELETE ON forged FOR EACH ROW EXECUTE FUNCTION "
    application = signed_in(APPLICATION)
    postgres.administer(f"GRANT TEMPORARY ON DATABASE {place} TO {SERVICE}")
    try:
        application.exec_driver_sql("CREATE TEMPORARY TABLE forged (LIKE revocation_residue)")
        for effect in (each for each in triggers("postgresql") if "effect_" in each.name):
            assert "SECURITY DEFINER SET search_path" in effect.create[0]
            denied(application, f"{use}{effect.name}()")
    finally:
        postgres.administer(f"REVOKE TEMPORARY ON DATABASE {place} FROM {SERVICE}")


def test_guards_refuse_an_eraser_as_everybody(
    signed_in: SignedIn, postgres: PrivatePostgres, place: str
) -> None:
    with closing(Database(postgres.url(place))) as owned:
        serial = place_of(Stores(owned).issue(server_order(), utc_now()))[1].hex

    with pytest.raises(IntegrityError, match="PKI01"):
        signed_in(ERASER).exec_driver_sql(f"DELETE FROM certificate WHERE serial = '{serial}'")  # noqa: S608
    with pytest.raises(IntegrityError, match="AUD02"):
        signed_in(ERASER).exec_driver_sql("UPDATE audit_event SET header = ''")


def test_a_transaction_erases_with_the_rights_of_the_eraser_and_then_goes_on(
    postgres: PrivatePostgres, place: str
) -> None:
    with closing(Database(postgres.url(place, SERVICE))) as service:
        with service.write() as tx:
            with erasing(tx):
                tx.execute(delete(subject))
            tx.execute(insert(lease).values(name="x", holder="y", until_at=utc_now()))
        for statement in (delete(subject), delete(certificate)):
            with pytest.raises(RuleBroken) as refusal, service.write() as tx:
                tx.execute(statement)
            assert refusal.value.code == "ROL01"
        with pytest.raises(RuleBroken), service.write() as tx, erasing(tx):
            tx.execute(insert(lease).values(name="z", holder="y", until_at=utc_now()))
        with service.write() as tx:
            tx.execute(update(lease).values(holder="z"))


def test_the_service_sees_the_schema_whole_and_has_nothing_in_excess(
    postgres: PrivatePostgres, place: str
) -> None:
    with closing(Database(postgres.url(place, SERVICE))) as service:
        check_schema(service)
        assert excess(service) == ()
        with pytest.raises(RuleBroken, match="ROL01"):
            migrate(service)
    with closing(Database(postgres.url(place, AUDITOR))) as auditor:
        check_schema(auditor)
        assert excess(auditor, VERIFIER) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"ALTER ROLE {SERVICE} CREATEROLE", "may create roles"),
        (f"GRANT tillid_owner TO {SERVICE}", "owns the tables"),
        (f"GRANT pg_write_all_data TO {SERVICE}", "is a member of pg_write_all_data"),
        (f"GRANT DELETE ON crl TO {SERVICE}", "has DELETE"),
        (f"GRANT UPDATE (number) ON crl TO {SERVICE}", "has UPDATE"),
        (f"GRANT TRIGGER ON lease TO {APPLICATION}", "has TRIGGER"),
        (f"GRANT CREATE ON SCHEMA public TO {APPLICATION}", "may create in the schema public"),
    ],
)
def test_what_is_in_excess_is_named(
    change: str, said: str, postgres: PrivatePostgres, databases: Databases
) -> None:
    with databases.migrated("postgresql") as owned:
        name = str(owned.engine.url.database)
        postgres.set_up_roles(name)
        undo = change.replace("GRANT", "REVOKE").replace(" TO ", " FROM ")
        undo = undo.replace(" CREATEROLE", " NOCREATEROLE")
        with owned.write() as tx:
            tx.exec_driver_sql("ALTER TABLE lease OWNER TO tillid_owner")
            tx.exec_driver_sql(change)
        try:
            with closing(Database(postgres.url(name, SERVICE))) as service:
                assert any(said in each for each in excess(service))
        finally:
            with owned.write() as tx:
                tx.exec_driver_sql(undo)


def test_an_owner_alone_works_on_and_is_told_of(database: Database) -> None:
    with database.write() as tx, erasing(tx):
        tx.execute(delete(subject))

    powers = excess(database)
    assert powers == () if database.dialect == "sqlite" else "is superuser" in powers


def test_a_guard_keeps_whose_rights_it_has(databases: Databases) -> None:
    with databases.migrated("postgresql") as owned:
        before = digest_in_force(owned)
        with owned.write() as tx:
            tx.exec_driver_sql("ALTER FUNCTION effect_residue() SECURITY INVOKER")
        assert digest_in_force(owned) != before
        with pytest.raises(DatabaseUnavailable, match="effect_residue"):
            check_schema(owned)
        migrate(owned)
        check_schema(owned)


def test_rights_name_tables_that_there_are_and_no_role_can_undo_what_stays() -> None:
    known = {*metadata.tables, "alembic_version"}
    never = {(guard.table, guard.event) for guard in GUARDS if guard.when == "1 = 1"}
    for role in ROLES:
        assert rights(role).keys() == known
        deletes = {table for table, held in rights(role).items() if "DELETE" in held}
        assert not deletes & {table for table, event in never if event == "DELETE"}
    either = [{table for table, held in rights(role).items() if "DELETE" in held} for role in ROLES]
    assert not either[0] & either[2]
