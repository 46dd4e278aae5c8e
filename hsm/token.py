"""A token: logged in once for the life of the process, used through sessions of single threads.

A token that keeps its state in files may rewrite them at each C_Login, and another process that
looks at that moment sees no token. So loading, finding and logging in happen under a lock file.
After that, work is done in sessions opened without a PIN: the login is the application's, not the
session's (PKCS#11 v2.40 section 2.5). No two threads are ever in the same session, and a session
that has seen an error is never used again.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass

from hsm.errors import HsmError, KeyExists, PinRejected, PinUnreadable
from hsm.keys import (
    TokenECPrivateKey,
    TokenRSAPrivateKey,
    WrappingKey,
    curve_parameters,
    read_public_key,
)
from hsm.module import Module, exclusive, load_module, meaning_of

Result = TypeVar("Result")

LOGIN_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.0)
"""Seconds to wait after each failed try to open a token while another program logs in to it."""

_TRANSIENT = (pkcs11.NoSuchToken, pkcs11.GeneralError, pkcs11.UserPinNotInitialized)
_LOGIN_IN_DOUBT = (
    pkcs11.DeviceError,
    pkcs11.DeviceRemoved,
    pkcs11.KeyHandleInvalid,
    pkcs11.ObjectHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn,
)
_PRIVATE, _SECRET = ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY
_STAYS_INSIDE = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
}


@dataclass(frozen=True, slots=True)
class TokenLocation:
    """Where a token is found and how it is opened; the PIN itself stays in its file."""

    module: Path
    label: str
    pin_file: Path
    lock_dir: Path


@dataclass(slots=True, eq=False)
class _Worker:
    """A session and the key handles found in it."""

    session: pkcs11.Session
    handles: dict[tuple[ObjectClass, str], Any] = field(default_factory=dict)

    def handle(self, kind: ObjectClass, label: str) -> Any:
        """The key's handle, looked up once a session because finding costs a millisecond."""
        handle = self.handles.get((kind, label))
        if handle is None:
            handle = self.session.get_key(object_class=kind, label=label)
            self.handles[kind, label] = handle
        return handle

    def close(self) -> None:
        with suppress(pkcs11.PKCS11Error):
            self.session.close()


