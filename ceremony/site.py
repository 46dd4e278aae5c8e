"""What a ceremony needs of the installation in which it is held."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from audit.events import Event
from ca.hierarchy import IssuerRecord, IssuerStore, Keys
from ca.issuance import IssuanceStore
from ceremony.custody import Custody
from hsm.token import Token
from revocation.publication import CrlPolicy, CrlStore


class TokenRoom(Keys, Protocol):
    """The tokens of the installation."""

    @property
    def makes_tokens(self) -> bool:
        """Whether tokens are made here; otherwise with the tools of the device's maker."""
        ...

    def is_present(self, label: str) -> bool:
        """Whether the token is there, made to the end."""
        ...

    def create(self, label: str, pins: tuple[str, str] | None = None) -> None:
        """Make a token, or finish one; `pins` (officer's, user's) are kept nowhere.

        Raises: TokenNotFound where tokens are made with the maker's tools.
        """
        ...

    def custody(self, label: str) -> Custody | None:
        """How the PIN of a token is split, if it is."""
        ...

    def keep_custody(self, label: str, custody: Custody) -> None:
        """Remember how the PIN of a token is split."""
        ...

    def online(self, *labels: str) -> AbstractContextManager[None]:
        """Let tokens that are kept offline be used until the block ends; then forget their PINs."""
        ...

    def unlock(self, label: str, pin: str) -> None:
        """Use this PIN for the token while it is online; it is kept in memory alone."""
        ...

    def use_pin_pad(self, label: str) -> None:
        """Let the device ask for the PIN of this token while it is online."""
        ...

    def open(self, label: str) -> Token:
        """The open token."""
        ...


class AuditLog(Protocol):
    """The audit log of the installation."""

    def holds(self, event: Event) -> bool:
        """Whether an event of this type, object and details is in the log."""
        ...

    def append(self, event: Event, now: datetime) -> None:
        """Add an event."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """The installation as the ceremony sees it."""

    folder: Path
    """Where the ceremonies are kept, a folder each."""
    base_url: str
    tokens: TokenRoom
    issuers: IssuerStore
    certificates: IssuanceStore
    crls: CrlStore
    log: AuditLog
    audit_key: Callable[[], ec.EllipticCurvePrivateKey]
    crl_policy: Callable[[IssuerRecord], CrlPolicy]
    software: Callable[[], dict[str, str]]
    """Names and versions of what this runs on."""
    clock: Callable[[], datetime]
    foreign: Callable[[bytes], bytes] | None = None
    """What plays foreign authorities in a rehearsal: a request in, certificates out, all in PEM."""
