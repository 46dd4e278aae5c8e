"""The tokens of one installation, opened when a key is first needed.

Each purpose has its own key: an issuer's in its own token; in the service token one for OCSP
answers of each issuer, one for audit heads and receipts, and one that wraps data keys.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from cryptography.hazmat.primitives.asymmetric import ec

from ca.certificates import SigningKey
from hsm.errors import HsmError, KeyExists, KeyNotFound, TokenNotFound
from hsm.keys import WrappingKey
from hsm.pins import credential
from hsm.quota import SignQuota
from hsm.softhsm import SoftHsmStore
from hsm.token import Token, TokenLocation
from server.errors import TokenOffline
from server.settings import Hsm

AUDIT_KEY = "audit"
PERSONAL_DATA_KEY = "personal-data"


def ocsp_key(issuer: str) -> str:
    """The label of the key that signs OCSP answers for an issuer."""
    return f"ocsp-{issuer}"


class Tokens:
    """Opens each token once and finds keys in it; implements `ca.hierarchy.Keys`."""

    def __init__(self, settings: Hsm) -> None:
        """Remember where the tokens are; none is opened yet."""
        self._settings = settings
        self._opened: dict[str, Token] = {}
        self._online: frozenset[str] = frozenset()
        self._lock = Lock()

    def create_missing(self) -> list[str]:
        """Make the SoftHSM tokens that are not there; the labels of those made.

        On any other module tokens are made with its own tools.
        """
        store = self._store()
        if store is None:
            return []
        wanted = (
            self._settings.root_token,
            self._settings.issuing_token,
            self._settings.service_token,
        )
        missing = [label for label in wanted if label not in store.labels()]
        for label in missing:
            store.create_token(label)
        return missing

    @contextmanager
    def online(self, *labels: str) -> Iterator[None]:
        """Let tokens that are kept offline be used until the block ends: those of root keys."""
        before = self._online
        self._online = before | frozenset(labels)
        try:
            yield
        finally:
            self._online = before
            for label in frozenset(labels) - before:
                opened = self._opened.pop(label, None)
                if opened is not None:
                    opened.close()

    def is_online(self, label: str) -> bool:
        """Whether a token that holds a root key was brought online."""
        return label in self._online

    def find(self, token: str, label: str) -> SigningKey | None:
        """The key of that label, or None."""
        try:
            return self.open(token).private_key(label)
        except KeyNotFound:
            return None

    def generate(self, token: str, label: str, curve: ec.EllipticCurve | int) -> SigningKey:
        """A new key pair that never leaves the token: on a curve, or RSA of this many bits."""
        if isinstance(curve, int):
            return self.open(token).generate_rsa_key(label, curve)
        return self.open(token).generate_ec_key(label, curve)

    def service_key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """A P-256 key of the service token, made when it is not there."""
        token = self.open(self._settings.service_token)
        try:
            key = token.private_key(label)
        except KeyNotFound:
            try:
                key = token.generate_ec_key(label, ec.SECP256R1())
            except KeyExists:  # another process was a moment earlier
                key = token.private_key(label)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyNotFound(f"{label}: not an EC key")
        return key

    def wrapping_key(self) -> WrappingKey:
        """The key that wraps data keys, made when it is not there."""
        token = self.open(self._settings.service_token)
        try:
            return token.wrapping_key(PERSONAL_DATA_KEY)
        except KeyNotFound:
            try:
                return token.generate_wrapping_key(PERSONAL_DATA_KEY)
            except KeyExists:
                return token.wrapping_key(PERSONAL_DATA_KEY)

    @property
    def labels(self) -> tuple[str, ...]:
        """The tokens of the settings, each once."""
        of = self._settings
        return tuple(dict.fromkeys((of.root_token, of.issuing_token, of.service_token)))

    def check_keys(self, keys: Iterable[tuple[str, str]]) -> None:
        """See that keys, each by token and label, never leave their token, as far as it is there.

        Raises: KeyUnfit, TokenUnavailable.
        """
        for token, label in keys:
            try:
                self.open(token).check_key(label)
            except (TokenNotFound, KeyNotFound):
                continue  # an issuer that is offline signs nothing

    def check_health(self, further: Iterable[str] = ()) -> dict[str, HsmError | None]:
        """What keeps each token but the roots' from signing, those of further issuers as well."""
        online = (self._settings.issuing_token, self._settings.service_token, *further)
        return {label: self._illness(label) for label in dict.fromkeys(online)}

    def _illness(self, label: str) -> HsmError | None:
        try:
            self.open(label).check_health()
        except HsmError as error:
            return error
        return None

    def close(self) -> None:
        """Close every token that was opened."""
        for token in self._opened.values():
            token.close()
        self._opened.clear()

    def open(self, label: str) -> Token:
        """The open token of this label.

        Raises: TokenOffline, TokenNotFound, PinRejected, TokenUnavailable.
        """
        of = self._settings
        kept_offline = label == of.root_token not in {of.issuing_token, of.service_token}
        if kept_offline and not self.is_online(label):
            raise TokenOffline(label)
        with self._lock:
            if label not in self._opened:
                quota = SignQuota(self._settings.sign_quota_per_hour)
                self._opened[label] = Token.open(self.location(label), quota)
            return self._opened[label]

    def location(self, label: str) -> TokenLocation:
        """Where a token and its PIN are found; a systemd credential LABEL.pin is preferred.

        Raises: TokenNotFound, TokenUnavailable.
        """
        store = self._store()
        if store is not None:
            store.activate()
            return store.location(label)
        pins = self._settings.pin_directory
        pin_file = credential(f"{label}.pin") or pins / f"{label}.pin"
        return TokenLocation(self._settings.module, label, pin_file, pins)

    def _store(self) -> SoftHsmStore | None:
        folder = self._settings.softhsm_directory
        return None if folder is None else SoftHsmStore(folder, self._settings.module)
