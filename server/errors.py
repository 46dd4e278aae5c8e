"""What the server package refuses.

ServerError
    SettingsRefused   the settings are wrong; carries every fault at once
    StateRefused      the state directory cannot be used
    IssuerOffline     an issuer's key or certificate is not at hand
    NoRegisters       no register is configured, so no identity can be proved
    NotAllowed        who acts has no right to do so
    NotSignedIn       nobody knows who acts
    FormRefused       a form of a page was not sent as it must be
    NoTime            a time server gave no time (server.ntp)
    ServiceFailed     a listener did not come up, or ended
    LogRefused        a log line carried a field or value that logs may not hold (strict mode only)
"""

from dataclasses import dataclass
from pathlib import Path


class ServerError(Exception):
    """Root of the errors of this package."""


@dataclass(frozen=True, slots=True)
class SettingsFault:
    """One thing wrong with the settings; never quotes the value, which may be a secret."""

    key: str
    """`section.key`, the name of an environment variable, or the file."""
    source: str
    """The path of the file, with its line where that is known, or `environment`."""
    problem: str
    """What is wrong, as the end of a sentence that begins with the key."""
    way_out: str
    """What to do, as a whole sentence."""


class SettingsRefused(ServerError):
    """The settings are wrong; nothing was loaded."""

    def __init__(self, faults: tuple[SettingsFault, ...]) -> None:
        super().__init__(", ".join(fault.key for fault in faults))
        self.faults = faults


class StateRefused(ServerError):
    """The state directory cannot be used as it is."""

    def __init__(self, path: Path, problem: str, way_out: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem
        self.way_out = way_out


class LogRefused(ServerError):
    """A log line carried something that logs may not hold; never quotes the value."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class IssuerOffline(ServerError):
    """The issuer cannot sign: its token or key is not at hand, or the ceremony was not held."""

    def __init__(self, issuer: str, token: str) -> None:
        super().__init__(f"issuer {issuer} cannot sign: nothing usable in token {token}")
        self.issuer = issuer
        self.token = token


class TokenOffline(ServerError):
    """The token holds a root key and was not brought online."""

    def __init__(self, token: str) -> None:
        super().__init__(f"token {token} is kept offline")
        self.token = token


class KeyStillThere(ServerError):
    """A key that was to be destroyed is still found, or its token could not be looked into."""

    def __init__(self, token: str, label: str) -> None:
        super().__init__(f"key {label} is not seen to be gone from token {token}")
        self.token = token
        self.label = label


class NoRegisters(ServerError):
    """No register is configured (REG-IDN-L4: a source must be approved before it is relied on)."""


class RegisterSilent(ServerError):
    """A register that must be asked now does not answer."""

    def __init__(self, source_id: str) -> None:
        super().__init__(f"{source_id} does not answer")
        self.source_id = source_id


class NoPrinter(ServerError):
    """No letter can be made, because there is nobody to print it; `why` says what is missing."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotSignedIn(ServerError):
    """The request names nobody: no certificate, no open session, no applicant's secret."""


class NotAllowed(ServerError):
    """The role of who acts does not include this."""

    def __init__(self, needed: str) -> None:
        super().__init__(f"this is for the role {needed}")
        self.needed = needed


@dataclass(frozen=True, slots=True)
class FormFault:
    """One thing wrong with a form; never quotes what was filled in."""

    field: str
    problem: str
    way_out: str


class PackageDamaged(ServerError):
    """A package that was handed out is no longer what was signed."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name
        self.problem = problem


class FormRefused(ServerError):
    """A form was not filled in as it must be, or did not come from a page of ours."""

    def __init__(self, *faults: FormFault) -> None:
        super().__init__(", ".join(fault.field for fault in faults))
        self.faults = faults


class ServiceFailed(ServerError):
    """The service cannot run: why, and where to read more."""

    def __init__(self, why: str, see: Path) -> None:
        super().__init__(why)
        self.why = why
        self.see = see


class AlreadyServing(ServiceFailed):
    """Another process serves from this state directory; `pid` is what it wrote into its file."""

    def __init__(self, pid: str, pid_file: Path) -> None:
        super().__init__(f"process {pid} serves from this state directory already", pid_file)
        self.pid = pid
