"""A PKCS#11 module in this process: initialised once, with locks, and anew in a forked child.

python-pkcs11 0.10 calls `C_Initialize(NULL)`, which tells the module that one thread will use it
(PKCS#11 v2.40 section 5.4). Threads then corrupt SoftHSM's memory, and other modules refuse the
call. So the module is initialised here, with CKF_OS_LOCKING_OK, before python-pkcs11 sees it.
"""

import ctypes
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pkcs11
from pkcs11 import _pkcs11

from hsm.errors import (
    HsmError,
    KeyNotFound,
    LockHeld,
    ModuleForked,
    PinRejected,
    TokenAmbiguous,
    TokenNotFound,
    TokenUnavailable,
)
from hsm.failures import ckr_of
from hsm.key_kinds import Attributes
from hsm.openssl_errors import forget_openssl_errors
from hsm.recovery import Breaker, Gate

LOCK_PATIENCE = 30.0
"""Seconds that a lock file is waited for."""

RESTART_PATIENCE = 5.0
"""Seconds that the calls under way are given to end before a module is restarted or forked."""

_LOCK_POLL = 0.01
_CKF_OS_LOCKING_OK = 0x2
_CKR_OK = 0x0
_CKR_NOT_INITIALIZED = 0x190
_CKR_ALREADY_INITIALIZED = 0x191
_USER_STATES = (1, 3)  # CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS
_LABEL_OCTETS = 32

_MEANINGS: dict[type[pkcs11.PKCS11Error], type[HsmError]] = {
    pkcs11.NoSuchToken: TokenNotFound,
    pkcs11.TokenNotPresent: TokenNotFound,
    pkcs11.PinIncorrect: PinRejected,
    pkcs11.PinInvalid: PinRejected,
    pkcs11.PinLenRange: PinRejected,
    pkcs11.PinExpired: PinRejected,
    pkcs11.PinLocked: PinRejected,
    pkcs11.NoSuchKey: KeyNotFound,
    pkcs11.MultipleTokensReturned: TokenAmbiguous,
}


def meaning_of(error: pkcs11.PKCS11Error, subject: str) -> HsmError:
    """This package's error for a return value."""
    return _MEANINGS.get(type(error), TokenUnavailable)(subject, ckr_of(error))


