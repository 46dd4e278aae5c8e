"""`tillid demo` as a user runs it: again and again, killed, and interrupted."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pytest

from tests.support.command_line import ROOT, clean_environment
from tests.support.people import PROFILE
from tests.support.service import quiet_port, until

_WHOLE_STORY_SECONDS = 400
_TOLD = "The story is told, in"


@dataclass
class Demo:
    """Runs of the demo on one state directory."""

    state: Path
    environment: dict[str, str]
    runs: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def output(self) -> Path:
        return self.state.parent / f"output-{len(self.runs)}"

    def begin(self, *arguments: str, failpoint: str = "") -> "subprocess.Popen[bytes]":
        """Start a run in a session of its own, as a terminal does."""
        additions = {"TILLID_FAILPOINT": failpoint} if failpoint else {}
        environment = clean_environment(self.environment | additions)
        output = self.state.parent / f"output-{len(self.runs) + 1}"
        with output.open("wb") as file:
            run = subprocess.Popen(
                [sys.executable, str(ROOT / "cli.py"), "demo", *arguments],
                cwd=self.state.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.runs.append(run)
        return run

    def play(self, *arguments: str, failpoint: str = "") -> tuple[int, str]:
        """A whole run: its exit code, and what it said."""
        code = self.begin(*arguments, failpoint=failpoint).wait(_WHOLE_STORY_SECONDS)
        return code, self.output.read_text()

    def interrupt(self, run: "subprocess.Popen[bytes]", when: str) -> tuple[int, str]:
        """Ctrl-C, which a terminal sends to the whole group, once this was said."""
        until(when, lambda: when in self.output.read_text() or run.poll() is not None, 400)
        assert run.poll() is None, self.output.read_text()
        os.killpg(run.pid, signal.SIGINT)
        return run.wait(120), self.output.read_text()

    def processes(self) -> list[int]:
        """Every living process of this story: by its environment, arguments or group."""
        groups = {run.pid for run in self.runs}
        return [pid for pid in pids() if belongs(pid, str(self.state), groups)]

    def secrets(self) -> list[bytes]:
        return [path.read_bytes().strip() for path in self.state.rglob("pins/*pin")]


def pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def belongs(pid: int, state: str, groups: set[int]) -> bool:
    try:
        if os.getpgid(pid) in groups:
            return True
    except ProcessLookupError:
        return False
    return state.encode() in arguments_and_environment(pid)


def arguments_and_environment(pid: int) -> bytes:
    if pid == os.getpid():
        return b""
    try:
        proc = Path(f"/proc/{pid}")
        return (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


class Watch:
    """Looks at the arguments and environments of every process again and again."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._ended = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.seen.update(arguments_and_environment(pid) for pid in pids())


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    state = tmp_path / "state"
    environment = {
        "TILLID_STATE": str(state),
        "TILLID_PUBLIC__PORT": str(quiet_port()),
        "TILLID_STAFF__PORT": str(quiet_port()),
    }
    demo = Demo(state, environment)
    yield demo
    for run in demo.runs:
        if run.poll() is None:
            run.terminate()
            run.wait(120)


def check_stopped(demo: Demo) -> None:
    until("the end of its processes", lambda: demo.processes() == [])


def sentence(output: str) -> str:
    """The one sentence after the last line of the story; a way out follows it."""
    assert "Traceback" not in output
    *_, said, way_out = output.splitlines()
    assert not said.startswith("   ")
    assert way_out
    return said


def test_a_demo_is_told_once_and_shows_no_secret(demo: Demo) -> None:
    with Watch() as watch:
        code, said = demo.play("--once")
    assert code == 0, said
    assert _TOLD in said
    assert "the directory holds the certificate" in said
    assert "the directory no longer holds it after" in said
    check_stopped(demo)

    pins = demo.secrets()
    assert len(pins) >= 6 + 2 * 4
    assert len([each for each in watch.seen if str(demo.state).encode() in each]) > 20
    for pin in pins:
        assert [each for each in watch.seen if pin in each] == []
        assert pin not in said.encode()
    check_only_the_owner_reads(demo.state)

    code, again = demo.play("--once")
    assert code == 0, again
    assert _TOLD in again
    assert "done in an earlier run" in again
    check_stopped(demo)

    run = demo.begin()
    assert demo.interrupt(run, "The service runs until Ctrl-C.")[0] == 0
    check_stopped(demo)


def check_only_the_owner_reads(state: Path) -> None:
    """What is public, and certificates, may be readable: nothing else is."""
    open_to_others = [
        path.relative_to(state).as_posix()
        for path in [state, *state.rglob("*")]
        if path.stat().st_mode & 0o077
    ]
    assert all(name.startswith("public/") or name == "tls/staff.pem" for name in open_to_others)
    kept = [*state.rglob("pins/*pin"), *state.rglob("tokens/*/*"), *state.glob("tillid.sqlite*")]
    kept += [*(state / "demo").glob("*.key"), *(state / "demo").glob("*.pem")]
    assert len(kept) > 20
    for path in kept:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_demo_that_is_killed_and_interrupted_goes_on_to_its_end(demo: Demo) -> None:
    code, said = demo.play("--once", failpoint=f"issue.signed@{PROFILE}:kill")
    assert (code, "3/9" in said, "4/9" in said) == (8, True, False), said
    assert sentence(said)
    check_stopped(demo)

    code, said = demo.play("--once", failpoint="erase.destroyed:kill")
    assert (code, "9/9" in said, _TOLD in said) == (8, True, False), said
    assert sentence(said)
    check_stopped(demo)

    code, said = demo.interrupt(demo.begin("--once"), "2/9")
    assert (code, _TOLD in said) == (130, False), said
    assert sentence(said) == "Stopped from the keyboard before it was done."
    check_stopped(demo)

    code, said = demo.play("--once")
    assert code == 0, said
    assert _TOLD in said
    assert "audit log whole" in said
    check_stopped(demo)


@pytest.mark.parametrize("chapter", ["1/9", "3/9"])
def test_a_first_demo_that_is_interrupted_leaves_no_process(demo: Demo, chapter: str) -> None:
    code, said = demo.interrupt(demo.begin("--once"), chapter)

    assert code == 130, said
    assert sentence(said) == "Stopped from the keyboard before it was done."
    check_stopped(demo)
