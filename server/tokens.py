"""The tokens of one installation, opened when a key is first needed.

Each purpose has its own key: an issuer's in its own token; in the service token one for OCSP
answers of each issuer, one for audit heads and receipts, and the root of the key store. A token is
named by its label or by a PKCS#11 URI; one that has a standby signs through both
(`hsm.standby`), but a standby for OCSP has keys of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock

from cryptography.hazmat.primitives.asymmetric import ec

from ca.signatures import SigningKey
from ceremony.custody import Custody
from hsm.errors import (
    HsmError,
    KeyExists,
    KeyKindUnsupported,
    KeyNotFound,
    PinRejected,
    TokenInUse,
    TokenNotFound,
    TokenUnavailable,
)
from hsm.key_kinds import KeyKind
from hsm.keys import WrappingKey
from hsm.labels import SEALING_KEY, ocsp_key
from hsm.login import load_for
from hsm.pin_change import change_pin
from hsm.quota import SignQuota
from hsm.software import SoftwareKeys
from hsm.standby import TokenPair
from hsm.token import Token, TokenLocation
from hsm.uri import token_label
from server.errors import TokenOffline
from server.held_pins import AskPin, HeldPins
from server.logs import get_logger
from server.settings import Hsm
from server.token_places import TokenPlaces
from server.vault_tokens import VaultToken


class Tokens:
    """Opens each token once and finds keys in it; implements `ceremony.site.TokenRoom`.

    A token whose PIN custodians hold is as good as away, unless there is somebody to ask them.
    """

    def __init__(self, settings: Hsm, ask_pin: AskPin | None = None) -> None:
        """Remember where the tokens are; none is opened yet."""
        self._settings = settings
        self._places = TokenPlaces(settings)
        self._pins = HeldPins(self._places.pins, ask_pin)
        self._opened: dict[str, Token] = {}
        self._pairs: dict[str, TokenPair] = {}
        self._software: dict[str, SoftwareKeys] = {}
        self._quotas: dict[str, SignQuota] = {}
        self._online: frozenset[str] = frozenset()
        self._fit: set[tuple[str, str]] = set()
        self._lock = Lock()
        self.standby_changed: Callable[[str, bool], None] = lambda _, __: None
        """Told the label of a token, and whether its standby is used, when that changes."""

    def create_missing(self, *wanted: str) -> list[str]:
        """Make the SoftHSM tokens that are not there, all when none is named; those made.

        On any other module tokens are made with its own tools, or with `tillid hsm init`.
        """
        missing = self._places.missing()
        if wanted:
            missing = [label for label in missing if label in map(token_label, wanted)]
        for label in missing:
            self._places.create(label)
        return missing

    def initialise(self, name: str) -> bool:
        """Make a token; False when an empty one of that name is there already.

        Raises: TokenInUse when it holds keys, TokenUnavailable without a free slot, ValueError
        for a label that would not stand in a file name.
        """
        try:
            keys = self.open(name).key_labels()
        except TokenNotFound:
            self._places.create(name)
            self.open(name)
            return True
        if keys:
            raise TokenInUse(token_label(name))
        return False

    def change_pin(self, name: str) -> None:
        """Give a token a new random PIN.

        Raises: PinKeptElsewhere, PinRejected, TokenUnavailable.
        """
        change_pin(lambda: self.open(name), lambda: self._places.pin_changed(name))

    @contextmanager
    def online(self, *labels: str) -> Iterator[None]:
        """Let tokens that are kept offline be used until the block ends: those of root keys.

        Then PINs that custodians gave for them are forgotten.
        """
        before = self._online
        labels = tuple(map(self._places.name, labels))
        self._online = before | frozenset(labels)
        try:
            yield
        finally:
            self._online = before
            for label in frozenset(labels) - before:
                opened = self._opened.pop(label, None)
                if opened is not None:
                    opened.close()
                self._pins.forget(token_label(label))

    def is_online(self, label: str) -> bool:
        """Whether a token that holds a root key was brought online."""
        return self._places.name(label) in self._online

    def find(self, token: str, label: str) -> SigningKey | None:
        """The key of that label, or None."""
        try:
            return self._signer(token).private_key(label)
        except KeyNotFound:
            return self._find_software(token, label)

    def generate(self, token: str, label: str, kind: KeyKind) -> SigningKey:
        """A new key pair that never leaves the token.

        One of ML-DSA is in files where the settings allow it.
        Raises: KeyExists, KeyKindUnsupported, TokenUnavailable.
        """
        try:
            return self.open(token).generate_key(label, kind)
        except KeyKindUnsupported:
            if not (kind.is_ml_dsa and self._settings.software_ml_dsa):
                raise
            return self._software_keys(token).generate_key(label, kind)

    def holders(self, name: str) -> tuple[str, ...]:
        """The tokens that hold the keys of one: itself, and its standby."""
        return tuple(filter(None, (name, self._standby_of(name))))

    def held_by(self, name: str, label: str) -> SigningKey | None:
        """The key of that label in this one token, or in a file that it seals."""
        try:
            return self.open(name).private_key(label)
        except KeyNotFound:
            return self._find_software(name, label)

    def destroy_key(self, name: str, label: str) -> None:
        """Destroy a key of this one token, or the file of it, for good.

        Raises: KeyNotFound, TokenNotFound, TokenUnavailable.
        """
        self._fit.discard((name, label))
        try:
            self.open(name).destroy_key(label)
        except KeyNotFound:
            self._software_keys(name).destroy_key(label)

    def service_key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """A P-256 key of the service token, made when it is not there."""
        return self._own_key(self._settings.service_token, label)

    def ocsp_keys(self, issuer: str) -> tuple[Callable[[], ec.EllipticCurvePrivateKey], ...]:
        """What opens the P-256 keys for OCSP answers of an issuer, one in each token that has any.

        The first is in the service token; a later one is used while those before it are away.
        """
        tokens = filter(None, (self._settings.service_token, self._settings.ocsp_standby))
        return tuple(partial(self._own_key, token, ocsp_key(issuer)) for token in tokens)

    def _own_key(self, token: str, label: str) -> ec.EllipticCurvePrivateKey:
        signer = self._signer(token)
        try:
            key = signer.private_key(label)
        except KeyNotFound:
            with suppress(KeyExists):  # another process was a moment earlier
                self.open(token).generate_ec_key(label, ec.SECP256R1())
            key = signer.private_key(label)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyNotFound(f"{label}: not an EC key")
        return key

    def vault_tokens(self) -> tuple[VaultToken, ...]:
        """The tokens with roots of the key store, opened when one is needed."""
        of = self._settings
        names = filter(None, (of.service_token, of.vault_standby))
        return tuple(VaultToken(token_label(name), partial(self.open, name)) for name in names)

    @property
    def labels(self) -> tuple[str, ...]:
        """The tokens of the settings as they are named there, each once; standbys come last."""
        of = self._settings
        standbys = (of.issuing_standby, of.service_standby, of.ocsp_standby, of.vault_standby)
        named = (of.root_token, of.issuing_token, of.service_token, *filter(None, standbys))
        return tuple(dict.fromkeys(named))

    def check_keys(self, keys: Iterable[tuple[str, str]]) -> None:
        """See that keys, each by token and label, never leave their token, as far as it is there.

        A standby must hold the same key, and not give it out; it cannot have been made there.
        Raises: KeyUnfit, TokenUnavailable.
        """
        for token, label in keys:
            # An issuer that is offline signs nothing.
            with suppress(TokenNotFound, KeyNotFound):
                self._check_key(token, label)

    def check_for_use(self, token: str, label: str) -> None:
        """As `check_keys` for a key that is about to certify, once in the life of the process.

        Of a token and its standby, the one that does not answer now is looked at when it does.
        """
        if (token, label) in self._fit:
            return
        standby = self._standby_of(token)
        try:
            whole = self._check_key(token, label)
        except KeyNotFound:
            whole = not standby  # it is in a file: test equipment
        except (TokenNotFound, TokenUnavailable, PinRejected):
            if not standby:
                raise
            return
        if whole:
            self._fit.add((token, label))

    def _check_key(self, token: str, label: str) -> bool:
        """Whether the token itself was asked, and not its standby alone."""
        standby = self._standby_of(token)
        made = None
        try:
            self.open(token).check_key(label)
            made = self.open(token).private_key(label).public_key()
        except (TokenNotFound, TokenUnavailable, PinRejected):
            if not standby:
                raise
        if standby:
            self.open(standby).check_copied_key(label, made)
        return made is not None

    def is_standby(self, name: str) -> bool:
        """Whether this token of the settings is there in the place of another."""
        return name in (self._settings.issuing_standby, self._settings.service_standby)

    def software_keys(self, name: str) -> list[str]:
        """Labels of the keys of a token that are in files: test equipment."""
        return self._software_keys(name).labels() if self._settings.software_ml_dsa else []

    def check_health(self, further: Iterable[str] = ()) -> dict[str, HsmError | None]:
        """What keeps each token but the roots' from signing, those of further issuers as well."""
        online = (*(name for name in self.labels if name != self._settings.root_token), *further)
        return {token_label(name): self._illness(name) for name in dict.fromkeys(online)}

    def on_standby(self) -> dict[str, bool]:
        """Of each token that has a standby, whether this process uses the standby now."""
        names = (self._settings.issuing_token, self._settings.service_token)
        return {
            token_label(name): name in self._pairs and self._pairs[name].on_standby
            for name in names
            if self._standby_of(name)
        }

    def _illness(self, name: str) -> HsmError | None:
        try:
            self.open(name).check_health()
        except HsmError as error:
            return error
        return None

    def close(self) -> None:
        """Close every token that was opened."""
        for pair in self._pairs.values():
            pair.close()
        for token in self._opened.values():
            token.close()
        self._pairs.clear()
        self._opened.clear()
        self._pins.forget_all()

    def open(self, name: str) -> Token:
        """The open token of this label or URI.

        Raises: TokenOffline, TokenNotFound, TokenAmbiguous, PinRejected, TokenUnavailable.
        """
        name, of = self._places.name(name), self._settings
        kept_offline = name == of.root_token not in {of.issuing_token, of.service_token}
        if kept_offline and not self.is_online(name):
            raise TokenOffline(token_label(name))
        with self._lock:
            if name not in self._opened:
                self._pins.ask(token_label(name))
                self._opened[name] = Token.open(self.location(name), self._quota_of(name))
            return self._opened[name]

    def location(self, name: str) -> TokenLocation:
        """Where a token and its PIN are found; a systemd credential LABEL.pin is preferred.

        Raises: TokenNotFound, TokenUnavailable.
        """
        found = self._places.location(name)
        given = self._pins.given(token_label(name))
        return found if given is None else replace(found, pin_file=given)

    def _signer(self, name: str) -> Token | TokenPair:
        """The token, or the pair of it and its standby."""
        name, standby = self._places.name(name), self._standby_of(name)
        if not standby:
            return self.open(name)
        with self._lock:
            if name not in self._pairs:
                self._pairs[name] = TokenPair(
                    lambda: self.open(name),
                    lambda: self.open(standby),
                    lambda used: self._tell(name, used=used),
                )
            return self._pairs[name]

    def _quota_of(self, name: str) -> SignQuota:
        """The one quota of a token's keys, however often it is opened, and of its standby's."""
        of, mine = self._settings, set(map(token_label, self.holders(name)))
        firsts = (of.issuing_token, of.service_token)
        first = (each for each in firsts if mine & set(map(token_label, self.holders(each))))
        label = token_label(next(first, name))
        return self._quotas.setdefault(label, SignQuota(of.sign_quota_per_hour))

    def _standby_of(self, name: str) -> str:
        of = self._settings
        if token_label(name) == token_label(of.issuing_token):
            return of.issuing_standby
        return of.service_standby if token_label(name) == token_label(of.service_token) else ""

    def _tell(self, name: str, *, used: bool) -> None:
        event = "token.standby_used" if used else "token.standby_left"
        get_logger("tokens").warning(event, token=token_label(name))
        self.standby_changed(token_label(name), used)

    def _find_software(self, token: str, label: str) -> SigningKey | None:
        if not self._settings.software_ml_dsa:
            return None
        try:
            return self._software_keys(token).private_key(label)
        except KeyNotFound:
            return None

    def _software_keys(self, token: str) -> SoftwareKeys:
        if token not in self._software:
            folder = self._places.locks / "software-keys" / token_label(token)
            self._software[token] = SoftwareKeys(
                folder,
                lambda: wrapping_key_of(self.open(token), SEALING_KEY),
                self._quota_of(token),
            )
        return self._software[token]

    # --- What only a ceremony does, and custodians --------------------------------------------

    @property
    def makes_tokens(self) -> bool:
        """Whether tokens are made here: only SoftHSM's are."""
        return self._places.store is not None

    def is_present(self, name: str) -> bool:
        """Whether the token is there, made to the end."""
        store = self._places.store
        if store is not None:
            return token_label(name) in store.labels()
        return load_for(self.location(name)).has_token(token_label(name))

    def create(self, name: str, pins: tuple[str, str] | None = None) -> None:
        """Make a token, or finish one; `pins` are kept nowhere. Raises: TokenNotFound."""
        if not self.makes_tokens:
            raise TokenNotFound(name, "make it with the tools of the device's maker")
        try:
            self._places.create(name, pins)
        except ValueError as error:
            raise TokenNotFound(name, str(error)) from None

    def custody(self, name: str) -> Custody | None:
        """How the PIN of a token is split, if it is. Raises: PinUnreadable."""
        return self._pins.custody(token_label(name))

    def keep_custody(self, name: str, custody: Custody) -> None:
        """Remember how the PIN of a token is split."""
        self._pins.keep_custody(token_label(name), custody)

    def unlock(self, name: str, pin: str) -> None:
        """Use this PIN for the token while it is online; it is in memory alone."""
        self._reopened_with(name, lambda label: self._pins.give(label, pin))

    def use_pin_pad(self, name: str) -> None:
        """Let the device ask for the PIN of this token while it is online."""
        self._reopened_with(name, self._pins.leave_to_device)

    def given_pin(self, name: str) -> Path | None:
        """Where the PIN is read from that was given for a token, if one was."""
        return self._pins.given(token_label(name))

    def take_pin(self, name: str, source: Path) -> None:
        """Use a PIN that was given to the process that started this one."""
        self._reopened_with(name, lambda label: self._pins.take(label, source))

    def _reopened_with(self, name: str, change: Callable[[str], None]) -> None:
        with self._lock:
            change(token_label(name))
            opened = self._opened.pop(self._places.name(name), None)
        if opened is not None:
            opened.close()


def wrapping_key_of(token: Token, label: str) -> WrappingKey:
    """The AES key of this label, made when it is not there."""
    try:
        return token.wrapping_key(label)
    except KeyNotFound:
        try:
            return token.generate_wrapping_key(label)
        except KeyExists:
            return token.wrapping_key(label)
