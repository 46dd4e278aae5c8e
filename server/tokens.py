"""The tokens of one installation, opened when a key is first needed.

Each purpose has its own key: an issuer's in its own token; in the service token one for OCSP
answers of each issuer, one for audit heads and receipts, and one that wraps data keys.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock

from cryptography.hazmat.primitives.asymmetric import ec

from ca.certificates import SigningKey
from ceremony.custody import BY_DEVICE, Custody
from hsm.errors import (
    HsmError,
    KeyExists,
    KeyNotFound,
    PinUnreadable,
    TokenLocked,
    TokenNotFound,
)
from hsm.keys import WrappingKey
from hsm.login import load_for
from hsm.pins import PIN_PAD, credential
from hsm.quota import SignQuota
from hsm.softhsm import SoftHsmStore
from hsm.token import Token, TokenLocation
from revocation.publication import write_published
from server.errors import TokenOffline
from server.settings import Hsm

AskPin = Callable[[str, Custody], str]
"""Asks custodians for the PIN of a token."""

AUDIT_KEY = "audit"
PERSONAL_DATA_KEY = "personal-data"


def ocsp_key(issuer: str) -> str:
    """The label of the key that signs OCSP answers for an issuer."""
    return f"ocsp-{issuer}"


class Tokens:
    """Opens each token once and finds keys in it; implements `ceremony.site.TokenRoom`.

    A token whose PIN custodians hold is as good as away, unless there is somebody to ask them.
    """

    def __init__(self, settings: Hsm, ask_pin: AskPin | None = None) -> None:
        """Remember where the tokens are; none is opened yet."""
        self._settings = settings
        self._ask_pin = ask_pin
        self._opened: dict[str, Token] = {}
        self._online: frozenset[str] = frozenset()
        self._pins: dict[str, Path] = {}
        self._lock = Lock()

    def create_missing(self, *wanted: str) -> list[str]:
        """Make the SoftHSM tokens that are not there, all when none is named; those made.

        On any other module tokens are made with its own tools.
        """
        store = self._store()
        if store is None:
            return []
        missing = [label for label in wanted or self.labels if label not in store.labels()]
        for label in missing:
            store.create_token(label)
        return missing

    @contextmanager
    def online(self, *labels: str) -> Iterator[None]:
        """Let tokens that are kept offline be used until the block ends: those of root keys.

        Then PINs that custodians gave for them are forgotten.
        """
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
                self._forget_pin(label)

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
        for label in list(self._pins):
            self._forget_pin(label)

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
                self._opened[label] = Token.open(self._unlocked(label), quota)
            return self._opened[label]

    def location(self, label: str) -> TokenLocation:
        """Where a token and its PIN are found; a systemd credential LABEL.pin is preferred.

        Raises: TokenNotFound, TokenUnavailable.
        """
        store = self._store()
        if store is not None:
            store.activate()
            found = store.location(label)
        else:
            pins = self._settings.pin_directory
            pin_file = credential(f"{label}.pin") or pins / f"{label}.pin"
            found = TokenLocation(self._settings.module, label, pin_file, pins)
        return replace(found, pin_file=self._pins.get(label, found.pin_file))

    # --- What only a ceremony does, and custodians --------------------------------------------

    @property
    def makes_tokens(self) -> bool:
        """Whether tokens are made here: only SoftHSM's are."""
        return self._store() is not None

    def is_present(self, label: str) -> bool:
        """Whether the token is there, made to the end."""
        store = self._store()
        if store is not None:
            return label in store.labels()
        return load_for(self.location(label)).has_token(label)

    def create(self, label: str, pins: tuple[str, str] | None = None) -> None:
        """Make a token, or finish one; `pins` are kept nowhere. Raises: TokenNotFound."""
        store = self._store()
        if store is None:
            raise TokenNotFound(label, "make it with the tools of the device's maker")
        store.create_token(label, pins)

    def custody(self, label: str) -> Custody | None:
        """How the PIN of a token is split, if it is. Raises: PinUnreadable."""
        try:
            return Custody.parse(self._custody_file(label).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise PinUnreadable(str(self._custody_file(label))) from error

    def keep_custody(self, label: str, custody: Custody) -> None:
        """Remember how the PIN of a token is split."""
        path = self._custody_file(label)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_published(path, custody.encode())

    def unlock(self, label: str, pin: str) -> None:
        """Use this PIN for the token while it is online; it is in memory alone."""
        self._use(label, _in_memory(pin))

    def use_pin_pad(self, label: str) -> None:
        """Let the device ask for the PIN of this token, now and whenever people are there."""
        self.keep_custody(label, BY_DEVICE)
        self._use(label, PIN_PAD)

    def _use(self, label: str, source: Path) -> None:
        with self._lock:
            self._forget_pin(label)
            self._pins[label] = source
            opened = self._opened.pop(label, None)
        if opened is not None:
            opened.close()

    def _forget_pin(self, label: str) -> None:
        kind, _, descriptor = str(self._pins.pop(label, "")).partition(":")
        if kind == "fd":
            os.close(int(descriptor))

    def _unlocked(self, label: str) -> TokenLocation:
        """The location of a token, after its custodians were asked if they have to be."""
        custody = None if label in self._pins else self.custody(label)
        if custody is None:
            return self.location(label)
        if self._ask_pin is None:
            raise TokenLocked(label)
        by_device = custody.by_device
        self._pins[label] = PIN_PAD if by_device else _in_memory(self._ask_pin(label, custody))
        return self.location(label)

    def _custody_file(self, label: str) -> Path:
        store = self._store()
        folder = self._settings.pin_directory if store is None else store.pins
        return folder / f"{label}.custodians"

    def _store(self) -> SoftHsmStore | None:
        folder = self._settings.softhsm_directory
        return None if folder is None else SoftHsmStore(folder, self._settings.module)


def _in_memory(pin: str) -> Path:
    """A source of this PIN that is no file of any disk and is handed down to no process."""
    descriptor = os.memfd_create("pin", os.MFD_CLOEXEC)
    os.write(descriptor, pin.encode())
    return Path(f"fd:{descriptor}")
