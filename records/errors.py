"""What can go wrong at the database.

RecordsError
├── RuleBroken            a trigger or constraint refused; `code` names the rule
├── NotFound              no such row
├── Conflict              the row is not in the state this step starts from
├── Erased                the personal data was erased; only its absence is known
├── DatabaseUnavailable   the database does not answer, is full, or is not durable
├── SnapshotFailed        a snapshot of the key store cannot be written, or does not open
└── BackupRefused         a backup cannot be read, or must not be put in place
"""

from pathlib import Path


class RecordsError(Exception):
    """Root of every error of this package."""


class RuleBroken(RecordsError):
    """The database itself refused: the rule's code and its sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


class NotFound(RecordsError):
    """There is no such row."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} {name}")
        self.kind = kind
        self.name = name


class Conflict(RecordsError):
    """The row is not in the state this step starts from; somebody else was faster."""

    def __init__(self, what: str, state: str) -> None:
        super().__init__(f"{what} is {state}")
        self.what = what
        self.state = state


class Erased(RecordsError):
    """The key of this personal data was destroyed."""


class DatabaseUnavailable(RecordsError):
    """The database cannot be used now; `why` says what is wrong without naming a row."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class SnapshotFailed(RecordsError):
    """A snapshot of the key store cannot be written or does not open: which one, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


class BackupRefused(RecordsError):
    """A backup cannot be read or must not be put in place; `rule` names what forbids it."""

    def __init__(self, rule: str, why: str, way_out: str) -> None:
        super().__init__(f"{rule}: {why}")
        self.rule = rule
        self.why = why
        self.way_out = way_out
