"""`tillid db` with the roles of PostgreSQL, from an empty database to one that is served."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from records.database import Database
from server.doctor import _database_role
from server.settings_sources import load_settings
from tests.support.operator import Operator
from tests.support.postgres import PrivatePostgres

PLACE, OWNER, LOGIN = "by_verbs", 'an "owner"', "served_by"


def address(postgres: PrivatePostgres, user: str) -> str:
    written = user.replace('"', "%22").replace(" ", "%20")
    return postgres.url(PLACE, written)


@pytest.fixture
def tillid(
    postgres: PrivatePostgres,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Operator]:
    postgres.create(PLACE)
    environment = {
        "TILLID_STATE": str(tmp_path / "state"),
        "TILLID_DATABASE__URL": address(postgres, LOGIN),
        "TILLID_DATABASE__OWNER_URL": address(postgres, OWNER),
    }
    yield Operator(environment, capsys, monkeypatch)
    postgres.drop(PLACE)


def roles_findings(tmp_path: Path, url: str) -> list[tuple[bool, str]]:
    state = {"TILLID_STATE": str(tmp_path / "state")}
    settings = load_settings({**state, "TILLID_DATABASE__URL": url}, tmp_path)
    with closing(Database(settings.database.url.reveal())) as database:
        return [(found.ok, found.sentence) for found in _database_role(settings, database)]


def test_the_printed_roles_are_made_and_what_is_migrated_is_served_without_owning_it(
    tillid: Operator,
    postgres: PrivatePostgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed = tillid("db", "roles").result
    assert (printed["owner"], printed["login"]) == (OWNER, LOGIN)
    assert postgres.password not in str(printed)
    signs_in = "ALTER ROLE {} PASSWORD " + f"'{postgres.password}'"
    passwords = [signs_in.format(name) for name in ('"an ""owner"""', LOGIN)]
    superuser = postgres.url(PLACE).replace("+psycopg", "")
    with psycopg.connect(superuser, autocommit=True) as administrator:
        for statement in [*printed["statements"], *printed["statements"], *passwords]:
            administrator.execute(statement)

    assert tillid("db", "migrate").code == 0
    assert tillid("db", "migrate").code == 0
    assert tillid("db", "check").code == 0
    assert roles_findings(tmp_path, address(postgres, LOGIN)) == [
        (True, "It may do what tillid_application may, no more.")
    ]
    ((ok, said),) = roles_findings(tmp_path, address(postgres, OWNER))
    assert not ok
    assert "owns the tables" in said

    monkeypatch.delenv("TILLID_DATABASE__OWNER_URL")
    refused = tillid("db", "migrate")
    assert (refused.code, refused.problem["rule"]) == (4, "ROL01")
    again = tillid("db", "roles").result
    assert (again["owner"], again["login"]) == (LOGIN, "tillid_service")
    monkeypatch.setenv("TILLID_DATABASE__URL", "postgresql+psycopg://127.0.0.1:1/nobodys")
    assert tillid("db", "roles").code == 2


def test_sqlite_has_no_roles_and_doctor_says_nothing_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tillid = Operator({"TILLID_STATE": str(tmp_path / "state")}, capsys, monkeypatch)

    ended = tillid("db", "roles")

    assert (ended.code, "SQLite" in ended.problem["detail"]) == (2, True)
    assert roles_findings(tmp_path, f"sqlite:///{tmp_path}/some.sqlite") == []
