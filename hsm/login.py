"""Finding a token and logging in, once for the life of the process, under a lock file.

A token that keeps its state in files may rewrite them at each C_Login, and another process that
looks at that moment sees no token. So loading, finding and logging in happen under a lock file.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

import pkcs11

from hsm.errors import HsmError, PinRejected
from hsm.module import Module, exclusive, load_module, meaning_of, pin_digest
from hsm.pins import PIN_PAD, read_pins

LOGIN_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.0)
"""Seconds to wait after each failed try to open a token while another program logs in to it."""

_TRANSIENT = (pkcs11.NoSuchToken, pkcs11.GeneralError, pkcs11.UserPinNotInitialized)


@dataclass(frozen=True, slots=True)
class TokenLocation:
    """Where a token is found and how it is opened; the PIN itself stays where it is read from.

    Label, serial, manufacturer and model are those of the token; an empty one may be any.
    """

    module: Path
    label: str
    pin_file: Path
    """A file, `fd:N`, `credential:NAME` or `pinpad:`, see `hsm.pins`."""
    lock_dir: Path
    serial: str = ""
    manufacturer: str = ""
    model: str = ""
    module_arguments: str = ""
    """Handed to C_Initialize, for the modules that want a text there."""

    @property
    def name(self) -> str:
        """What tells this token from others of the module, in messages and in memory."""
        return " ".join(filter(None, (self.label, self.serial, self.manufacturer, self.model)))

    @property
    def login_lock(self) -> Path:
        """The file that is locked while the module is initialised or somebody logs in."""
        return self.lock_dir / "login.lock"


def load_for(location: TokenLocation) -> Module:
    """The module of the token, initialised while nobody logs in to what it finds.

    Raises: LockHeld, TokenUnavailable, ModuleForked.
    """
    with exclusive(location.login_lock):
        return load_module(location.module, location.module_arguments)


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
            failure: HsmError = meaning_of(error, location.name)
        except pkcs11.PKCS11Error as error:
            raise meaning_of(error, location.name) from error
        threading.Event().wait(pause)
    raise failure


def _log_in_once(location: TokenLocation, module: Module) -> None:
    token = module.token(location.label, location.serial, location.manufacturer, location.model)
    if location.name in module.logins:
        return
    if location.pin_file == PIN_PAD:
        module.log_in_at_device(location.name, token)
        return
    failure: Exception = PinRejected(location.name, "not tried again")
    for pin in read_pins(location.pin_file):
        # A job that runs again and again must not use up the token's tries with one wrong PIN.
        attempt = (location.name, pin_digest(pin))
        if attempt in module.rejected_pins:
            continue
        try:
            module.log_in(location.name, token, pin)
        except (pkcs11.PinIncorrect, pkcs11.PinLenRange) as error:
            module.rejected_pins.add(attempt)
            failure = error
        else:
            return
    raise failure
