"""The service as its operator runs it: a state directory, `tillid serve` as a process, and verbs.

An installation can be copied while its service stands still, so that one that was prepared once
serves many tests.
"""

import http.client
import json
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from demo.processes import is_free, start_child
from demo.slapd import PrivateSlapd
from tests.support.command_line import ROOT, clean_environment, tillid
from tests.support.installation import REGISTER

ORGANISATION = "Tillid Test"
_READY_SECONDS = 90


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """One installation; `environment` is what its processes get beside the surroundings."""

    state: Path
    environment: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    seen: int = field(default=0, repr=False)
    started_by: tuple[str, ...] = ()
    """What the command line of `tillid serve` is handed to, if it is not started as it is."""

    @classmethod
    def prepare(
        cls, state: Path, slapd: PrivateSlapd | None = None, database: str = "", owner: str = ""
    ) -> "Service":
        """Settings, database and both issuers; nothing runs yet.

        `owner` is the address that the database is migrated by, if not `database`.
        """
        state.mkdir(mode=0o700)
        (state / "tillid.toml").write_text(_settings(slapd))
        if slapd is not None:
            (state / "processors.toml").write_text(REGISTER)
        environment = {
            "TILLID_STATE": str(state),
            "TILLID_PUBLIC__PORT": str(quiet_port()),
            "TILLID_STAFF__PORT": str(quiet_port()),
        }
        service = cls(state, environment)
        if database:
            environment["TILLID_DATABASE__URL"] = database
        if owner:
            environment["TILLID_DATABASE__OWNER_URL"] = owner
        service.verb("db", "migrate")
        environment.pop("TILLID_DATABASE__OWNER_URL", None)
        service.verb("ceremony", "run", "--organisation", ORGANISATION)
        return service

    def copy(self, state: Path, database: str = "") -> "Service":
        """The same installation elsewhere, at the same addresses; `database` is a copied one."""
        assert self.process is None, "an installation is copied while its service stands still"
        shutil.copytree(self.state, state)
        environment = self.environment | {"TILLID_STATE": str(state)}
        if database:
            environment["TILLID_DATABASE__URL"] = database
        return Service(state, environment)

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['TILLID_PUBLIC__PORT']}"

    @property
    def staff_url(self) -> str:
        return f"https://127.0.0.1:{self.environment['TILLID_STAFF__PORT']}"

    @property
    def trust(self) -> Path:
        """The root certificate, where people keep it."""
        return self.state / "people" / "root.pem"

    @property
    def serve_log(self) -> Path:
        return self.state / "logs" / "serve-output.log"

    def tillid(self, *arguments: str, **additions: str) -> "subprocess.CompletedProcess[str]":
        """Run a verb of the command line on this installation."""
        environment = self.environment | additions
        return tillid(*arguments, directory=self.state, environment=environment)

    def verb(self, *arguments: str) -> Any:
        """Run a verb that has to succeed; gives its result."""
        done = self.tillid(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["result"]

    def launch(self, failpoint: str = "") -> None:
        """Start `tillid serve`; it ends with this process, whatever ends this process."""
        self.serve_log.parent.mkdir(mode=0o700, exist_ok=True)
        self.seen = self.serve_log.stat().st_size if self.serve_log.exists() else 0
        additions = {"TILLID_FAILPOINT": failpoint} if failpoint else {}
        environment = clean_environment({"PYTHONFAULTHANDLER": "1"} | self.environment | additions)
        command = [*self.started_by, sys.executable, str(ROOT / "cli.py"), "serve"]
        self.process = start_child(command, self.serve_log, environment)

    def start(self, failpoint: str = "") -> "Service":
        """Start and wait until it says ready."""
        self.launch(failpoint)
        until("ready", lambda: "ready" in self.said().split() or self.has_ended(), _READY_SECONDS)
        assert not self.has_ended(), self.said()
        return self

    def said(self) -> str:
        """What the service that was started last has written to its standard error."""
        return self.serve_log.read_text()[self.seen :]

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def end_of_process(self, seconds: float = 30) -> int:
        """Wait until the process ends by itself; gives how, as `subprocess` does.

        One that stays says where every thread of it stands, and is ended: the next test wants its
        ports.
        """
        assert self.process is not None
        process, self.process = self.process, None
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # faulthandler prints the stacks
            process.wait()
            pytest.fail(f"still alive after {seconds} s: {self.said()}")

    def stop(self) -> int:
        """End it as an operator does."""
        assert self.process is not None
        self.process.terminate()
        return self.end_of_process()

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.kill()
        assert self.end_of_process() == -signal.SIGKILL

    def discard(self) -> None:
        """End it at the end of a test, whatever became of it."""
        if not self.has_ended():
            self.stop()

    def processes(self) -> set[int]:
        """The living processes that belong to this installation, by their environment."""
        mark = f"TILLID_STATE={self.state}".encode()
        return {pid for pid, environment in _environments() if mark in environment.split(b"\0")}

    def staff(
        self, path: str, body: object = None, identity: Path | None = None, secret: str = ""
    ) -> Answer:
        """Call the staff listener: POST when there is a body, with an identity or a secret."""
        context = ssl.create_default_context(cafile=str(self.trust))
        if identity is not None:
            context.load_cert_chain(identity)
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        sent = None
        if body is not None:
            sent = json.dumps(body)
            headers["Content-Type"] = "application/json"
        port = int(self.environment["TILLID_STAFF__PORT"])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
        method = "GET" if body is None else "POST"
        return _exchange(connection, method, path, sent, headers)

    def api(self, path: str, body: object = None, **caller: Any) -> Any:
        """Call an operation of the API that has to succeed; JSON where the answer is."""
        answer = self.staff(f"/api/v1/{path}", body, **caller)
        assert answer.status < 300, (answer.status, answer.headers, answer.body)
        return answer.json

    def public(self, path: str, sent: bytes | None = None) -> Answer:
        """Ask the public listener: POST when octets are sent."""
        port = int(self.environment["TILLID_PUBLIC__PORT"])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        return _exchange(connection, "GET" if sent is None else "POST", path, sent, {})


def until(what: str, seen: Callable[[], bool], seconds: float = 60, rest: float = 0.05) -> float:
    """Look until something is seen, with a rest (seconds) between; gives the seconds it took."""
    started, pause = time.monotonic(), Event()
    while not seen():
        assert time.monotonic() - started < seconds, f"{what}: not within {seconds} s"
        pause.wait(rest)
    return time.monotonic() - started


def quiet_port() -> int:
    """A free port below those that outgoing connections take, so that it stays free for a while."""
    numbers = random.SystemRandom()
    while (port := numbers.randint(15000, 31999)) in _GIVEN or not is_free(port):
        pass
    _GIVEN.add(port)
    return port


_GIVEN = set[int]()


def _environments() -> list[tuple[int, bytes]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((int(entry.name), (entry / "environ").read_bytes()))
            except OSError:  # it has ended meanwhile, or is another user's
                continue
    return [(pid, environment) for pid, environment in found if pid != os.getpid()]


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: str | bytes | None,
    headers: dict[str, str],
) -> Answer:
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def _settings(slapd: PrivateSlapd | None) -> str:
    text = '[registers]\nadapter = "fake"\n\n[jobs]\ntick_seconds = 0.3\n'
    text += "\n[keystore]\nseal_at_once = true\n"
    if slapd is None:
        return text
    return f"""{text}
[directories.main]
processor = "this machine"
region = "EU"
url = "{slapd.url}"
base_dn = "{slapd.suffix}"
bind_dn = "{slapd.admin_dn}"
password_file = "{slapd.password_file}"
"""
