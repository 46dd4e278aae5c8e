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


class CommandFailed(DemoError):
    """A command of the story ended otherwise than it should."""

    def __init__(self, command: str, problem: dict[str, object]) -> None:
        """Name the command, and what it answered."""
        super().__init__(f"{command}: {problem.get('detail', 'failed')}")
        self.command = command
        self.problem = problem


class NotSeen(DemoError):
    """Something that the story waits for did not come."""

    def __init__(self, what: str, seconds: float) -> None:
        """Name it, and how long it was waited for."""
        super().__init__(f"{what} was not seen within {seconds:.0f} s")
        self.what = what
