"""Runs the command line as its users do: each verb as a process of its own.

A verb spends most of its time on loading what it needs, and the suite runs thousands. So they are
forked from one process that has loaded everything; directory, environment, streams and exit code
are each verb's own.
"""

import importlib
import multiprocessing
import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

import commands

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 60
# prometheus_client decides at its import how values are shared.
_NOT_BEFORE = {"serve", "job", "demo"}
# The interpreter and the loader read these when a program starts, and not afterwards.
_FOR_A_START = ("LD_", "PYTHON", "TZ")
_FORKING = multiprocessing.get_context("forkserver")
_NOUNS = {each.name for each in pkgutil.iter_modules(commands.__path__)} - _NOT_BEFORE
_FORKING.set_forkserver_preload(["server.assembly", *(f"commands.{noun}" for noun in _NOUNS)])


def tillid(
    *arguments: str, directory: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tillid ARGUMENTS` in a directory, without the TILLID_ names of the surroundings.

    Raises:
        subprocess.TimeoutExpired: it took a minute, and was ended.
    """
    command, whole = [str(ROOT / "cli.py"), *arguments], clean_environment(environment)
    if not _can_be_forked(whole):
        return subprocess.run(
            [sys.executable, *command],
            cwd=directory,
            env=whole,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    with TemporaryFile() as out, TemporaryFile() as errors:
        streams = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, errors)]
        verb = _FORKING.Process(target=_be, args=(command, str(directory), whole, streams))
        verb.start()
        verb.join(_SECONDS)
        if verb.exitcode is None:
            verb.kill()
            verb.join()
            raise subprocess.TimeoutExpired(command, _SECONDS)
        texts = [(file.seek(0), file.read().decode())[1] for file in (out, errors)]
    return subprocess.CompletedProcess(command, verb.exitcode, *texts)


def clean_environment(additions: Mapping[str, str] | None = None) -> dict[str, str]:
    """The surroundings without TILLID_ names, and the additions."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TILLID_")}
    return {**kept, **(additions or {})}


def _can_be_forked(environment: Mapping[str, str]) -> bool:
    return all(
        environment.get(name) == os.environ.get(name)
        for name in environment.keys() | os.environ.keys()
        if name.startswith(_FOR_A_START)
    )


def _be(
    command: list[str], directory: str, environment: dict[str, str], streams: list[str]
) -> None:
    """What the new process does: it is the verb from here on."""
    for number, stream in enumerate(streams, start=1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_APPEND), number)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    try:
        importlib.import_module("cli").main()
    except Exception:  # noqa: BLE001 - as the interpreter does with what nobody caught
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
