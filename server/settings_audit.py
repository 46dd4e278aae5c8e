"""The settings of the audit log."""

from pydantic import Field, ValidationInfo, field_validator

from server.settings_section import Section
from server.settings_types import refused


class Audit(Section):
    """How long the audit log is kept: whole calendar years after the year of an event."""

    personal_years: int = Field(
        default=5, ge=0, le=100, description="Years that personal payloads of the log are kept."
    )
    administrative_years: int = Field(
        default=5, ge=0, le=100, description="Years that headers are kept; leaf hashes stay."
    )

    @field_validator("administrative_years")
    @classmethod
    def _outlives_payloads(cls, years: int, info: ValidationInfo) -> int:
        if years >= info.data.get("personal_years", 0):
            return years
        raise refused(
            "is less than audit.personal_years",
            "A payload is kept no longer than the header that commits to it.",
        )
