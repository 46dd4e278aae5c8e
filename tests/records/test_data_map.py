"""The data map: every column says whether it holds personal data, and of which class."""

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table

from gdpr_erasure.processing import PROCESSING, Rule
from gdpr_erasure.record_classes import RecordClass
from records.tables import metadata
from records.tables.base import (
    Form,
    NotPersonal,
    Personal,
    in_data_map,
    not_personal,
    personal,
    pseudonym,
)


def faults(tables: MetaData) -> list[str]:
    """What is wrong with a data map, column by column."""
    found = []
    for table in tables.sorted_tables:
        for column in table.columns:
            place = f"{table.name}.{column.name}"
            entry = in_data_map(column)
            # `sealed_at` is a time: what is sealed is octets.
            octets = isinstance(column.type, LargeBinary)
            sealed = octets and f"{column.name}_".startswith("sealed_")
            if entry is None:
                found.append(f"{place} says nothing")
            elif isinstance(entry, NotPersonal):
                if sealed or not entry.why:
                    found.append(f"{place} is sealed and yet not personal, or does not say why")
            elif sealed != (entry.form is Form.SEALED):
                found.append(f"{place} is personal and neither sealed nor a pseudonym")
    return found


def test_every_column_of_the_program_stands_in_the_data_map() -> None:
    assert faults(metadata) == []


def test_a_table_may_say_once_that_it_holds_nothing_personal_only_without_personal_columns() -> (
    None
):
    mixed = [
        table.name
        for table in metadata.sorted_tables
        if table.info and any(isinstance(in_data_map(each), Personal) for each in table.columns)
    ]

    assert mixed == []


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (Column("note", String), "says nothing"),
        (Column("sealed_note", LargeBinary, info=not_personal("x")), "sealed and yet not personal"),
        (Column("age", Integer, info=not_personal("")), "does not say why"),
        (Column("name", String, info=personal(RecordClass.CONTACT)), "neither sealed"),
        (Column("sealed_x", LargeBinary, info=pseudonym(RecordClass.CONTACT)), "neither sealed"),
    ],
)
def test_a_column_that_leaves_something_open_is_found(column: Column[object], fault: str) -> None:
    tables = MetaData()
    Table("t", tables, column)

    (found,) = faults(tables)

    assert found.startswith(f"t.{column.name}")
    assert fault in found


def test_every_class_of_records_has_a_basis_and_a_rule_of_retention() -> None:
    assert set(PROCESSING) == set(RecordClass)
    for processing in PROCESSING.values():
        assert processing.basis
        counted = processing.retention.rule not in {Rule.KEEP_UNTIL_EXPIRY, Rule.CONSENT_ONLY}
        assert (processing.retention.number > 0) == counted
        assert processing.sources


def test_each_purpose_belongs_to_one_class() -> None:
    purposes = [each.purpose for each in PROCESSING.values()]

    assert len(set(purposes)) == len(purposes)
