"""The three roles of a PostgreSQL database, of which none owns a table, and what each may do.

    tillid_application   what the service and its verbs do all day: no DELETE but of what passes
    tillid_verifier      reads everything, writes nothing: public nodes, auditors
    tillid_eraser        deletes, and can neither issue, revoke nor write down what was seen

The tables belong to whoever runs `tillid db migrate`, which grants these rights anew each time,
where the roles are there. A database without them is used by its owner alone, and SQLite knows
none. What the guards refuse, they refuse to every role.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection

from records.database import Database
from records.guards import GUARDS
from records.search_index import INDEX_SCHEMA, prepare_index
from records.tables import metadata

APPLICATION = "tillid_application"
VERIFIER = "tillid_verifier"
ERASER = "tillid_eraser"
ROLES = (APPLICATION, VERIFIER, ERASER)

Rights = Mapping[str, frozenset[str]]
"""By table, the names of privileges as GRANT has them."""

_VERSION = "alembic_version"
# What comes and goes with the work and says nothing of what was done.
_PASSING = frozenset(
    {
        "alarm",
        "bulk_certificate",
        "bulk_revocation",
        "crl_piece",
        "job_run",
        "ocsp_response",
        "presentation",
        "proofing_nonce",
    }
)
_BY_TRIGGER_ALONE = frozenset({"status_change"})
_ENDED_BY_ERASURE = frozenset(
    {
        "activation_code",
        "application",
        "approval",
        "association",
        "audit_payload",
        "case_approval",
        "case_delivery",
        "case_file",
        "case_part",
        "certificate",
        "consent",
        "credential",
        "data_key",
        "derivation",
        "derivation_review",
        "directory_debt",
        "disclosure",
        "doomed_key",
        "duty",
        "failed_attempt",
        "holder_notice",
        "organisation_application",
        "print_job",
        "publication",
        "renewal",
        "resolution",
        "retention_order",
        "revocation_duty",
        "revocation_residue",
        "revocation_secret",
        "subject",
    }
)
# The header of an event whose time has ended, and the seal that ends a doomed key.
_CHANGED_BY_ERASURE_ALONE = frozenset({"audit_event", "doomed_key"})
_WRITTEN_BY_ERASURE = frozenset({"directory_debt"})

_MAY_ERASE = (
    "SELECT set_config('role', rolname, true) FROM pg_roles WHERE rolname = 'tillid_eraser'"
    " AND pg_has_role(session_user, oid, 'MEMBER')"
    " AND has_table_privilege(oid, 'public.certificate', 'DELETE')"
)
_HELD = (
    "SELECT c.relname, p.name FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT',"
    " 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (name)"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND CASE"
    " WHEN p.name IN ('DELETE', 'TRUNCATE', 'TRIGGER') THEN has_table_privilege(c.oid, p.name)"
    " ELSE has_any_column_privilege(c.oid, p.name) END"
)
# What the role of a connection is or may beyond a member of one of the three.
_POWERS = (
    "SELECT 'is superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper"
    " UNION ALL SELECT 'may create roles' FROM pg_roles WHERE rolname = current_user"
    " AND rolcreaterole"
    " UNION ALL SELECT 'may replicate' FROM pg_roles WHERE rolname = current_user"
    " AND rolreplication"
    " UNION ALL SELECT 'is a member of ' || rolname FROM pg_roles WHERE (rolsuper"
    " OR starts_with(rolname::text, 'pg_')) AND rolname <> current_user"
    " AND pg_has_role(current_user, oid, 'MEMBER')"
    " AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
    " UNION ALL SELECT 'owns the tables, or is a member of who does' WHERE EXISTS (SELECT 1"
    " FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
    " AND pg_has_role(current_user, c.relowner, 'MEMBER'))"
    " UNION ALL SELECT 'may create in the schema public'"
    " WHERE has_schema_privilege('public', 'CREATE')"
    " UNION ALL SELECT 'may create schemas'"
    " WHERE has_database_privilege(current_database(), 'CREATE')"
    " UNION ALL SELECT 'may make temporary tables'"
    " WHERE has_database_privilege(current_database(), 'TEMPORARY')"
)


def rights(role: str) -> Rights:
    """What a role may do with each table, of the schema `public`."""
    beyond_reading = _beyond_reading(role).items()
    return {
        table: frozenset({"SELECT", *(name for name, tables in beyond_reading if table in tables)})
        for table in (*metadata.tables, _VERSION)
    }


def _beyond_reading(role: str) -> Mapping[str, frozenset[str]]:
    """By privilege, the tables that a role has it on.

    To lock a row PostgreSQL asks for UPDATE, too: hence data keys and audit payloads, which
    never change by their guards (PKI16, AUD05).
    """
    if role == ERASER:
        return {
            "INSERT": _WRITTEN_BY_ERASURE,
            "UPDATE": _CHANGED_BY_ERASURE_ALONE | {"subject_case", "audit_payload"},
            "DELETE": _ENDED_BY_ERASURE,
        }
    if role == APPLICATION:
        every = frozenset(metadata.tables)
        fixed = {each.table for each in GUARDS if (each.event, each.when) == ("UPDATE", "1 = 1")}
        return {
            "INSERT": every - _BY_TRIGGER_ALONE,
            "UPDATE": every - fixed - _CHANGED_BY_ERASURE_ALONE | {"data_key"},
            "DELETE": _PASSING,
        }
    return {}


def grant(tx: Connection) -> None:
    """Give the roles that are there exactly their rights, as the owner of the tables.

    Nobody else may put our functions on a table of his own: some write as the owner.
    """
    if tx.dialect.name != "postgresql":
        return
    prepare_index(tx)
    tx.exec_driver_sql("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")
    there = set(tx.exec_driver_sql("SELECT rolname FROM pg_roles").scalars())
    for role in ROLES:
        if role in there:
            for statement in _grants(role):
                tx.exec_driver_sql(statement)


def _grants(role: str) -> Iterator[str]:
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"
    by_rights: dict[frozenset[str], list[str]] = {}
    for table, held in rights(role).items():
        by_rights.setdefault(held, []).append(table)
    for held, tables in by_rights.items():
        yield f"GRANT {', '.join(sorted(held))} ON {', '.join(sorted(tables))} TO {role}"
    if role == APPLICATION:
        yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}"
        yield f"GRANT USAGE ON SCHEMA {INDEX_SCHEMA} TO {role}"
        yield f"GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA {INDEX_SCHEMA} TO {role}"


@contextmanager
def erasing(tx: Connection) -> Iterator[None]:
    """Within the block the transaction has the rights of the eraser, and those alone.

    It is one transaction with the event that tells of it, so it is a change of role and not a
    connection of its own. Without the roles nothing changes.
    """
    if tx.dialect.name != "postgresql":
        yield
        return
    tx.exec_driver_sql(_MAY_ERASE)
    yield
    # After an error the transaction ends, and the change of role with it.
    tx.exec_driver_sql("SELECT set_config('role', 'none', true)")


def excess(database: Database, role: str = APPLICATION) -> tuple[str, ...]:
    """What the role of this connection is or may, and a member of `role` is not and may not."""
    if database.dialect != "postgresql":
        return ()
    allowed = rights(role)
    with database.read() as tx:
        powers = [str(each) for each in tx.exec_driver_sql(_POWERS).scalars()]
        held = [(str(table), str(name)) for table, name in tx.exec_driver_sql(_HELD)]
    beyond = sorted({name for table, name in held if name not in allowed.get(table, ())})
    return (*powers, *(f"has {name} on tables without needing it" for name in beyond))


def setting_up(database: str, owner: str, login: str) -> tuple[str, ...]:
    """The SQL by which an administrator makes the roles, whole statements in their order.

    All of it can be run again. Passwords are not in it: they are set by whoever runs it.
    """
    name, owned_by, served_by = _quoted(database), _quoted(owner), _quoted(login)
    everybody = ", ".join((owned_by, served_by, *ROLES))
    return (
        *(_made_once(role, "NOLOGIN NOINHERIT") for role in ROLES),
        *(_made_once(each, "LOGIN") for each in (owner, login)),
        f"GRANT {ERASER} TO {APPLICATION};",
        f"GRANT {APPLICATION} TO {served_by};",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;",
        f"GRANT CONNECT ON DATABASE {name} TO {everybody};",
        f"GRANT CREATE ON DATABASE {name} TO {owned_by};",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
        f"GRANT USAGE ON SCHEMA public TO {', '.join(ROLES)};",
        f"GRANT USAGE, CREATE ON SCHEMA public TO {owned_by};",
    )


def _made_once(role: str, how: str) -> str:
    literal = role.replace("'", "''")
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{literal}')"  # noqa: S608 - read by whoever runs it
        f" THEN CREATE ROLE {_quoted(role)} {how}; END IF; END $$;"
    )


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
