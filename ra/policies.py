"""Policies: the measures, ages, windows and sampling rates that NSIS leaves to the issuer.

A policy is a TOML file under a name that ends in its version. It is immutable once it was used:
its digest stands beside it, and in every result that was reached under it. A policy may be
stricter than the catalogue. Where it is milder, a recorded reason is demanded, and only what is
guidance or our own decision (force G or D) can be relaxed; normative text (N) cannot.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TypeVar

from ra.case import Measure
from ra.case_natural_person import PersonRules
from ra.errors import PolicyFault, PolicyFaulty
from ra.evidence import EvidenceKind
from ra.requirements import Finding, Force, requirements

WordT = TypeVar("WordT", bound=StrEnum)

STANDARD = "standard-1"
NAME = re.compile(r"[a-z][a-z0-9-]{0,40}-[1-9][0-9]{0,3}")
_MAX_OCTETS = 64 * 1024

# What somebody or something said against the applicant: no policy makes light of that.
_KNOWN_AGAINST = frozenset({"CALLBACK_DENIED", "SIGNATURE_SPECIMEN_MISMATCH", "BIOMETRIC_STALE"})


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A requirement that a policy does not uphold: why, and who decided so and when."""

    requirement: str
    reason: str
    decided_by: str
    decided_on: date


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of a policy."""

    minimum_features: int
    """Security features that an officer must see on a document."""
    proofing_age: timedelta
    renewal_age: timedelta
    """How long ago the identity of who renews may have been proven by evidence."""
    register_age: timedelta
    """How old the answer of a register may be when a certificate is issued."""
    login_age: timedelta
    biometric_age: timedelta
    post_window: timedelta
    """The windows in which a code that went by this channel activates."""
    email_window: timedelta
    sms_window: timedelta
    application_age: timedelta
    """After which an application that is still open lapses."""
    letter_window: timedelta
    """In which a code from the registered address proves an identity."""
    minimum_questions: int
    attempts: int
    """Failed attempts after which an application is closed."""
    identity_attempts: int
    """Failed attempts of one claimed identity within a day, over all its applications."""
    callback_percent: int
    """Of a hundred paper powers of attorney, how many are called back."""
    witnesses: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the issuer's decisions; `sha256` is of the file, in hexadecimal."""

    name: str
    sha256: str
    person_rules: PersonRules
    limits: Limits
    relaxed: tuple[Relaxation, ...] = ()

    def upheld(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """The findings that count: all but those of requirements that are relaxed."""
        relaxed = {each.requirement for each in self.relaxed}
        return tuple(
            each
            for each in findings
            if each.requirement not in relaxed or each.code in _KNOWN_AGAINST
        )


@dataclass(frozen=True, slots=True)
class _Limit:
    """One number of a file: its requirement, the catalogue's value, whether more is stricter."""

    table: str
    key: str
    requirement: str
    standard: int
    more_is_stricter: bool = False
    least: int = 1
    most: int = 100_000
    optional: bool = False
    """A policy that is silent about it has the catalogue's value."""


_LIMITS = (
    _Limit("natural_person", "minimum_features", "REG-IDN-S7", 3, more_is_stricter=True, most=20),
    # The practice statement sets these three, so any value is by the text.
    _Limit("ages", "proofing_days", "REG-IDN-L12", 3650, most=3650),
    _Limit("ages", "renewal_days", "ISS-REN-L1a", 3653, most=3653, optional=True),
    _Limit("ages", "register_minutes", "REG-IDN-L12", 100_000),
    _Limit("ages", "application_days", "REG-IDN-L12", 90, most=365, optional=True),
    _Limit("natural_person", "minimum_questions", "REG-IDN-S6d", 3, more_is_stricter=True,
           most=20, optional=True),
    _Limit("natural_person", "attempts", "REG-IDN-L9", 5, most=20, optional=True),
    _Limit("natural_person", "identity_attempts", "REG-IDN-L9", 20, most=100, optional=True),
    _Limit("windows", "letter_days", "REG-IDN-L9", 21, most=60, optional=True),
    _Limit("ages", "login_minutes", "REG-IDN-L10", 15),
    _Limit("ages", "biometric_seconds", "REG-IDN-H9d", 120),
    _Limit("windows", "post_days", "ISS-DEL-S2g", 21),
    _Limit("windows", "email_hours", "ISS-DEL-S2g", 24),
    _Limit("windows", "sms_minutes", "ISS-DEL-S2g", 10),
    _Limit(
        "legal_person", "callback_percent", "REG-IDL-H8d", 10, more_is_stricter=True,
        least=0, most=100,
    ),
    _Limit("legal_person", "witnesses", "REG-IDL-H8c", 2, more_is_stricter=True, least=0, most=9),
)  # fmt: skip
_PERSON_KEYS = ("accepted_kinds", "measures", "letter_proves_at_low")
_RELAXED_KEYS = frozenset({"requirement", "reason", "decided_by", "decided_on"})
_REASON_LENGTH = 20


def policy_names() -> tuple[str, ...]:
    """The policies that are shipped."""
    folder = files("ra").joinpath("policies")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[:-5] for name in names if name.endswith(".toml")))


