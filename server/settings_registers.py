"""The settings of registers and of the catalogue of sources."""

from typing import Literal

from pydantic import Field

from server.settings_section import Section
from server.settings_types import OptionalPath


class Registers(Section):
    """Population and company registers."""

    adapter: Literal["none", "fake"] = Field(
        default="none", description="Register to ask; fake is test equipment and knows nobody real."
    )
    catalogue_file: OptionalPath = Field(
        default=None, description="Approved sources and equivalence assessments; without, none is."
    )
