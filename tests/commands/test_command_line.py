import importlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest

from tests.support.command_line import ROOT, clean_environment, tillid

SLOW_LIBRARIES = (
    "pydantic",
    "sqlalchemy",
    "flask",
    "cryptography",
    "rich",
    "structlog",
)

CLI = importlib.import_module("cli")  # no code may import it; its tests have to


def _verbs() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()]
    for noun in CLI.NOUNS:
        group = importlib.import_module(f"commands.{noun.replace('-', '_')}").group
        found.append((noun,))
        if isinstance(group, click.Group):
            for verb, command in group.commands.items():
                inner = command.commands if isinstance(command, click.Group) else None
                found += [(noun, verb, each) for each in inner] if inner else [(noun, verb)]
    return found


@pytest.mark.parametrize("verb", [verb for verb in _verbs() if len(verb) != 1], ids=" ".join)
def test_help_has_an_example(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    run = importlib.import_module("commands.failures").run
    assert run(CLI.tillid, [*verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Example: {' '.join(('tillid', *verb))}" in text
    assert len(verb) < 2 or "--json" in text


@pytest.mark.parametrize("noun", ["", *CLI.NOUNS])
def test_help_loads_no_slow_library(noun: str, tmp_path: Path) -> None:
    script = (
        "import sys, cli\n"
        "from commands.failures import run\n"
        "codes = {run(cli.tillid, line.split()) for line in sys.argv[1:]}\n"
        "print('LOADED', *{name.partition('.')[0] for name in sys.modules})\n"
        "sys.exit(codes != {0})\n"
    )
    verbs = [verb for verb in _verbs() if verb[:1] == ((noun,) if noun else ())]
    done = subprocess.run(
        [sys.executable, "-c", script, *(" ".join((*verb, "--help")) for verb in verbs)],
        cwd=tmp_path,
        env=clean_environment({"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert "click" in loaded
    assert loaded.isdisjoint(SLOW_LIBRARIES)
    assert done.stdout.count("Usage: tillid") == len(verbs)


def test_the_command_alone_shows_its_help(tmp_path: Path) -> None:
    done = tillid(directory=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Nouns:" in done.stderr


def test_it_knows_its_version(tmp_path: Path) -> None:
    done = tillid("--version", directory=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("tillid ")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("confg",), "'config'"),
        (("config", "shw"), "'show'"),
        (("config", "show", "--jsn"), "json"),
    ],
)
def test_a_slip_of_the_keyboard_suggests_what_was_meant(
    tmp_path: Path, arguments: tuple[str, ...], meant: str
) -> None:
    done = tillid(*arguments, directory=tmp_path)
    assert done.returncode == 2
    assert f"{meant}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fault_of_ours_exits_1_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import server.settings_sources as s\n"
        "def broken(*_): raise RuntimeError('canary')\n"
        "s.trace_settings = broken\n"
    )
    done = tillid(
        "config",
        "check",
        "--json",
        directory=tmp_path,
        environment={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert (done.returncode, done.stderr) == (1, "")
    reference = json.loads(done.stdout)["problem"]["reference"]
    log = (tmp_path / ".state" / "logs" / "unforeseen.log").read_text()
    assert reference in log
    assert "canary" not in done.stdout + log


def test_a_reader_that_leaves_is_no_fault(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, str(ROOT / "cli.py"), "config", "show"],
            cwd=tmp_path,
            env=clean_environment(),
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_gets_a_drawn_table(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), "config", "explain"],
        cwd=tmp_path,
        env=clean_environment({"TERM": "xterm", "COLUMNS": "200"}),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(terminal)
        shown = "".join(_read_to_the_end(controller))
    os.close(controller)
    assert process.returncode == 0
    assert "public.port" in shown
    assert "\t" not in shown


def _read_to_the_end(controller: int) -> Iterator[str]:
    """What a terminal shows; once nobody writes to it any more, reading is an error."""
    with suppress(OSError):
        while read := os.read(controller, 4096):
            yield read.decode(errors="replace")
