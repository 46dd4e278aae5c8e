"""Somebody at the command line of one installation, asking in JSON."""

import dataclasses
import importlib
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from commands.failures import run
from tests.support.softhsm import SoftHsm

CLI = importlib.import_module("cli")  # no code may import it; its tests have to


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a verb ended: its code and its one JSON object."""

    code: int
    answer: dict[str, Any]

    @property
    def result(self) -> dict[str, Any]:
        assert set(self.answer) == {"ok", "result"}
        assert self.answer["ok"] is True
        return dict(self.answer["result"])

    @property
    def problem(self) -> dict[str, Any]:
        assert set(self.answer) == {"ok", "problem"}
        assert self.answer["ok"] is False
        assert {"type", "title", "status", "detail"} <= set(self.answer["problem"])
        return dict(self.answer["problem"])


class Operator:
    """Somebody at the command line of one installation."""

    def __init__(
        self,
        environment: Mapping[str, str],
        capsys: pytest.CaptureFixture[str],
        patch: pytest.MonkeyPatch,
    ) -> None:
        self._capsys = capsys
        for name, value in environment.items():
            patch.setenv(name, value)

    def __call__(self, *arguments: object) -> Ended:
        words = [*map(str, arguments), "--json"]
        self._capsys.readouterr()
        code = run(CLI.tillid, words)
        said = self._capsys.readouterr()
        assert said.err == ""
        return Ended(code, json.loads(said.out))

    def told(self, *arguments: object) -> tuple[int, str, str]:
        """Without --json: code, standard output and standard error."""
        self._capsys.readouterr()
        code = run(CLI.tillid, list(map(str, arguments)))
        said = self._capsys.readouterr()
        return code, said.out, said.err


def environment_of(softhsm: SoftHsm, state: Path) -> dict[str, str]:
    return {
        "TILLID_STATE": str(state),
        "TILLID_HSM__SOFTHSM_DIRECTORY": str(softhsm.store.directory),
        "TILLID_REGISTERS__ADAPTER": "fake",
    }


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
