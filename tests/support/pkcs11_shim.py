"""A module between a process and SoftHSM that logs signatures and breaks when it is told to."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from hsm.softhsm import softhsm_library

SOURCE = Path(__file__).with_name("pkcs11_shim.c")

DEVICE_ERROR = 0x30
DEVICE_REMOVED = 0x32
GENERAL_ERROR = 0x5
PIN_LOCKED = 0xA4
SESSION_HANDLE_INVALID = 0xB3
USER_NOT_LOGGED_IN = 0x101


def compiled(source: Path, output: Path, *options: str) -> Path:
    """What the C compiler of this machine, whichever it is, makes of the source."""
    subprocess.run(["cc", *options, "-o", str(output), str(source), "-ldl"], check=True)
    return output


@dataclass(frozen=True)
class Shim:
    """One copy of the shim with files of its own; made by `Shim.in_folder`."""

    folder: Path

    @classmethod
    def in_folder(cls, library: Path, folder: Path) -> "Shim":
        """A shim that does nothing yet; the process needs `environment` before it loads it."""
        folder.mkdir(exist_ok=True)
        shutil.copy(library, folder / "shim.so")
        shim = cls(folder)
        shim.obey()
        (folder / "log").touch()
        return shim

    @property
    def module(self) -> Path:
        """The PKCS#11 module to load instead of SoftHSM's."""
        return self.folder / "shim.so"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs that loads the module."""
        return {
            "SHIM_MODULE": str(softhsm_library()),
            "SHIM_CONTROL": str(self.folder / "control"),
            "SHIM_LOG": str(self.folder / "log"),
        }

    def obey(self, *rules: str) -> None:
        """From now on break as told, see pkcs11_shim.c; without a rule, not at all."""
        # Replaced in one step: the shim may read it at any moment.
        draft = self.folder / "control.new"
        draft.write_text("".join(f"{rule}\n" for rule in rules))
        draft.replace(self.folder / "control")

    def fail(self, ckr: int, *functions: str, calls: tuple[int, int] = (1, 0)) -> None:
        """Return this CKR from the calls first to last (0: for ever) of each function."""
        self.obey(*(f"{each} {calls[0]} {calls[1]} return {ckr:#x}" for each in functions))

    def inputs(self) -> list[bytes]:
        """What C_Sign was given for a signature, in order."""
        return [bytes.fromhex(line) for line in (self.folder / "log").read_text().split()]

    def forget(self) -> None:
        """Begin a new log."""
        os.truncate(self.folder / "log", 0)


@pytest.fixture(scope="session")
def shim_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim, compiled once a test process."""
    return compiled(SOURCE, tmp_path_factory.mktemp("shim") / "shim.so", "-shared", "-fPIC")


@pytest.fixture
def shim(shim_library: Path, tmp_path: Path) -> Shim:
    return Shim.in_folder(shim_library, tmp_path / "shim")
