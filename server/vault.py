"""The key store of an installation: joined with its tokens, sealed by a job, checked at start."""

from dataclasses import dataclass, field

from hsm.errors import HsmError, KeyUnfit
from records.database import Database
from records.key_snapshots import Snapshots
from records.key_store import KeyStore
from records.sealing import SealOutcome, Vault
from server.logs import get_logger
from server.settings import Settings
from server.tokens import Tokens

_RETRY_SECONDS = 30.0


def key_store_of(settings: Settings, tokens: Tokens) -> KeyStore:
    """The key store of the settings; nothing is opened yet."""
    return KeyStore(Database(settings.keystore.url.reveal()), tokens.vault_tokens())


def vault_of(settings: Settings, records: Database, keys: KeyStore) -> Vault:
    """The key store with the records that refer to it and the folders of its snapshots."""
    of = settings.keystore
    places = Snapshots((of.snapshot_directory, of.second_snapshot_directory))
    return Vault(records, keys, places)


def check_roots(keys: KeyStore) -> None:
    """See that no root can leave its token, as far as tokens are there. Raises: KeyUnfit."""
    facts = keys.facts()
    if facts is None:
        return
    for token in keys.tokens:
        try:
            token.check(facts.name)
        except KeyUnfit:
            raise
        except HsmError as error:  # personal data waits for it, and nothing else does
            get_logger("vault").warning("vault.token_unchecked", exc_info=error)


@dataclass(slots=True)
class SealPace:
    """When this process seals next: in batches, sooner after a try that a token kept waiting."""

    every_seconds: float
    at_once: bool
    _next: float = field(default=0.0)

    def is_time(self, monotonic: float, dropped: int) -> bool:
        """Whether to seal now; at once when a key died, if that is the rule."""
        return monotonic >= self._next or (self.at_once and dropped > 0)

    def sealed(self, monotonic: float, outcome: SealOutcome | None) -> None:
        """Remember how it went; None stands for a try that failed."""
        done = outcome is not None and outcome.complete
        self._next = monotonic + (self.every_seconds if done else _RETRY_SECONDS)
