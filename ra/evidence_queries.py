"""Where an auditor finds the evidence of each requirement, and the tests that show it (NSIS 4.1.7).

A query has keys of a sampled case and a verb to ask the installation with. It is written down for
the beginning of ids, and the longest beginning that fits a requirement counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ra.requirements import How, Requirement

_EXAMPLES = "tests/ra/test_requirement_examples.py"
_TABLE = "tests/ra/test_requirement_table.py::test_every_requirement_says_how_it_is_met"


@dataclass(frozen=True, slots=True)
class EvidenceQuery:
    """The keys of a sampled case that show a requirement, and the verb that shows it further."""

    keys: tuple[str, ...]
    verb: str


_QUERIES: Mapping[str, EvidenceQuery] = MappingProxyType(
    {
        "REG-APP": EvidenceQuery(("acceptances",), "application show"),
        "REG-APP-L3": EvidenceQuery(("profile", "findings"), "profile show"),
        "REG-APP-L6": EvidenceQuery(("publication_consent",), "subject consent"),
        "REG-IDN": EvidenceQuery(("evidence", "checks", "proofing", "findings"), "policy show"),
        "REG-IDN-L4": EvidenceQuery(("evidence", "checks"), "policy sources"),
        "REG-IDN-L7": EvidenceQuery(("subject", "officer", "approval"), "audit verify"),
        "REG-IDN-L10": EvidenceQuery(("further", "proofing"), "policy show"),
        "REG-IDN-L11": EvidenceQuery(("further",), "audit tail"),
        "REG-IDN-S6d": EvidenceQuery(("further",), "policy show"),
        "REG-IDN-S8": EvidenceQuery(("further",), "policy sources"),
        "REG-IDN-H9": EvidenceQuery(("checks", "further", "officer"), "policy show"),
        "REG-IDL": EvidenceQuery(("organisation",), "organisation list"),
        "ISS-STR": EvidenceQuery(("authenticator", "certificates"), "profile show"),
        "ISS-DEL": EvidenceQuery(("approval", "duties", "credential"), "application show"),
        "ISS-REV": EvidenceQuery(("certificates", "events"), "duty list"),
        "ISS-REN": EvidenceQuery(("certificates", "events"), "cert show"),
        "USE-AUT": EvidenceQuery(("authenticator", "events"), "status"),
        "ORG": EvidenceQuery(("events",), "audit verify"),
        "ORG-STF": EvidenceQuery(("officer", "duties"), "officer list"),
        "ORG-TEC": EvidenceQuery(("authenticator", "events"), "doctor"),
        "ASC": EvidenceQuery(("organisation", "events"), "association list"),
        "BRK": EvidenceQuery(("findings",), "policy requirements"),
    }
)


def evidence_query(requirement: str) -> EvidenceQuery:
    """Where the evidence of a requirement is found; KeyError for an id of no known part."""
    fitting = [begin for begin in _QUERIES if requirement.startswith(begin)]
    return _QUERIES[max(fitting, key=len, default=requirement)]


def tests_of(requirement: Requirement) -> tuple[str, ...]:
    """The tests that show a requirement, as pytest names them."""
    met = requirement.met
    if met.passing:
        return (met.passing, met.refusing)
    if met.how is How.ENFORCED:
        names = ("the_passing_example_passes", "the_refusing_example_is_refused")
        return tuple(f"{_EXAMPLES}::test_{name}[{requirement.id}]" for name in names)
    return (f"{_TABLE}[{requirement.id}]",)
