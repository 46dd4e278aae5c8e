"""Attacks by direct SQL on what the guards protect, from a plain connection, on both engines."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from records.guards import GUARDS
from records.tables import metadata
from tests.support.attack_story import Story
from tests.support.attacks_audit import AUDIT_ATTACKS
from tests.support.attacks_bulk import BULK_ATTACKS
from tests.support.attacks_cases import CASE_ATTACKS
from tests.support.attacks_consents import CONSENT_ATTACKS
from tests.support.attacks_delivery import DELIVERY_ATTACKS
from tests.support.attacks_duties import DUTY_ATTACKS
from tests.support.attacks_erasure import ERASURE_ATTACKS
from tests.support.attacks_organisations import ORGANISATION_ATTACKS
from tests.support.attacks_persons import PERSON_ATTACKS
from tests.support.attacks_pki import (
    CERTIFICATE_ATTACKS,
    STATUS_ATTACKS,
    SUBJECT_ATTACKS,
)
from tests.support.attacks_ra import REGISTRATION_ATTACKS
from tests.support.attacks_renewals import NOTICE_ATTACKS, RENEWAL_ATTACKS
from tests.support.attacks_vault import VAULT_ATTACKS
from tests.support.databases import ENGINES, Databases
from tests.support.stores import Stores
from tests.support.story_sql import copied

StoryOf = Callable[[str], Story]

_TARGET = re.compile(r"(DELETE|UPDATE|INSERT|REPLACE)(?: INTO| FROM)? (\w+)")
REPLICA = "SET session_replication_role = replica"
# What an attacker sets first: in SQLite what a plain shell has anyway.
SETTINGS = {
    "sqlite": ("PRAGMA recursive_triggers=OFF", "PRAGMA foreign_keys=OFF"),
    "postgresql": (),
    "postgresql as a replica": (REPLICA,),
}
ROW_NUMBERED = {
    "audit_event",
    "audit_head",
    "audit_retention",
    "publication",
    "status_observation",
    "vault_seal",
}


@dataclass(frozen=True)
class Attack:
    """A statement that the guard of this code refuses."""

    code: str
    statement: str

    @property
    def target(self) -> tuple[str, str, str]:
        """Code, table and event, as a guard has them."""
        match = _TARGET.match(self.statement)
        assert match is not None, self.statement
        return self.code, match[2], match[1].replace("REPLACE", "INSERT")

    def is_understood(self, setting: str) -> bool:
        """REPLACE is a word of SQLite alone."""
        return setting == "sqlite" or not self.statement.startswith("REPLACE")


ATTACKS = [
    Attack(code, statement)
    for family in (
        CERTIFICATE_ATTACKS,
        SUBJECT_ATTACKS,
        STATUS_ATTACKS,
        REGISTRATION_ATTACKS,
        AUDIT_ATTACKS,
        BULK_ATTACKS,
        ERASURE_ATTACKS,
        CONSENT_ATTACKS,
        VAULT_ATTACKS,
        CASE_ATTACKS,
        DUTY_ATTACKS,
        PERSON_ATTACKS,
        ORGANISATION_ATTACKS,
        DELIVERY_ATTACKS,
        RENEWAL_ATTACKS,
        NOTICE_ATTACKS,
    )
    for code, statements in family.items()
    for statement in statements
]


@pytest.fixture(scope="session")
def story_of(databases: Databases) -> Iterator[StoryOf]:
    """The story on an engine, told when first asked for; every attack leaves it as it was."""
    told: dict[str, Story] = {}
    with ExitStack() as stack:

        def tell(engine: str) -> Story:
            if engine not in told:
                told[engine] = Story(Stores(stack.enter_context(databases.migrated(engine))))
            return told[engine]

        yield tell


def refused(story: Story, statements: Iterable[str], code: str, *settings: str) -> None:
    """Each statement is refused by the guard, and nothing differs even after the commits."""
    with story.attacker(*settings) as connection:
        connection.commit()  # what is set in a transaction that fails is unset
        for statement in statements:
            names = {name: story.names[name] for name in re.findall(r":(\w+)", statement)}
            assert f") {code}: " in _answer(connection, statement, names), statement
            connection.commit()
    story.require_unchanged()


def _answer(connection: Connection, statement: str, names: Mapping[str, object]) -> str:
    try:
        connection.execute(text(statement), names)
    except IntegrityError as error:
        return str(error)
    return "done"


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("code", sorted({attack.code for attack in ATTACKS}))
def test_an_attack_by_direct_sql_is_refused_and_changes_nothing(
    code: str, setting: str, story_of: StoryOf
) -> None:
    attacks = [a for a in ATTACKS if a.code == code and a.is_understood(setting)]

    assert attacks
    engine = setting.split(maxsplit=1)[0]
    refused(story_of(engine), [a.statement for a in attacks], code, *SETTINGS[setting])


def test_every_guard_refuses_an_attack() -> None:
    attacked = {attack.target for attack in ATTACKS}

    assert {(guard.code, guard.table, guard.event) for guard in GUARDS} == attacked


@pytest.mark.parametrize("setting", SETTINGS)
def test_more_than_a_hundred_attacks_are_made_in_every_setting(setting: str) -> None:
    assert sum(attack.is_understood(setting) for attack in ATTACKS) > 100


@pytest.mark.parametrize("settings", [(), (REPLICA,)], ids=["plain", "as a replica"])
def test_no_guarded_table_is_emptied_at_once(settings: tuple[str, ...], story_of: StoryOf) -> None:
    every = [f"TRUNCATE {table} CASCADE" for table in sorted({guard.table for guard in GUARDS})]
    refused(story_of("postgresql"), every, "PKI19", *settings)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_temporary_table_does_not_stand_in_for_the_one_a_guard_reads(
    engine: str, story_of: StoryOf
) -> None:
    forged = (
        "CREATE TEMPORARY TABLE status_observation AS SELECT issuer, serial, 'ocsp' AS channel,"
        " revoked_at AS observed_at FROM certificate WHERE status = 'revoked'"
    )
    delete = "DELETE FROM certificate WHERE serial = :half_seen"

    refused(story_of(engine), [delete], "PKI04", forged)


def test_no_row_is_named_by_a_hidden_number_with_which_another_could_replace_it(
    story_of: StoryOf,
) -> None:
    story = story_of("sqlite")

    for table in sorted({guard.table for guard in GUARDS} - ROW_NUMBERED):
        named = text(f"UPDATE OR REPLACE {table} SET rowid = 1")  # noqa: S608
        with (
            story.attacker() as connection,
            pytest.raises(OperationalError, match="no such column"),
        ):
            connection.execute(named)
    story.require_unchanged()


def test_tables_with_a_row_number_are_those_whose_number_is_the_key() -> None:
    numbered = {
        table.name
        for table in metadata.sorted_tables
        if table.dialect_options["sqlite"]["with_rowid"]
    }

    assert numbered == ROW_NUMBERED


@pytest.mark.parametrize("verb", ["INSERT INTO", "REPLACE INTO"])
def test_an_intent_does_not_push_a_certificate_out_by_its_fingerprint(
    verb: str, story_of: StoryOf
) -> None:
    story = story_of("sqlite")
    statement = copied(
        "certificate",
        "serial = :issued",
        verb=verb,
        serial="'01ff'",
        status="'intent'",
        sealed_der="NULL",
        issued_at="NULL",
    )

    with story.attacker(*SETTINGS["sqlite"]) as connection:
        with pytest.raises(IntegrityError, match="ck_certificate_"):
            connection.execute(text(statement), {"issued": story.names["issued"]})
        connection.commit()
    story.require_unchanged()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_may_be_deleted_is_deleted_and_leaves_its_residue(
    engine: str, story_of: StoryOf
) -> None:
    story = story_of(engine)

    with story.attacker() as connection:
        connection.execute(
            text("DELETE FROM certificate WHERE serial = :serial"),
            {"serial": story.names["erasing"]},
        )
        left = connection.execute(
            text("SELECT reason FROM revocation_residue WHERE serial = :serial"),
            {"serial": story.names["erasing"]},
        ).scalar_one()

    assert left == 5
    story.require_unchanged()
