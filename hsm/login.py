"""Finding a token and logging in, once for the life of the process, under a lock file.

A token that keeps its state in files may rewrite them at each C_Login, and another process that
looks at that moment sees no token. So loading, finding and logging in happen under a lock file.
"""

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

import pkcs11

from hsm.errors import HsmError, PinRejected
from hsm.module import Module, exclusive, load_module, meaning_of
from hsm.pins import PIN_PAD, read_pin

LOGIN_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.0)
"""Seconds to wait after each failed try to open a token while another program logs in to it."""

_TRANSIENT = (pkcs11.NoSuchToken, pkcs11.GeneralError, pkcs11.UserPinNotInitialized)


@dataclass(frozen=True, slots=True)
class TokenLocation:
    """Where a token is found and how it is opened; the PIN itself stays where it is read from."""

    module: Path
    label: str
    pin_file: Path
    """A file, `fd:N`, `credential:NAME` or `pinpad:`, see `hsm.pins`."""
    lock_dir: Path

    @property
    def login_lock(self) -> Path:
        """The file that is locked while the module is initialised or somebody logs in."""
        return self.lock_dir / "login.lock"


def load_for(location: TokenLocation) -> Module:
    """The module of the token, initialised while nobody logs in to what it finds.

    Raises: LockHeld, TokenUnavailable, ModuleForked.
    """
    with exclusive(location.login_lock):
        return load_module(location.module)


def log_in(location: TokenLocation, module: Module) -> None:
    """Try to open the token until it is there or the pauses are used up.

    Raises: TokenNotFound, PinRejected, LockHeld, TokenUnavailable.
    """
    for pause in LOGIN_PAUSES:
        try:
            with exclusive(location.login_lock), module.gate.inside():
                _log_in_once(location, module)
                return
        except _TRANSIENT as error:
            failure: HsmError = meaning_of(error, location.label)
        except pkcs11.PKCS11Error as error:
            raise meaning_of(error, location.label) from error
        threading.Event().wait(pause)
    raise failure


def _log_in_once(location: TokenLocation, module: Module) -> None:
    token = module.token(location.label)
    if location.label in module.logins:
        return
    if location.pin_file == PIN_PAD:
        module.logins[location.label] = _log_in_at_device(token, location.label)
        return
    pin = read_pin(location.pin_file)
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


def _log_in_at_device(token: pkcs11.Token, label: str) -> pkcs11.Session:
    """Log in with what is typed or put in at the device (PKCS#11 v2.40 section 5.6, C_Login)."""
    if not token.flags & pkcs11.TokenFlag.PROTECTED_AUTHENTICATION_PATH:
        raise PinRejected(label, "the device does not ask for PINs by itself")
    return token.open(user_pin=pkcs11.PROTECTED_AUTH)
