"""A private OpenLDAP server: our own child, on the loopback only, with a folder of its own.

It plays the X.500 directory in the story and in the tests. Debian's own slapd service is neither
needed nor touched.
"""

import base64
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import threading
import time
from pathlib import Path

from demo.errors import ProgramMissing, ServerFailed
from demo.processes import start_child, stop_child
from publish_ldap.directory import Directory
from publish_ldap.settings import DirectorySettings

_SUFFIX = re.compile(r"dc=[a-z0-9-]+(,dc=[a-z0-9-]+)*")
_START_SECONDS = 15
_LOOK_AGAIN_SECONDS = 0.02

# Debian's paths. Where the schema files lie elsewhere, the log says so.
_CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
# X.520 6.4.4, not in OpenLDAP's own schema files: slapd refuses a certificate whose issuer name
# has an attribute type that it does not know.
attributetype ( 2.5.4.97 NAME 'organizationIdentifier'
  EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile "{folder}/slapd.pid"
argsfile "{folder}/slapd.args"

database mdb
suffix "{suffix}"
rootdn "cn=admin,{suffix}"
rootpw {password_hash}
directory "{folder}/entries"
maxsize 1073741824
index objectClass,uid,entryUUID,userCertificate eq
access to * by * read
"""


class PrivateSlapd:
    """An OpenLDAP server over one folder; entries and password outlive a stop and a new start."""

    def __init__(self, directory: Path, port: int, suffix: str = "dc=tillid,dc=example") -> None:
        """Take the folder, the TCP port on 127.0.0.1, and the DN that the entries stand under."""
        if not _SUFFIX.fullmatch(suffix):
            raise ValueError("the suffix is written as dc=...,dc=... in lower case")
        self.suffix = suffix
        self.url = f"ldap://127.0.0.1:{port}"
        self.admin_dn = f"cn=admin,{suffix}"
        self._folder = directory.resolve()
        self.password_file = self._folder / "admin.password"
        self.log = self._folder / "slapd.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child is not None and self.is_running() else None

    @property
    def listeners(self) -> str:
        """The addresses it listens on."""
        return self.url

    def settings(self, name: str = "demo", timeout_seconds: int = 5) -> DirectorySettings:
        """What `publish_ldap` needs to know to publish here."""
        return DirectorySettings(
            name=name,
            url=self.url,
            base_dn=self.suffix,
            bind_dn=self.admin_dn,
            password_file=self.password_file,
            timeout_seconds=timeout_seconds,
        )

    def start(self) -> None:
        """Start, and return when the base entry answers; nothing happens if it runs already.

        Raises: ProgramMissing, ServerFailed.
        """
        if self.is_running():
            return
        slapd = _program("slapd")
        slapadd = _program("slapadd")
        configuration = self._write_configuration()
        self.ensure_base_entry(slapadd, configuration)
        # `-d` keeps slapd in the foreground, so that it stays our child.
        self._child = start_child(
            [slapd, "-h", self.listeners, "-f", str(configuration), "-d", "0"], self.log
        )
        try:
            self._await_answer(self._child)
        except ServerFailed:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the child, by its pid alone; nothing happens if it does not run."""
        if self._child is not None:
            stop_child(self._child)
            self._child = None

    def is_running(self) -> bool:
        """Whether the child lives."""
        return self._child is not None and self._child.poll() is None

    def _write_configuration(self) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / "entries").mkdir(mode=0o700, exist_ok=True)
        if not self.password_file.exists():
            _write_private(self.password_file, secrets.token_urlsafe(24))
        configuration = self._folder / "slapd.conf"
        _write_private(configuration, self.configuration())
        return configuration

    def configuration(self) -> str:
        """The text of slapd.conf(5)."""
        return _CONFIGURATION.format(
            folder=self._folder,
            suffix=self.suffix,
            password_hash=_password_hash(self.password_file.read_text(encoding="utf-8")),
        )

    def ensure_base_entry(self, slapadd: str, configuration: Path) -> None:
        """Add the base entry while the server is down; a second add is refused and changes nothing.

        The exit status is of no use: what counts is that the base entry answers after the start.
        """
        component = self.suffix.partition(",")[0].removeprefix("dc=")
        ldif = (
            f"dn: {self.suffix}\nobjectClass: organization\nobjectClass: dcObject\n"
            f"o: {component}\ndc: {component}\n"
        )
        with self.log.open("ab") as output:
            subprocess.run(
                [slapadd, "-f", str(configuration), "-b", self.suffix],
                input=ldif.encode(),
                stdout=output,
                stderr=output,
                check=False,
            )

    def _await_answer(self, child: subprocess.Popen[bytes]) -> None:
        pause = threading.Event()
        deadline = time.monotonic() + _START_SECONDS
        with Directory(self.settings()) as directory:
            while child.poll() is None and time.monotonic() < deadline:
                if directory.is_reachable():
                    return
                pause.wait(_LOOK_AGAIN_SECONDS)
        raise ServerFailed("slapd", self.log)


def _program(name: str) -> str:
    """Find a server program; the sbin folders are often missing from a user's PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise ProgramMissing(name, package="slapd")
    return found


def _password_hash(password: str) -> str:
    """The salted form that slapd.conf(5) holds; the password itself has 192 random bits."""
    salt = secrets.token_bytes(16)
    digest = hashlib.sha1(password.encode() + salt).digest()  # noqa: S324 - slapd's built-in scheme
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def _write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, in one step: never half, never readable in between."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
