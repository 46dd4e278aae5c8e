"""The stage of the demo: its folder, its directory server, the service, and the tools it calls.

Everything is done with the programs that a user has: tillid, openssl, curl, ldapsearch. Each call
can be shown as a line that can be repeated.
"""

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from demo.errors import CommandFailed, NotSeen, ProgramMissing, ServerFailed
from demo.identities import curl_options, environment_of
from demo.processes import free_port, is_free, start_child, stop_child
from demo.slapd import PrivateSlapd
from server.settings import Settings
from server.settings_sources import load_settings
from server.state import make_state_directory, state_directory

PROGRAMS = {
    "openssl": "openssl",
    "curl": "curl",
    "ldapsearch": "ldap-utils",
    "slapd": "slapd",
}
_READY_SECONDS = 90
# A failpoint of a test is meant for the service, not for the tools of its users.
_FAILPOINT = "TILLID_FAILPOINT"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    output: str
    errors: str


@dataclass(slots=True)
class Stage:
    """Where the story is played, and what is known of it so far."""

    state: Path
    settings: Settings
    slapd: PrivateSlapd
    facts: dict[str, Any]
    pause: Event = field(default_factory=Event)
    service: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def prepare(cls, tour: str = "", further: str = "") -> "Stage":
        """Make the folder and the settings of the demo, or find those of an earlier run.

        A tour has a folder of this name below the state directory, made anew, and settings that
        hold something further.
        """
        for program, package in PROGRAMS.items():
            if _which(program) is None:
                raise ProgramMissing(program, package)
        state = state_directory(os.environ, Path.cwd())
        make_state_directory(state)
        if tour:
            state /= tour
            shutil.rmtree(state, ignore_errors=True)
            make_state_directory(state)
        folder = state / "demo"
        make_state_directory(folder)
        story = folder / "story.json"
        facts = json.loads(story.read_text()) if story.exists() else {}
        facts.setdefault("directory_port", free_port())
        slapd = PrivateSlapd(folder / "slapd", facts["directory_port"])
        os.environ["TILLID_STATE"] = str(state)
        if not (state / "tillid.toml").exists():
            (state / "tillid.toml").write_text(_settings_text(slapd) + further, encoding="utf-8")
        if not (state / "processors.toml").exists():
            (state / "processors.toml").write_text(_PROCESSORS, encoding="utf-8")
        stage = cls(state, load_settings(os.environ, Path.cwd()), slapd, facts)
        stage.remember()
        return stage

    @property
    def folder(self) -> Path:
        """Where the story keeps the files of its people."""
        return self.state / "demo"

    def remember(self, **facts: object) -> None:
        """Keep what a later run needs to go on from here."""
        self.facts.update(facts)
        text = json.dumps(self.facts, indent=1)
        temporary = self.folder / "story.json.new"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.folder / "story.json")

    def start_directory(self) -> None:
        """Start the private slapd."""
        self.slapd.start()

    def start_service(self) -> None:
        """Start `tillid serve` and wait until it says ready."""
        log = self.state / "logs" / "demo-serve.log"
        make_state_directory(log.parent)
        seen = log.stat().st_size if log.exists() else 0
        self.service = start_child([*_tillid(), "serve"], log)
        deadline = time.monotonic() + _READY_SECONDS
        while "ready" not in log.read_text(encoding="utf-8")[seen:].split():
            if self.service.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed("tillid serve", log)
            self.pause.wait(0.1)

    def stop_service(self) -> None:
        """Stop the service; it can be started again."""
        if self.service is not None:
            stop_child(self.service)
            self.service = None

    def stop(self) -> None:
        """Stop the service, then the directory."""
        self.stop_service()
        self.slapd.stop()

    def tillid(self, *arguments: str) -> Any:
        """Run a verb of ours with --json; gives its result, CommandFailed with its problem."""
        ran = self.run([*_tillid(), *arguments, "--json"])
        try:
            answer = json.loads(ran.output)
        except ValueError:
            raise self._failed("tillid", ran) from None
        if not answer["ok"]:
            raise CommandFailed(f"tillid {arguments[0]} {arguments[1]}", answer["problem"])
        return answer["result"]

    def offline(self, *arguments: str) -> Ran:
        """Run a verb of ours where there is no installation."""
        elsewhere = self.folder / "elsewhere"
        make_state_directory(elsewhere)
        return self.run([*_tillid(), *arguments], {"TILLID_STATE": str(elsewhere)})

    def tool(self, arguments: Sequence[str], environment: dict[str, str] | None = None) -> str:
        """Run a program that has to succeed; gives its standard output."""
        ran = self.run(arguments, environment)
        if ran.code != 0:
            raise self._failed(arguments[0], ran)
        return ran.output

    def run(self, arguments: Sequence[str], environment: dict[str, str] | None = None) -> Ran:
        """Run a program and give how it ended."""
        done = subprocess.run(
            list(arguments),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name != _FAILPOINT}
            | (environment or {}),
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def api(
        self,
        path: str,
        body: object | None = None,
        secret: str = "",
        identity: Path | None = None,
    ) -> Any:
        """Call the API by curl, as applicant with a secret, or with an identity file.

        Raises:
            CommandFailed: with the problem.
        """
        answer = self.fetch(path, body, secret, identity)
        if not answer.startswith((b"{", b"[")):
            return answer.decode()
        document = json.loads(answer)
        if isinstance(document, dict) and str(document.get("type", "")).startswith("/problems/"):
            raise CommandFailed(f"POST /api/v1/{path.split('/', maxsplit=1)[0]}", document)
        return document

    def fetch(
        self,
        path: str,
        body: object | None = None,
        secret: str = "",
        identity: Path | None = None,
    ) -> bytes:
        """The octets that the API answers with."""
        options = [
            "silent",
            f'url = "{self.settings.staff.url}/api/v1/{path}"',
            f'cacert = "{self.folder / "root.pem"}"',
        ]
        if secret:
            options.append(f'header = "Authorization: Bearer {secret}"')
        sent = self.folder / "request.json"
        if body is not None:
            sent.write_text(json.dumps(body), encoding="utf-8")
            options += [f'data-binary = "@{sent}"', 'header = "Content-Type: application/json"']
        if identity is not None:
            options += curl_options(identity)
        config, answer = self.folder / "curl.conf", self.folder / "answer"
        config.write_text("\n".join([*options, f'output = "{answer}"']), encoding="utf-8")
        card = {} if identity is None else environment_of(identity)
        answer.write_bytes(b"")
        self.tool(["curl", "--config", str(config)], card)
        for each in (sent, config):
            each.unlink(missing_ok=True)
        octets = answer.read_bytes()
        answer.unlink()
        return octets

    def wait_for(
        self, what: str, seen: Callable[[], bool], seconds: float = 40, rest: float = 0.1
    ) -> float:
        """Look until something is seen, with a rest (seconds) between; gives the seconds it took.

        Raises:
            NotSeen: it was not, in time; or the service has died.
        """
        started = time.monotonic()
        while not seen():
            if self.service is not None and self.service.poll() is not None:
                raise ServerFailed("tillid serve", self.state / "logs" / "serve.log")
            if time.monotonic() - started > seconds:
                raise NotSeen(what, seconds)
            self.pause.wait(rest)
        return time.monotonic() - started

    def _failed(self, program: str, ran: Ran) -> Exception:
        if self.service is not None and self.service.poll() is not None:
            return ServerFailed("tillid serve", self.state / "logs" / "serve.log")
        detail = (ran.errors or ran.output).strip().splitlines()
        return CommandFailed(program, {"detail": detail[-1] if detail else f"exit {ran.code}"})