@cache
def shipped_policy(name: str) -> Policy:
    """A shipped policy; KeyError when there is none of that name.

    Raises: PolicyFaulty when the file is not the one whose digest is recorded.
    """
    if name not in policy_names():
        raise KeyError(name)
    folder = files("ra").joinpath("policies")
    policy = parse_policy(name, folder.joinpath(f"{name}.toml").read_bytes())
    require_unchanged(policy, folder.joinpath("sha256sums").read_text(encoding="ascii"))
    return policy


def require_unchanged(policy: Policy, sums: str) -> None:
    """Refuse a policy whose digest is not the recorded one (lines of `sha256sum`)."""
    recorded = {name: digest for digest, name in map(str.split, sums.splitlines())}
    if recorded.get(f"{policy.name}.toml") != policy.sha256:
        rule = "as it was recorded; a change makes a new version, under a new number"
        raise PolicyFaulty(policy.name, (PolicyFault("sha256", rule),))


def parse_policy(name: str, octets: bytes) -> Policy:
    """The policy that a file holds.

    Raises: PolicyFaulty with every fault.
    """
    faults: list[PolicyFault] = []
    if not NAME.fullmatch(name):
        faults.append(PolicyFault("name", "small letters, digits and hyphens, - and a version"))
    document = _tables(octets, name)
    numbers = {each.key: _number(document, each, faults) for each in _LIMITS}
    rules = _person_rules(document, faults)
    relaxed = _relaxations(document.get("relaxed", []), faults)
    faults += _unknown(document)
    if not faults:
        faults += _unreasoned(numbers, rules, {each.requirement for each in relaxed})
    if faults:
        raise PolicyFaulty(name, tuple(faults))
    return Policy(name, sha256(octets).hexdigest(), rules, _limits(numbers), relaxed)


def _tables(octets: bytes, name: str) -> Mapping[str, object]:
    if len(octets) > _MAX_OCTETS:
        raise PolicyFaulty(name, (PolicyFault("the file", "at most 64 KiB"),))
    try:
        return tomllib.loads(octets.decode())
    except (ValueError, RecursionError):
        raise PolicyFaulty(name, (PolicyFault("the file", "TOML in UTF-8"),)) from None


