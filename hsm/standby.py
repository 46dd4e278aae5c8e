"""A token and its standby: while the first is down, the second signs with the same key.

Nothing is signed twice for one call: the call in which a token breaks fails, and what follows goes
to the standby once the token is left alone (`hsm.recovery.Breaker`) or its PIN is refused. From
then on only a thread of its own tries the first token, and the standby is used until that token
has been well for a while, so that a token that comes and goes is not followed to and fro. Only
signing falls over: what wraps data keys is asked of its own token alone.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hsm.errors import (
    HsmError,
    KeyUnfit,
    PinRejected,
    TokenLeftAlone,
    TokenNotFound,
    TokenUnavailable,
)
from hsm.key_kinds import PublicKey
from hsm.signing_keys import TokenPrivateKey, private_key_for
from hsm.token import Token

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Pace:
    """How a token that is down is tried, in seconds."""

    between_tries: float = 5.0
    well_for: float = 30.0
    """How long it must have been well before it is used again."""


class TokenPair:
    """Holds keys for their key objects, as a `Token` does, in whichever of two tokens is used."""

    def __init__(
        self,
        first: Callable[[], Token],
        standby: Callable[[], Token],
        changed: Callable[[bool], None],
        pace: Pace | None = None,
    ) -> None:
        """Open nothing yet; `changed` is told whether the standby is used, each time it changes."""
        self._first = first
        self._standby = standby
        self._changed = changed
        self._pace = pace or Pace()
        self._public: dict[str, PublicKey] = {}
        self._seen: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._on_standby = False

    @property
    def on_standby(self) -> bool:
        """Whether the standby signs now."""
        return self._on_standby

    def close(self) -> None:
        """Try the first token no more; the tokens are closed by whoever opened them."""
        self._stop.set()

    def private_key(self, label: str) -> TokenPrivateKey:
        """The signing key of this label, in whichever token is used when it signs.

        Raises: KeyNotFound, TokenUnavailable, KeyUnfit when the two tokens hold different keys.
        """
        return self._with(lambda token: self._read(token, label))

    def sign_with(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """Run one signing operation on the key of this label. Raises: as `private_key`."""
        return self._with(lambda token: self._sign(token, label, operation))

    def check_quota(self, label: str, wanted: int) -> None:
        """See that the key may make so many signatures now. Raises: QuotaExhausted."""
        self._with(lambda token: token.check_quota(label, wanted))

    def use_secret_key(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """Run one operation on the secret key of this label in the first token."""
        return self._first().use_secret_key(label, operation)

    def _read(self, token: Token, label: str) -> TokenPrivateKey:
        key = token.private_key(label)
        public_key = key.public_key()
        if self._public.setdefault(label, public_key) != public_key:
            raise KeyUnfit(label, f"{token.location.name} holds another key than its twin")
        self._seen.add((token.location.name, label))
        return private_key_for(self, label, public_key, pss=getattr(key, "pss", False))

    def _sign(self, token: Token, label: str, operation: Callable[[Any], Result]) -> Result:
        if (token.location.name, label) not in self._seen:
            self._read(token, label)
        return token.sign_with(label, operation)

    def _with(self, act: Callable[[Token], Result]) -> Result:
        """Act on the token that is used now; on the standby when the first was not even asked."""
        if not self._on_standby:
            first = self._usable_first()
            if first is not None:
                try:
                    return act(first)
                except (TokenLeftAlone, PinRejected):
                    pass  # nothing was signed
            self._fall_over()
        return act(self._standby())

    def _usable_first(self) -> Token | None:
        try:
            first = self._first()
        except (TokenUnavailable, TokenNotFound, PinRejected):
            return None
        return None if first.is_left_alone else first

    def _fall_over(self) -> None:
        with self._lock:
            if self._on_standby:
                return
            self._on_standby = True
            threading.Thread(target=self._try_first, name="standby", daemon=True).start()
        self._changed(self._on_standby)

    def _try_first(self) -> None:
        """Go back to the first token when it has been well for long enough."""
        well_since: float | None = None
        while not self._stop.wait(self._pace.between_tries):
            now = time.monotonic()
            well_since = (well_since or now) if self._is_well(self._first) else None
            if well_since is None:
                continue
            if now - well_since >= self._pace.well_for or not self._is_well(self._standby):
                self._on_standby = False
                self._changed(self._on_standby)
                return

    def _is_well(self, open_token: Callable[[], Token]) -> bool:
        try:
            open_token().check_health()
        except (HsmError, OSError):  # a lock file, too, may be out of reach for a while
            return False
        return True
