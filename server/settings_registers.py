"""The settings of registers and of the catalogue of sources."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from server.settings_section import Section
from server.settings_types import OptionalPath


class Registers(Section):
    """Population and company registers."""

    adapter: Literal["none", "fake"] = Field(
        default="none", description="Register to ask; fake is test equipment and knows nobody real."
    )
    fake_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        description="Days since the fake registers opened: on days of theirs somebody of them dies"
        " and a company goes bankrupt.",
    )
    catalogue_file: OptionalPath = Field(
        default=None, description="Approved sources and equivalence assessments; without, none is."
    )

    def fakes_opened(self, now: datetime) -> datetime:
        """When the registers that are test equipment opened: at the beginning of that day, UTC."""
        return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(self.fake_days)
