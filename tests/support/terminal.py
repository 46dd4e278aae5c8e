"""A terminal with somebody at it, for programs that ask people on /dev/tty."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.command_line import ROOT, clean_environment

_SECONDS = 30


@dataclass
class Ended:
    """How the program ended, and all that went over the terminal."""

    code: int
    output: str
    screen: str


@dataclass
class Custodians:
    """Answers what a ceremony asks; keeps the shares that it is shown, as custodians do on paper.

    `answers` goes before: the first pattern that ends the screen has its text typed.
    """

    answers: dict[str, Callable[[re.Match[str]], str]] = field(default_factory=dict)
    shares: list[str] = field(default_factory=list)
    given: int = 0

    def answer(self, screen: str) -> str | None:
        """What to type after this screen; None: it goes on by itself."""
        for pattern, reply in (self._own() | self.answers).items():
            if found := re.search(rf"{pattern}\s*\Z", screen, re.DOTALL):
                return reply(found)
        return None

    def _own(self) -> dict[str, Callable[[re.Match[str]], str]]:
        return {
            r"Name of (\w+) (\d+):": lambda m: f"{m[1].capitalize()} Nr {m[2]}",
            r"\(empty: not here\)": lambda _: "",
            r"Witness (\d) of \d, type your name:": lambda m: f"witness nr {m[1]}",
            r"as a deviation:": lambda _: "",
            r"looks at the screen now\. Enter:": lambda _: "",
            r" 1\. (.*)Write the words down with their numbers\. Then press Enter\.": self._write,
            r"Word (\d+):": lambda m: self.shares[-1].split()[int(m[1]) - 1],
            r"their first four letters do\.": self._read,
        }

    def _write(self, found: re.Match[str]) -> str:
        last = found[1].rsplit(" 1. ", 1)[-1]
        words = re.findall(r"\d+\. +([a-z]+)", f"1. {last}")
        assert len(words) == 20
        self.shares.append(" ".join(words))
        return ""

    def _read(self, _: re.Match[str]) -> str:
        self.given += 1
        return self.shares[-self.given]


def at_terminal(
    *arguments: str,
    directory: Path,
    environment: Mapping[str, str],
    people: Custodians,
    kill_at: str = "",
    by: signal.Signals = signal.SIGKILL,
) -> Ended:
    """Run `tillid ARGUMENTS` at a terminal of its own; killed when the screen shows `kill_at`."""
    ours, theirs = os.openpty()
    with (directory / "stdout").open("w+b") as output:
        program = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, str(ROOT / "cli.py"), *arguments],
            cwd=directory,
            env=clean_environment(environment),
            stdin=theirs,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        os.close(theirs)
        try:
            screen = _play(ours, program, people, (kill_at, by))
            code = program.wait(timeout=_SECONDS)
        finally:
            program.kill()
            program.wait()
            os.close(ours)
        output.seek(0)
        return Ended(code, output.read().decode(), screen)


def _play(
    terminal: int,
    program: "subprocess.Popen[bytes]",
    people: Custodians,
    kill: tuple[str, signal.Signals],
) -> str:
    screen, answered, deadline = "", 0, time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.02)[0]:
            reply = people.answer(screen[answered:]) if len(screen) > answered else None
            if reply is not None:
                answered = len(screen)
                os.write(terminal, f"{reply}\n".encode())
            continue
        try:
            octets = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            return screen
        screen += octets.decode("utf-8", "replace").replace("\r\n", "\n")
        if kill[0] and kill[0] in screen:
            program.send_signal(kill[1])
            kill = ("", kill[1])  # once: a second one could come after its handlers have gone
    raise AssertionError(f"the program waits for something: {screen[-500:]!r}")
