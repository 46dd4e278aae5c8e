"""The port to logins with a credential somebody already holds, and what such a login is worth.

Derivation (REG-IDN-L10): the level of the credential, its status now, and a login that is fresh,
dynamic and made with two factors (USE-AUT-S4, S5). Any adapter must pass
`tests/support/port_contracts.py`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from ra.case import Factor, NaturalPersonPart, OnRecord, SourceStatus
from ra.identity import CprNumber
from ra.levels import AssuranceLevel
from ra.registers import NoAnswer


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """What a login provider asserts; `assertion_sha256` is of the octets, in hexadecimal."""

    provider: str
    credential: str
    """Opaque name of the credential at its provider."""
    level: AssuranceLevel
    authenticated_at: datetime
    is_dynamic: bool
    """The proof of possession changes with each login (USE-AUT-S4)."""
    assertion_sha256: str
    cpr_number: CprNumber | None = None
    factors: tuple[Factor, ...] = ()
    """The category of each factor that was used at this login, as the provider asserts it."""

    def __repr__(self) -> str:
        return f"Login({self.provider}, ***)"


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """There is no such login: nobody logged in, or the answer is to another question."""


LoginAnswer = Login | LoginRefused | NoAnswer


class LoginProvider(Protocol):
    """A provider of logins, such as MitID."""

    @property
    def source_id(self) -> str:
        """The id of this provider in the catalogue of authoritative sources."""
        ...

    def redeem(self, answer: str, nonce: str, now: datetime) -> LoginAnswer:
        """The login behind the answer that came back, if it answers this nonce; once only."""
        ...

    def status_of(self, credential: str, now: datetime) -> SourceStatus | NoAnswer:
        """How the credential stands at this moment (UTC)."""
        ...


def derived_part(
    login: Login,
    status: SourceStatus | NoAnswer,
    now: datetime,
    *,
    maximum_age: timedelta,
    assessed: bool,
) -> NaturalPersonPart:
    """The login as facts; `assessed` tells whether its provider is, and the register comes apart.

    A login that another could repeat is never fresh, and neither is one of the future.
    """
    age = now - login.authenticated_at
    part = NaturalPersonPart(
        source_credential=login.level,
        source_assessed=assessed,
        source_auth_fresh=login.is_dynamic and timedelta(0) <= age <= maximum_age,
        on_record=OnRecord(
            source_answered=not isinstance(status, NoAnswer),
            login_is_dynamic=login.is_dynamic,
            login_factors=len(login.factors),
            login_categories=len(set(login.factors)),
        ),
    )
    return part if isinstance(status, NoAnswer) else replace(part, source_status=status)
