"""SoftHSM: a store of software tokens in one directory, made and kept whole by this module.

    <directory>/softhsm2.conf            written from softhsm-config/softhsm2.conf.in
    <directory>/tokens/<uuid>/           one folder a token, SoftHSM's own
    <directory>/token-objects/<label>/<uuid>   the copy of that token's token.object
    <directory>/pins/<label>.pin, <label>.so-pin
    <directory>/locks/

SoftHSM truncates token.object at each C_Login and then writes it again. A process killed in
between leaves an empty file or a part of it, and with it a token that no longer exists; the copy
brings it back (`hsm.token_object` tells a torn file from one that is newer than its copy).
"""

import fcntl
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import hsm
from hsm.errors import TokenNotFound, TokenUnavailable
from hsm.files import move, write_owner_only
from hsm.module import exclusive, is_loaded, load_module
from hsm.pins import keep_pin
from hsm.token import TokenLocation
from hsm.token_object import is_torn

LIBRARIES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
)
"""Where distributions put the module; the first one present is used."""

_CONFIGURATION_VARIABLE = "SOFTHSM2_CONF"
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


def softhsm_library() -> Path:
    """The SoftHSM module of this machine. Raises: TokenUnavailable when it is not installed."""
    for path in LIBRARIES:
        if path.exists():
            return path
    raise TokenUnavailable("libsofthsm2.so", "not installed")


@dataclass(frozen=True, slots=True)
class SoftHsmStore:
    """The tokens of one directory. A process can use one store, for SoftHSM is initialised once."""

    directory: Path
    module: Path = field(default_factory=softhsm_library)

    def prepare(self) -> None:
        """Make the directories, for the owner alone, and write the configuration."""
        for folder in (self.directory, self._tokens, self._copies, self.pins, self._locks):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = _template().read_text(encoding="utf-8").replace("@TOKENS@", str(self._tokens))
        if not self._configuration.exists() or self._configuration.read_text() != text:
            write_owner_only(self._configuration, text.encode())

    def activate(self) -> None:
        """Point SoftHSM at this store and repair it, before the process loads the module.

        Raises: TokenUnavailable when the process has loaded the module for another store.
        """
        wanted = str(self._configuration)
        if is_loaded(self.module):
            if os.environ.get(_CONFIGURATION_VARIABLE) != wanted:
                raise TokenUnavailable(str(self.directory), "another store is in use")
            return
        self.prepare()
        self.repair()
        os.environ[_CONFIGURATION_VARIABLE] = wanted

    def create_token(self, label: str, pins: tuple[str, str] | None = None) -> TokenLocation:
        """Make a token with random PINs, or finish one that a crash left half made.

        The PINs are written before the token exists, so no token is ever without its PINs.
        `pins`, the security officer's and the user's, are written nowhere: others keep them.
        Raises: TokenUnavailable, ValueError for a label that would not stand in a file name.
        """
        if not _LABEL.fullmatch(label):
            raise ValueError("a token label is 1 to 32 of a-z, 0-9, dot, hyphen and underscore")
        self.activate()
        with exclusive(self._login_lock):
            if label not in self.labels():
                so_pin, pin = pins or (
                    keep_pin(self.pins / f"{label}.so-pin"),
                    keep_pin(self.pins / f"{label}.pin"),
                )
                serial = load_module(self.module).initialise_token(label, so_pin, pin)
                self._copy(label, self._folder_of(label, serial))
        return self.location(label)

    def location(self, label: str) -> TokenLocation:
        """Where the token of this label is opened. Raises: TokenNotFound."""
        if label not in self.labels():
            raise TokenNotFound(label)
        return TokenLocation(self.module, label, self.pins / f"{label}.pin", self._locks)

    def labels(self) -> list[str]:
        """Labels of the finished tokens, sorted."""
        return sorted({copy.parent.name for copy in self._copies.glob("*/*")})

    def refresh_copy(self, label: str) -> None:
        """Copy token.object again; to be called after each change of a PIN.

        Raises: TokenNotFound, TokenUnavailable when token.object is torn.
        """
        with exclusive(self._login_lock):
            for copy in list((self._copies / label).glob("*")):
                self._copy(label, self._tokens / copy.name)
                return
        raise TokenNotFound(label)

    def torn(self) -> list[str]:
        """Labels of the tokens whose token.object is not whole, sorted."""
        with exclusive(self._login_lock):
            return [copy.parent.name for copy, _ in self._torn()]

    def repair(self) -> list[str]:
        """Put the copy in place of each torn token.object; the labels of the tokens restored.

        What a torn one held is kept beside it, as token.object.torn.
        """
        restored = []
        with exclusive(self._login_lock):
            for copy, original in self._torn():
                octets = copy.read_bytes()
                if not octets:
                    continue
                if original.exists():
                    move(original, original.with_name("token.object.torn"))
                write_owner_only(original, octets)
                restored.append(copy.parent.name)
        return restored

    def _torn(self) -> list[tuple[Path, Path]]:
        """The copy and the place of each token.object that is not whole."""
        pairs = [
            (copy, self._tokens / copy.name / "token.object")
            for copy in sorted(self._copies.glob("*/*"))
        ]
        return [
            (copy, original)
            for copy, original in pairs
            if original.parent.is_dir() and is_torn(_read(original), copy.read_bytes())
        ]

    def _copy(self, label: str, folder: Path) -> None:
        octets = _read(folder / "token.object")
        copy = self._copies / label / folder.name
        if is_torn(octets, copy.read_bytes() if copy.exists() else octets):
            raise TokenUnavailable(label, "token.object is torn")
        copy.parent.mkdir(mode=0o700, exist_ok=True)
        write_owner_only(copy, octets)

    def _folder_of(self, label: str, serial: str) -> Path:
        """SoftHSM names the folder by a UUID and takes its last 16 digits for the serial number."""
        for folder in self._tokens.iterdir():
            if folder.name.replace("-", "").endswith(serial):
                return folder
        raise TokenNotFound(label)

    @property
    def _configuration(self) -> Path:
        return self.directory / "softhsm2.conf"

    @property
    def _tokens(self) -> Path:
        return self.directory / "tokens"

    @property
    def _copies(self) -> Path:
        return self.directory / "token-objects"

    @property
    def pins(self) -> Path:
        """Where the PINs are, and what is known of PINs that are not."""
        return self.directory / "pins"

    @property
    def _locks(self) -> Path:
        return self.directory / "locks"

    @property
    def _login_lock(self) -> Path:
        return self._locks / "login.lock"


def _read(token_object: Path) -> bytes:
    """What is in the file, nothing if there is none.

    Other programs log in without our lock file; SoftHSM locks the file itself while it writes.
    """
    try:
        with token_object.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH)
            return file.read()
    except FileNotFoundError:
        return b""


def _template() -> Path:
    """The configuration template: beside the packages in a checkout, inside this one in a wheel."""
    package = Path(hsm.__file__).parent
    for folder in (package, package.parent):
        template = folder / "softhsm-config" / "softhsm2.conf.in"
        if template.exists():
            return template
    raise TokenUnavailable("softhsm2.conf.in", "the configuration template is missing")