class Token:
    """An open token. Make one with `Token.open`; threads may share it, forked children may not."""

    def __init__(self, location: TokenLocation, module: Module) -> None:
        """Use `Token.open`, which logs in first."""
        self.location = location
        self._module = module
        self._idle: deque[_Worker] = deque()

    @classmethod
    def open(cls, location: TokenLocation) -> Self:
        """Load the module, find the token and log in, unless this process has done so already.

        Raises: TokenNotFound, PinRejected, LockHeld, TokenUnavailable, ModuleForked.
        """
        return cls(location, _log_in(location))

    def __repr__(self) -> str:
        return f"Token({self.location.label!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle sessions; the login stays, for logging out would end every other use."""
        self._module.check_process()
        while self._idle:
            self._idle.pop().close()

    def has_key(self, label: str) -> bool:
        """Whether a private or secret key of this label is in the token."""
        return label in self.key_labels()

    def key_labels(self) -> list[str]:
        """Labels of all private and secret keys, sorted."""
        return self._run(lambda worker: sorted(_labels(worker.session)), self.location.label)

    def private_key(self, label: str) -> TokenECPrivateKey | TokenRSAPrivateKey:
        """The signing key of this label; its public key is read from the token now.

        Raises: KeyNotFound, TokenUnavailable.
        """
        public_key = self._run(
            lambda worker: read_public_key(
                worker.handle(_PRIVATE, label),
                worker.handle(ObjectClass.PUBLIC_KEY, label),
            ),
            label,
        )
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            return TokenECPrivateKey(self, label, public_key)
        return TokenRSAPrivateKey(self, label, public_key)

    def wrapping_key(self, label: str) -> WrappingKey:
        """The AES key of this label. Raises: KeyNotFound, TokenUnavailable."""
        self._run(lambda worker: worker.handle(_SECRET, label), label)
        return WrappingKey(self, label)

    def generate_ec_key(self, label: str, curve: ec.EllipticCurve) -> TokenECPrivateKey:
        """Make a key pair on P-256, P-384 or P-521 in the token. Raises: KeyExists."""
        parameters = curve_parameters(curve)

        def generate(session: pkcs11.Session, common: dict[str, Any]) -> None:
            domain = session.create_domain_parameters(
                KeyType.EC, {Attribute.EC_PARAMS: parameters}, local=True
            )
            domain.generate_keypair(**common, private_template=_STAYS_INSIDE)

        self._generate(label, MechanismFlag.SIGN | MechanismFlag.VERIFY, generate)
        return cast("TokenECPrivateKey", self.private_key(label))

    def generate_rsa_key(self, label: str, bits: int) -> TokenRSAPrivateKey:
        """Make an RSA key pair of this many bits in the token. Raises: KeyExists."""

        def generate(session: pkcs11.Session, common: dict[str, Any]) -> None:
            session.generate_keypair(KeyType.RSA, bits, **common, private_template=_STAYS_INSIDE)

        self._generate(label, MechanismFlag.SIGN | MechanismFlag.VERIFY, generate)
        return cast("TokenRSAPrivateKey", self.private_key(label))

    def generate_wrapping_key(self, label: str) -> WrappingKey:
        """Make an AES-256 key in the token. Raises: KeyExists."""

        def generate(session: pkcs11.Session, common: dict[str, Any]) -> None:
            session.generate_key(KeyType.AES, 256, **common, template=_STAYS_INSIDE)

        self._generate(label, MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT, generate)
        return WrappingKey(self, label)

    def use_private_key(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """Run one operation on the PKCS#11 private key of this label."""
        return self._run(lambda worker: operation(worker.handle(_PRIVATE, label)), label)

    def use_secret_key(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """Run one operation on the PKCS#11 secret key of this label."""
        return self._run(lambda worker: operation(worker.handle(_SECRET, label)), label)

    def _run(self, operation: Callable[[_Worker], Result], subject: str) -> Result:
        """Run one operation in a session that no other thread has; drop the session on any error.

        Never repeats the operation: a signature may have been made although the answer was lost.
        """
        worker = self._take_worker()
        try:
            result = operation(worker)
        except pkcs11.PKCS11Error as error:
            worker.close()
            if isinstance(error, _LOGIN_IN_DOUBT):
                # Not closed: closing would log out, and the login may be sound after all.
                self._module.logins.pop(self.location.label, None)
                self.close()
            raise meaning_of(error, subject) from error
        except BaseException:
            worker.close()
            raise
        self._idle.append(worker)
        return result

    def _take_worker(self) -> _Worker:
        self._module.check_process()
        try:
            return self._idle.pop()  # the last one put back: its handles are the warmest
        except IndexError:
            pass
        if self.location.label not in self._module.logins:
            _log_in(self.location)
        return _Worker(self._open_session())

    def _open_session(self, *, read_write: bool = False) -> pkcs11.Session:
        try:
            return self._module.token(self.location.label).open(rw=read_write)
        except pkcs11.PKCS11Error as error:
            raise meaning_of(error, self.location.label) from error

    def _generate(
        self,
        label: str,
        capabilities: MechanismFlag,
        generate: Callable[[pkcs11.Session, dict[str, Any]], None],
    ) -> None:
        self._module.check_process()
        common = {
            "label": label,
            "id": hashlib.sha256(label.encode()).digest()[:20],
            "store": True,
            "capabilities": capabilities,
        }
        with exclusive(self.location.lock_dir / "keys.lock"):
            if self.has_key(label):
                raise KeyExists(label)
            try:
                with self._open_session(read_write=True) as session:
                    generate(session, common)
            except pkcs11.PKCS11Error as error:
                raise meaning_of(error, label) from error


def _labels(session: pkcs11.Session) -> set[str]:
    return {
        str(key[Attribute.LABEL])
        for kind in (_PRIVATE, _SECRET)
        for key in list(session.get_objects({Attribute.CLASS: kind}))
    }


def _log_in(location: TokenLocation) -> Module:
    """Try to open the token until it is there or the pauses are used up."""
    for pause in LOGIN_PAUSES:
        try:
            with exclusive(location.lock_dir / "login.lock"):
                return _log_in_once(location)
        except _TRANSIENT as error:
            failure: HsmError = meaning_of(error, location.label)
        except pkcs11.PKCS11Error as error:
            raise meaning_of(error, location.label) from error
        threading.Event().wait(pause)
    raise failure


def _log_in_once(location: TokenLocation) -> Module:
    module = load_module(location.module)
    token = module.token(location.label)
    if location.label in module.logins:
        return module
    pin = _read_pin(location.pin_file)
    # A job that runs again and again must not use up the token's tries with one wrong PIN.
    attempt = (location.label, hashlib.sha256(pin.encode()).digest())
    if attempt in module.rejected_pins:
        raise PinRejected(location.label, "not tried again")
    try:
        module.logins[location.label] = token.open(user_pin=pin)
    except pkcs11.UserAlreadyLoggedIn:
        module.logins[location.label] = token.open()  # keeps the login from ending with the others
    except (pkcs11.PinIncorrect, pkcs11.PinLenRange):
        module.rejected_pins.add(attempt)
        raise
    return module


def _read_pin(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise PinUnreadable(str(path)) from error
