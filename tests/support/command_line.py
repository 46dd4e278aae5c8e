"""Runs the command line as its users do: as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tillid(
    *arguments: str, directory: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tillid ARGUMENTS` in a directory, without the TILLID_ names of the surroundings."""
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *arguments],
        cwd=directory,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def clean_environment(additions: Mapping[str, str] | None = None) -> dict[str, str]:
    """The surroundings without TILLID_ names, and the additions."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TILLID_")}
    return {**kept, **(additions or {})}
