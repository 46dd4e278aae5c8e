"""What every table file begins with."""

from typing import Any

from sqlalchemy import MetaData, text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def given(column: str) -> dict[str, Any]:
    """For an index of the rows that have a value there."""
    return dict.fromkeys(("sqlite_where", "postgresql_where"), text(f"{column} IS NOT NULL"))
