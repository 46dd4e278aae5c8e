"""What can go wrong while the story is set up."""

from pathlib import Path


class DemoError(Exception):
    """The story cannot be played on this machine as it stands."""


class ProgramMissing(DemoError):
    """A program that the story is played on is not installed."""

    def __init__(self, program: str, package: str) -> None:
        """Name the program and the Debian package that holds it."""
        super().__init__(f"{program} is not installed: install it with `apt install {package}`.")
        self.program = program
        self.package = package


class ServerFailed(DemoError):
    """A server of the story ended, or did not answer in time; its log says why."""

    def __init__(self, program: str, log: Path) -> None:
        """Name the program and the file its output went to."""
        super().__init__(f"{program} did not start: read {log}.")
        self.program = program
        self.log = log
