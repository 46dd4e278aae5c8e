"""Processes that measure themselves at a word: they get ready, wait, and then run all at once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.command_line import ROOT

PEER_LOCK = ROOT / "tests" / "bench" / "django-ca.lock"


@dataclass(frozen=True)
class Worker:
    """One process; it speaks as tests/bench/issue_worker.py does."""

    process: "subprocess.Popen[str]"

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: a worker ended: {self.process.args}")
        return line.strip()

    def get_ready(self, order: str) -> None:
        self._say(order)
        assert self._hear() == "ready"

    def go(self) -> None:
        self._say("")

    def cpu_seconds(self) -> float:
        return float(self._hear())


def race(workers: Sequence[Worker], count: int, mode: int) -> tuple[float, float]:
    """CPU seconds and wall seconds of one certificate when the workers issue `count` each."""
    for worker in workers:
        worker.get_ready(f"{count} {mode}")
    began = time.perf_counter()
    for worker in workers:
        worker.go()
    cpu = sum(worker.cpu_seconds() for worker in workers)
    wall = time.perf_counter() - began
    total = count * len(workers)
    return cpu / total, wall / total


@contextmanager
def workers(
    number: int, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[list[Worker]]:
    """So many processes of one command; they end when their standard input does."""
    made = [
        Worker(
            subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        for _ in range(number)
    ]
    try:
        yield made
    finally:
        for each in made:
            with each.process:
                if each.process.stdin is not None:
                    each.process.stdin.close()


def peer_python() -> Path:
    """The interpreter of an environment with django-ca, made at the first time.

    It lies in the state directory, from PyPI by the hashes of its own lock file.
    """
    state = Path(os.environ.get("TILLID_STATE") or ROOT / ".state")
    folder = state / "bench" / "django-ca"
    python, stamp = folder / "bin" / "python", folder / "stamp"
    wanted = PEER_LOCK.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"bench: making {folder} from {PEER_LOCK.name}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        options = ["--no-compile", "--no-deps", "--require-hashes", "-r", str(PEER_LOCK)]
        subprocess.run([*pip, *options], check=True)
        stamp.write_text(wanted)
    return python
