"""The settings of the key store and of its seals."""

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from server.settings_section import Section
from server.settings_types import DatabaseAddress, StatePath, refused


class Keystore(Section):
    """The key store: the keys of personal data, apart from the records."""

    url: DatabaseAddress = Field(
        default="sqlite:///keystore.sqlite",  # type: ignore[assignment]  # read like a given one
        description="Its database, never that of the records; reachable from every node.",
    )
    seal_minutes: int = Field(
        default=60, ge=1, le=1440, description="Minutes from a key's destruction to its seal."
    )
    seal_at_once: bool = Field(
        default=False, description="Whether each destruction is sealed at once, not in batches."
    )
    snapshot_directory: StatePath = Field(
        default=Path("keystore-snapshots"), description="Where its newest snapshot is kept."
    )
    second_snapshot_directory: StatePath = Field(
        default=Path("keystore-snapshots-2"),
        description="Where it is kept once more; best on another disk.",
    )

    @field_validator("second_snapshot_directory")
    @classmethod
    def _is_another_place(cls, second: Path, info: ValidationInfo) -> Path:
        if second != info.data.get("snapshot_directory"):
            return second
        raise refused("is the same as keystore.snapshot_directory", "Name another directory.")