def line(arguments: Sequence[str]) -> str:
    """A command as a user can repeat it."""
    return "$ " + shlex.join(arguments)


def _tillid() -> list[str]:
    spec = importlib.util.find_spec("cli")
    if spec is None or spec.origin is None:
        raise ProgramMissing("tillid", "tillid")
    return [sys.executable, spec.origin]


def _which(program: str) -> str | None:
    places = [*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/sbin"]
    return next((p for p in places if os.access(f"{p}/{program}", os.X_OK)), None)


_PROCESSORS = """# Written by `tillid demo`: who handles personal data for the controller.
[[processor]]
name = "this machine"
role = "directory"
purpose = "The public directory of the demo"
region = "DK"
agreement = "None: it is the controller's own"
directory = "main"
"""


def _settings_text(slapd: PrivateSlapd) -> str:
    public = 8080 if is_free(8080) else free_port()
    staff = 8443 if is_free(8443) else free_port()
    return f"""# Written by `tillid demo`. `tillid config explain` lists every key.
[public]
port = {public}

[staff]
port = {staff}

[keystore]
seal_at_once = true  # an erasure waits for its seal, and the story does not wait an hour

[registers]
adapter = "fake"  # test equipment: it knows nobody real

[directories.main]
processor = "this machine"
region = "EU"
url = "{slapd.url}"
base_dn = "{slapd.suffix}"
bind_dn = "{slapd.admin_dn}"
password_file = "{slapd.password_file}"
"""
