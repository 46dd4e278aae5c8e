"""The tokens of one installation, opened when a key is first needed.

Each purpose has its own key: an issuer's in its own token; in the service token one for OCSP
answers of each issuer, one for audit heads and receipts, and one that wraps data keys.
"""

from threading import Lock

from cryptography.hazmat.primitives.asymmetric import ec

from ca.certificates import SigningKey
from hsm.errors import KeyExists, KeyNotFound
from hsm.keys import WrappingKey
from hsm.softhsm import SoftHsmStore
from hsm.token import Token, TokenLocation
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

    def find(self, token: str, label: str) -> SigningKey | None:
        """The key of that label, or None."""
        try:
            return self._open(token).private_key(label)
        except KeyNotFound:
            return None

    def generate(self, token: str, label: str, curve: ec.EllipticCurve) -> SigningKey:
        """A new key pair that never leaves the token."""
        return self._open(token).generate_ec_key(label, curve)

    def service_key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """A P-256 key of the service token, made when it is not there."""
        token = self._open(self._settings.service_token)
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
        token = self._open(self._settings.service_token)
        try:
            return token.wrapping_key(PERSONAL_DATA_KEY)
        except KeyNotFound:
            try:
                return token.generate_wrapping_key(PERSONAL_DATA_KEY)
            except KeyExists:
                return token.wrapping_key(PERSONAL_DATA_KEY)

    def close(self) -> None:
        """Close every token that was opened."""
        for token in self._opened.values():
            token.close()
        self._opened.clear()

    def _open(self, label: str) -> Token:
        with self._lock:
            if label not in self._opened:
                self._opened[label] = Token.open(self._location(label))
            return self._opened[label]

    def _location(self, label: str) -> TokenLocation:
        store = self._store()
        if store is not None:
            store.activate()
            return store.location(label)
        pins = self._settings.pin_directory
        return TokenLocation(self._settings.module, label, pins / f"{label}.pin", pins)

    def _store(self) -> SoftHsmStore | None:
        folder = self._settings.softhsm_directory
        return None if folder is None else SoftHsmStore(folder, self._settings.module)