class _InitializeArgs(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS (PKCS#11 v2.40 section 3.7).

    The standard wants `reserved` to be NULL; some modules take a text of their own there.
    """

    _fields_ = (
        ("create_mutex", ctypes.c_void_p),
        ("destroy_mutex", ctypes.c_void_p),
        ("lock_mutex", ctypes.c_void_p),
        ("unlock_mutex", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_char_p),
    )


class _FunctionList(ctypes.Structure):
    """The start of CK_FUNCTION_LIST: a version and function pointers in the standard's order."""

    _fields_ = (("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * 16))


class _SessionInfo(ctypes.Structure):
    """CK_SESSION_INFO (PKCS#11 v2.40 section 3.3)."""

    _fields_ = tuple((name, ctypes.c_ulong) for name in ("slot", "state", "flags", "device_error"))


_INITIALIZE, _FINALIZE, _INIT_TOKEN, _GET_SESSION_INFO = 0, 1, 9, 15
_C_Initialize = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.POINTER(_InitializeArgs))
_C_Finalize = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)
_C_GetSessionInfo = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.POINTER(_SessionInfo))
_C_InitToken = ctypes.CFUNCTYPE(
    ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p
)


@dataclass(slots=True, eq=False)
class Module:
    """An initialised PKCS#11 module and the logins this process holds in it."""

    path: Path
    library: _pkcs11.lib
    functions: _FunctionList
    process: int
    arguments: str = ""
    """What C_Initialize is handed; empty for modules that keep to the standard."""
    attributes: Attributes = field(default_factory=Attributes, repr=False)
    logins: dict[str, pkcs11.Session] = field(default_factory=dict)
    rejected_pins: set[tuple[str, bytes]] = field(default_factory=set, repr=False)
    accepted_pins: dict[str, bytes] = field(default_factory=dict, repr=False)
    breakers: dict[str, Breaker] = field(default_factory=dict, repr=False)
    """One for each token, shared by all who opened it."""
    gate: Gate = field(default_factory=Gate, repr=False)
    """Every call into the module is made inside, so that none is under way in a restart."""
    epoch: int = 0
    """Counts the restarts; a session of an earlier epoch must not even be closed."""
    calm_at_fork: bool = True
    """Whether no call was under way when this process last forked."""

    def check_process(self) -> None:
        """Raises: ModuleForked in any process but the one that loaded the module."""
        if os.getpid() != self.process:
            raise ModuleForked(str(self.path))

    def restart(self) -> None:
        """Finalise and initialise the module again; ends every login and session in it.

        A library that looks for its devices when it is initialised finds them again only so.
        Raises: TokenUnavailable when a call does not end, or the module refuses.
        """
        with self.gate.alone(RESTART_PATIENCE) as empty:
            if not empty:
                raise TokenUnavailable(str(self.path), "a call does not end")
            self.epoch += 1
            self.logins.clear()
            self.library.finalize()  # does nothing but where `_initialise_own_list` had work
            _finalise(self.functions, self.path)
            _initialise(self.functions, self.path, self.arguments)
            _initialise_own_list(self.library)

    def is_logged_in(self, session: pkcs11.Session) -> bool:
        """Whether the user is logged in, as the session sees it: without that, keys are hidden."""
        ask = _C_GetSessionInfo(self.functions.functions[_GET_SESSION_INFO])
        info = _SessionInfo()
        answer = ask(session.handle, ctypes.byref(info))  # type: ignore[attr-defined]  # no stub of it
        return answer == _CKR_OK and info.state in _USER_STATES

    def has_token(self, label: str) -> bool:
        """Whether a token of this label is there now."""
        try:
            with self.gate.inside():
                return self._present_token(label) is not None
        except pkcs11.PKCS11Error as error:
            raise meaning_of(error, label) from error

    def token(
        self, label: str, serial: str = "", manufacturer: str = "", model: str = ""
    ) -> pkcs11.Token:
        """The one token of this description, of which an empty part may be anything.

        A module may give a slot a label before there is an initialised token in it.
        Raises: pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned.
        """
        wanted = (label, serial, manufacturer, model)
        found = [
            token
            for token in self.library.get_tokens(token_flags=pkcs11.TokenFlag.TOKEN_INITIALIZED)
            if all(of in ("", has) for of, has in zip(wanted, _description(token), strict=True))
        ]
        if not found:
            raise pkcs11.NoSuchToken(f"no token {label}")
        if len(found) > 1:
            raise pkcs11.MultipleTokensReturned(f"{len(found)} tokens {label}")
        return found[0]

    def log_in(self, name: str, token: pkcs11.Token, pin: str) -> None:
        """Log in, or join the login that this process has, and keep the session that holds it."""
        try:
            self.logins[name] = token.open(user_pin=pin, attribute_mapper=self.attributes)
            self.accepted_pins[name] = pin_digest(pin)
        except pkcs11.UserAlreadyLoggedIn:
            self.logins[name] = self.worker_session(token)

    def log_in_at_device(self, name: str, token: pkcs11.Token) -> None:
        """Log in with what is typed or put in at the device (PKCS#11 v2.40 section 5.6)."""
        if not token.flags & pkcs11.TokenFlag.PROTECTED_AUTHENTICATION_PATH:
            raise PinRejected(name, "the device does not ask for PINs by itself")
        self.logins[name] = token.open(
            user_pin=pkcs11.PROTECTED_AUTH, attribute_mapper=self.attributes
        )

    def worker_session(self, token: pkcs11.Token, *, rw: bool = False) -> pkcs11.Session:
        """A session that uses the login there is."""
        return token.open(rw=rw, attribute_mapper=self.attributes)

    def initialise_token(self, label: str, so_pin: str, pin: str, *, again: bool = False) -> str:
        """Make a token in a free slot, or finish a half-made one, and return its serial number.

        `again` makes another token, though there is one of this label.
        Raises: TokenUnavailable without a free slot or on any refusal (PKCS#11 v2.40 section 5.5).
        """
        try:
            with self.gate.inside():
                there = None if again else self._present_token(label)
                token = there or self._init_token(label, so_pin)
                if not token.flags & pkcs11.TokenFlag.USER_PIN_INITIALIZED:
                    with token.open(rw=True, so_pin=so_pin) as session:
                        session.init_pin(pin)
        except pkcs11.PKCS11Error as error:
            raise meaning_of(error, label) from error
        return token.serial.decode("ascii", "replace")

    def _present_token(self, label: str) -> pkcs11.Token | None:
        try:
            return self.token(label)
        except pkcs11.NoSuchToken:
            return None

    def _init_token(self, label: str, so_pin: str) -> pkcs11.Token:
        initialised = pkcs11.TokenFlag.TOKEN_INITIALIZED
        slots = self.library.get_slots(token_present=True)
        free = [slot for slot in slots if not slot.get_token().flags & initialised]
        if not free:
            raise TokenUnavailable(label, "no free slot")
        secret = so_pin.encode()
        init_token = _C_InitToken(self.functions.functions[_INIT_TOKEN])
        padded = label.encode().ljust(_LABEL_OCTETS)
        _accept(init_token(free[0].slot_id, secret, len(secret), padded), label)
        return free[0].get_token()


# C_Initialize acts on the whole process, so what was initialised is the process's to remember. Each
# is named by its number, for a forked child has the memory of its parent; a lock may be held in it.
_LOADED: dict[tuple[int, Path], Module] = {}
_LOADING: dict[int, threading.Lock] = {}


def pin_digest(pin: str) -> bytes:
    """What is remembered of a PIN: whether another one is the same."""
    return hashlib.sha256(pin.encode()).digest()


def _description(token: pkcs11.Token) -> tuple[str, str, str, str]:
    serial = token.serial.decode("utf-8", "replace").strip()
    return token.label.strip(), serial, token.manufacturer_id.strip(), token.model.strip()


def is_loaded(path: Path) -> bool:
    """Whether this process, or the parent it was forked from, has loaded the module."""
    return path.resolve() in {loaded for _, loaded in _LOADED}


def load_module(path: Path, arguments: str = "") -> Module:
    """The module at this path, initialised with the arguments of the process's first call.

    Raises: TokenUnavailable when it cannot be loaded, ModuleForked in a child that was forked while
    a call was under way.
    """
    process = os.getpid()
    wanted = process, path.resolve()
    module = _LOADED.get(wanted)
    if module is None:
        with _LOADING.setdefault(process, threading.Lock()):
            module = _LOADED.get(wanted)
            if module is None:
                module = _LOADED[wanted] = _load(wanted[1], arguments)
                _keep_calm_in_forks(module)
    return module


def _keep_calm_in_forks(module: Module) -> None:
    """Let no call be under way while the process forks, or the child finds locks that stay held."""

    def before() -> None:
        if os.getpid() == module.process:
            module.calm_at_fork = module.gate.close(RESTART_PATIENCE)

    def after_in_parent() -> None:
        if os.getpid() == module.process:
            module.gate.open()

    os.register_at_fork(before=before, after_in_parent=after_in_parent)


def _load(path: Path, module_arguments: str) -> Module:
    try:
        get_function_list = ctypes.CDLL(str(path)).C_GetFunctionList
    except (OSError, AttributeError) as error:
        raise TokenUnavailable(str(path), "no PKCS#11 module") from error
    table = ctypes.POINTER(_FunctionList)()
    get_function_list.restype = ctypes.c_ulong
    _accept(get_function_list(ctypes.byref(table)), str(path))
    functions: _FunctionList = table.contents
    inherited = [module for (_, loaded), module in _LOADED.items() if loaded == path]
    if inherited and not inherited[-1].calm_at_fork:
        raise ModuleForked(str(path), "a call was under way at the fork")
    if _initialise(functions, path, module_arguments) != _CKR_OK and inherited:
        # SoftHSM does not see by itself that it is in a child (PKCS#11 v2.40 section 5.4).
        _finalise(functions, path)
        _initialise(functions, path, module_arguments)
    # `lib.__init__` would call C_Initialize(NULL); `__new__` alone opens the function list.
    library = _pkcs11.lib.__new__(_pkcs11.lib, str(path))  # type: ignore[call-arg]  # no stub of it
    _initialise_own_list(library)
    return Module(path, library, functions, os.getpid(), module_arguments)


def _initialise(functions: _FunctionList, path: Path, text: str) -> int:
    initialize = _C_Initialize(functions.functions[_INITIALIZE])
    arguments = _InitializeArgs(flags=_CKF_OS_LOCKING_OK, reserved=text.encode() or None)
    answer: int = initialize(ctypes.byref(arguments))
    forget_openssl_errors()
    _accept(answer, str(path), _CKR_ALREADY_INITIALIZED)
    return answer


def _finalise(functions: _FunctionList, path: Path) -> None:
    finalize = _C_Finalize(functions.functions[_FINALIZE])
    _accept(finalize(None), str(path), _CKR_NOT_INITIALIZED)


def _initialise_own_list(library: _pkcs11.lib) -> None:
    """Initialise the function list of python-pkcs11 where it is not the one used above.

    p11-kit-proxy gives each caller of C_GetFunctionList a list with a state of its own. It takes
    NULL, and itself initialises the modules behind it with locks.
    """
    try:
        library.get_slots()
    except pkcs11.PKCS11Error as error:
        if "not initialized" not in str(error):
            raise meaning_of(error, "C_GetSlotList") from error
        library.initialize()


def _accept(return_value: int, subject: str, *also: int) -> None:
    if return_value not in (_CKR_OK, *also):
        raise TokenUnavailable(subject, f"CKR {return_value:#x}")


@contextmanager
def exclusive(path: Path, patience: float = LOCK_PATIENCE) -> Iterator[None]:
    """Hold the lock file against every other thread and process; `patience` in seconds.

    Raises: LockHeld when the patience is over.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as lock:
        _wait_for(lock, path, patience)
        try:
            yield
        finally:  # closing alone would leave it to a child that was forked meanwhile
            fcntl.flock(lock, fcntl.LOCK_UN)


def _wait_for(lock: IO[str], path: Path, patience: float) -> None:
    pause = threading.Event()
    for _ in range(int(patience / _LOCK_POLL) + 1):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause.wait(_LOCK_POLL)
        else:
            return
    raise LockHeld(str(path))
