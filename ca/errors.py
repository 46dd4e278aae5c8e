"""What can go wrong in the certificate authority.

CaError
├── MalformedRequest   the octets are not what they should be; send others
├── Refused            a rule says no; each finding names it
├── NotFound           no such issuer, profile or certificate
├── Conflict           somebody else was faster, or the state forbids it
└── SigningFailed      the key gave a signature that does not verify
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that was broken: its id, source clause, what was found, and the way out."""

    rule: str
    clause: str
    sentence: str
    way_out: str


class CaError(Exception):
    """Root of every error of this package."""


class MalformedRequest(CaError):
    """The octets could not be read as what they claim to be."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what
        self.why = why


class Refused(CaError):
    """One or more rules forbid the certificate."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(f"{f.sentence} ({f.rule}, {f.clause})" for f in findings))
        self.findings = findings


class NotFound(CaError):
    """There is no such issuer, profile or certificate."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} {name}")
        self.kind = kind
        self.name = name


class Conflict(CaError):
    """The state in the database is not the one this step starts from."""

    def __init__(self, what: str, state: str) -> None:
        super().__init__(f"{what} is {state}")
        self.what = what
        self.state = state


class SigningFailed(CaError):
    """The signature that came back does not verify, or covers other octets."""


class ProfileFaulty(CaError):
    """A profile file cannot be used; every fault is named."""

    def __init__(self, source: str, faults: list[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(faults))
        self.source = source
        self.faults = faults
