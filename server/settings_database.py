"""The settings of the database of the records."""

from pydantic import Field, ValidationInfo, field_validator

from server.settings_section import Section
from server.settings_types import (
    DatabaseAddress,
    DatabaseUrl,
    OptionalDatabaseAddress,
    refused,
)


class Database(Section):
    """Where the records are."""

    url: DatabaseAddress = Field(
        default="sqlite:///tillid.sqlite",  # type: ignore[assignment]  # read like a given one
        description="Database: sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.",
    )
    owner_url: OptionalDatabaseAddress = Field(
        default=None,
        description="It as the owner of its tables signs in, to migrate; empty when url owns them.",
    )

    @field_validator("owner_url")
    @classmethod
    def _owns_the_same_database(
        cls, owner: DatabaseUrl | None, info: ValidationInfo
    ) -> DatabaseUrl | None:
        url = info.data.get("url")
        if owner is None or url is None:
            return owner
        if not (owner.is_postgresql and url.is_postgresql):
            raise refused("is of use with PostgreSQL alone", "Leave it empty: SQLite has no roles.")
        if owner.database != url.database:
            raise refused("names another database than database.url", "Name the same one.")
        if owner.user == url.user:
            raise refused("signs in as database.url does", "Name the owner, or leave it empty.")
        return owner

    @property
    def owner(self) -> DatabaseUrl:
        """The address to make and change tables by."""
        return self.owner_url or self.url