def _table(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _number(document: Mapping[str, object], limit: _Limit, faults: list[PolicyFault]) -> int:
    value = _table(document, limit.table).get(limit.key)
    if value is None and limit.optional:
        return limit.standard
    if type(value) is int and limit.least <= value <= limit.most:
        return value
    rule = f"a whole number from {limit.least} to {limit.most}"
    faults.append(PolicyFault(f"{limit.table}.{limit.key}", rule))
    return limit.standard


def _person_rules(document: Mapping[str, object], faults: list[PolicyFault]) -> PersonRules:
    table = _table(document, "natural_person")
    letter = table.get("letter_proves_at_low")
    if not isinstance(letter, bool):
        faults.append(PolicyFault("natural_person.letter_proves_at_low", "true or false"))
    return PersonRules(
        accepted_kinds=_words(EvidenceKind, table, "accepted_kinds", faults),
        measures=_words(Measure, table, "measures", faults),
        letter_proves_at_low=letter is True,
    )


def _words(
    kind: type[WordT], table: Mapping[str, object], key: str, faults: list[PolicyFault]
) -> frozenset[WordT]:
    known = {each.value: each for each in kind}
    given = table.get(key)
    if isinstance(given, list) and given and all(map(known.__contains__, map(str, given))):
        return frozenset(known[str(each)] for each in given)
    rule = f"a list of one or more of {', '.join(known)}"
    faults.append(PolicyFault(f"natural_person.{key}", rule))
    return frozenset()


def _unknown(document: Mapping[str, object]) -> list[PolicyFault]:
    """Tables and keys that no policy has."""
    keys = {f"natural_person.{key}" for key in _PERSON_KEYS}
    keys |= {f"{each.table}.{each.key}" for each in _LIMITS}
    found: list[str] = []
    for name in document:
        table = _table(document, name)
        found += [f"{name}.{key}" for key in table] or [name]
    return [PolicyFault(key, "a key of a policy") for key in found if key not in {*keys, "relaxed"}]


def _relaxations(document: object, faults: list[PolicyFault]) -> tuple[Relaxation, ...]:
    if not isinstance(document, list):
        faults.append(PolicyFault("relaxed", "an array of tables [[relaxed]]"))
        return ()
    found = [_relaxation(each, f"relaxed[{i}]", faults) for i, each in enumerate(document)]
    return tuple(each for each in found if each is not None)


def _relaxation(document: object, key: str, faults: list[PolicyFault]) -> Relaxation | None:
    """One entry: every field is demanded, above all the reason."""
    if not isinstance(document, dict) or document.keys() != _RELAXED_KEYS:
        faults.append(PolicyFault(key, f"a table of {', '.join(sorted(_RELAXED_KEYS))}"))
        return None
    decided_on = document["decided_on"]
    texts = {name: str(document[name]).strip() for name in _RELAXED_KEYS}
    before = len(faults)
    row = requirements().get(texts["requirement"])
    if row is None:
        faults.append(PolicyFault(f"{key}.requirement", "the id of a requirement"))
    elif row.force is Force.NORMATIVE:
        faults.append(PolicyFault(f"{key}.requirement", f"relaxable; {row.id} is normative text"))
    if len(texts["reason"]) < _REASON_LENGTH:
        faults.append(PolicyFault(f"{key}.reason", f"a reason of {_REASON_LENGTH} letters or more"))
    if not texts["decided_by"]:
        faults.append(PolicyFault(f"{key}.decided_by", "the role that decided"))
    if type(decided_on) is not date:
        faults.append(PolicyFault(f"{key}.decided_on", "a date"))
        return None
    if len(faults) > before:
        return None
    return Relaxation(texts["requirement"], texts["reason"], texts["decided_by"], decided_on)


def _unreasoned(
    numbers: Mapping[str, int], rules: PersonRules, relaxed: set[str]
) -> list[PolicyFault]:
    """Values that are milder than the catalogue's, without a relaxation that says why."""
    milder = [
        (f"{each.table}.{each.key}", each.requirement)
        for each in _LIMITS
        if (numbers[each.key] - each.standard) * (-1 if each.more_is_stricter else 1) > 0
    ]
    if not rules.measures <= PersonRules().measures:
        milder.append(("natural_person.measures", "REG-IDN-S6d"))
    return [
        PolicyFault(key, f"as strict as the catalogue, or relaxed with a reason ({requirement})")
        for key, requirement in milder
        if requirement not in relaxed
    ]


def _limits(numbers: Mapping[str, int]) -> Limits:
    return Limits(
        minimum_features=numbers["minimum_features"],
        proofing_age=timedelta(days=numbers["proofing_days"]),
        renewal_age=timedelta(days=numbers["renewal_days"]),
        register_age=timedelta(minutes=numbers["register_minutes"]),
        login_age=timedelta(minutes=numbers["login_minutes"]),
        biometric_age=timedelta(seconds=numbers["biometric_seconds"]),
        post_window=timedelta(days=numbers["post_days"]),
        email_window=timedelta(hours=numbers["email_hours"]),
        sms_window=timedelta(minutes=numbers["sms_minutes"]),
        application_age=timedelta(days=numbers["application_days"]),
        letter_window=timedelta(days=numbers["letter_days"]),
        minimum_questions=numbers["minimum_questions"],
        attempts=numbers["attempts"],
        identity_attempts=numbers["identity_attempts"],
        callback_percent=numbers["callback_percent"],
        witnesses=numbers["witnesses"],
    )


def policy_words(policy: Policy) -> dict[str, str]:
    """The policy as words by key, for showing and comparing."""
    rules, limits = policy.person_rules, policy.limits
    words = {
        "accepted_kinds": ", ".join(sorted(rules.accepted_kinds)),
        "measures": ", ".join(sorted(rules.measures)),
        "letter_proves_at_low": "yes" if rules.letter_proves_at_low else "no",
        "minimum_features": str(limits.minimum_features),
        "proofing_age": str(limits.proofing_age),
        "renewal_age": str(limits.renewal_age),
        "register_age": str(limits.register_age),
        "login_age": str(limits.login_age),
        "biometric_age": str(limits.biometric_age),
        "post_window": str(limits.post_window),
        "email_window": str(limits.email_window),
        "sms_window": str(limits.sms_window),
        "application_age": str(limits.application_age),
        "letter_window": str(limits.letter_window),
        "minimum_questions": str(limits.minimum_questions),
        "attempts": str(limits.attempts),
        "identity_attempts": str(limits.identity_attempts),
        "callback_percent": str(limits.callback_percent),
        "witnesses": str(limits.witnesses),
    }
    words |= {
        f"relaxed {each.requirement}": f"{each.reason} ({each.decided_by}, {each.decided_on})"
        for each in policy.relaxed
    }
    return words
