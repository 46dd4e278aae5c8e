"""What every table file begins with: the metadata, and the words of the data map.

Every column says in its `info` whether it holds personal data. In a sealed column it is `personal`;
in clear there are only pseudonyms. A table without personal data may say so once, for the whole.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, MetaData, text

from gdpr_erasure.record_classes import RecordClass

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
_MAP = "data_map"


class Form(StrEnum):
    """How personal data stands in a column."""

    SEALED = "sealed"
    PSEUDONYM = "pseudonym"


@dataclass(frozen=True, slots=True)
class Personal:
    """A column with personal data; `gdpr_erasure.processing` says the rest of its class."""

    record_class: RecordClass
    form: Form


@dataclass(frozen=True, slots=True)
class NotPersonal:
    """A column without personal data, and why that is so."""

    why: str


def personal(record_class: RecordClass) -> dict[str, Any]:
    """For a sealed column: which class of records stands in it."""
    return {_MAP: Personal(record_class, Form.SEALED)}


def pseudonym(record_class: RecordClass) -> dict[str, Any]:
    """For a column in clear that only names a person to whoever has more than the column."""
    return {_MAP: Personal(record_class, Form.PSEUDONYM)}


def not_personal(why: str) -> dict[str, Any]:
    """For a column, or a whole table, that tells nothing of a person."""
    return {_MAP: NotPersonal(why)}


OPERATIONAL = not_personal("state, kind, count or time: it tells who it is about only by its row")
RANDOM = not_personal("a random number of ours, or the digest of one")
# The pseudonyms that tables share: what they name a person by.
BY_CERTIFICATE = pseudonym(RecordClass.CERTIFICATE_LIFECYCLE)
BY_APPLICATION = pseudonym(RecordClass.PROOFING_EVIDENCE)
BY_PUBLICATION = pseudonym(RecordClass.PUBLICATION)
BY_OFFICER = pseudonym(RecordClass.OFFICER_IDENTITY)
BY_ACT = pseudonym(RecordClass.ADMINISTRATIVE_ACT)
BY_CASE = pseudonym(RecordClass.CASE_FILE)


def in_data_map(column: Column[Any]) -> Personal | NotPersonal | None:
    """What the column says of itself, or its table of all its columns; None when neither does."""
    found = column.info.get(_MAP, column.table.info.get(_MAP))
    return found if isinstance(found, Personal | NotPersonal) else None


def given(column: str) -> dict[str, Any]:
    """For an index of the rows that have a value there."""
    return dict.fromkeys(("sqlite_where", "postgresql_where"), text(f"{column} IS NOT NULL"))
