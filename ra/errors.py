"""What can go wrong in the registration authority.

RaError
+-- Refused          a rule says no; carries the findings
+-- NotFound         no such application
+-- Conflict         the application is in another state than the step needs
+-- MalformedField   an input is not of the form its type demands
+-- PolicyFaulty     a policy is not one that may be used
+-- CatalogueFaulty  a catalogue of sources cannot be read
+-- SignatureInvalid an approval's signature does not verify
"""

from dataclasses import dataclass

from ra.requirements import Finding


class RaError(Exception):
    """The root of this package's errors."""


class Refused(RaError):
    """One or more requirements are not met."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(", ".join(f"{each.requirement} {each.code}" for each in findings))
        self.findings = findings


class NotFound(RaError):
    """No application has this id."""

    def __init__(self, application_id: str) -> None:
        super().__init__(application_id)
        self.application_id = application_id


class Conflict(RaError):
    """The application is in `state`, from which the step is forbidden."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class MalformedField(RaError):
    """`field` breaks `rule`; the value itself is never carried."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class SignatureInvalid(RaError):
    """The signature is not a valid one over this content by a trusted officer."""


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """At `key` of a policy file something is not as `rule` demands."""

    key: str
    rule: str


class PolicyFaulty(RaError):
    """The policy `name` has these faults."""

    def __init__(self, name: str, faults: tuple[PolicyFault, ...]) -> None:
        super().__init__(f"{name}: {', '.join(each.key for each in faults)}")
        self.name = name
        self.faults = faults


class CatalogueFaulty(RaError):
    """The catalogue of sources has these faults."""

    def __init__(self, faults: tuple[PolicyFault, ...]) -> None:
        super().__init__(", ".join(each.key for each in faults))
        self.faults = faults
