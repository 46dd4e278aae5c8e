"""The settings of erasure, and of what is kept at one."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from server.settings_section import Section
from server.settings_types import Text, refused

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}")


def _listed(text: str, what: str) -> str:
    if all(_NAME.fullmatch(name) for name in _names(text)):
        return text
    raise refused(
        f"holds a name that is none for {what}",
        "Write names of letters, digits, hyphens and underscores, separated by commas.",
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


class Erasure(Section):
    """Erasure of data subjects."""

    cooling_off_hours: int = Field(
        default=0, ge=0, le=336, description="Hours from the second approval to the beginning."
    )
    recipients: Annotated[Text, AfterValidator(lambda text: _listed(text, "erasure"))] = Field(
        default="",
        description="Who else holds the data and is told of an erasure: names between commas.",
    )
    ocsp_is_cached: bool = Field(
        default=False,
        description="Whether a cache before OCSP may give answers until their nextUpdate.",
    )

    @property
    def recipient_names(self) -> tuple[str, ...]:
        """Each recipient once."""
        return tuple(dict.fromkeys(_names(self.recipients)))


class Retention(Section):
    """What is kept at an erasure, and for how long."""

    policies: Annotated[Text, AfterValidator(lambda text: _listed(text, "retention"))] = Field(
        default="erase_now",
        description="Policies that rule on each record, separated by commas: erase_now, nsis,"
        " nsis_etsi, keep_until_expiry, years_after_end, calendar_year_plus, days, qualified,"
        " consent_only, or installed ones. The strictest keep wins.",
    )

    @field_validator("policies")
    @classmethod
    def _is_given(cls, policies: str) -> str:
        if _names(policies):
            return policies
        raise refused("is empty", "Name a policy; erase_now keeps nothing.")

    @property
    def policy_names(self) -> tuple[str, ...]:
        """Each policy once."""
        return tuple(dict.fromkeys(_names(self.policies)))
