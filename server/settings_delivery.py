"""The settings of delivery and activation."""

from typing import Literal

from pydantic import Field

from server.settings_section import Section
from server.settings_types import OptionalPath


class Delivery(Section):
    """How credentials reach their holders."""

    activate_from: Literal["low", "substantial", "high"] = Field(
        default="high",
        description="The lowest level at which a holder activates with a code before the"
        " certificate is signed: low, substantial or high.",
    )
    decisions_file: OptionalPath = Field(
        default=None,
        description="File (TOML) of what is decided outside the database: whose signatures count at"
        " High, and the risk assessments of authenticators; without one nobody reaches High.",
    )
    printer_certificate: OptionalPath = Field(
        default=None,
        description="File (PEM) of the certificate that letters with codes are encrypted to;"
        " without one no letter is made.",
    )
