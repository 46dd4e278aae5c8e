"""Terms and the security notice, as immutable versions, and the applicant's answers to them.

Implements REG-APP-L1, L2, L4, S4a, S4b and S4c (2015/1502 2.1.1; NSIS 3.1.1; EN 319 411-1 6.3.4)
and ISS-STR-L2 (NSIS 3.2.1). The texts are the files `ra/terms/*.md`: header lines, a blank line,
and the text that the SHA-256 digest covers. A version is written in every language of `LANGUAGES`,
and the applicant answers to the one that was shown to the end in the same session. A security
notice has a fifth header line, `kept_to_oneself`: the number of its clause that forbids to hand the
credential on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import sha256
from importlib.resources import files

from ra.errors import MalformedField, Refused
from ra.levels import AssuranceLevel
from ra.requirements import Finding, finding

LANGUAGES = ("da", "sv", "en")
_NOT_PRESENTED = {
    "terms": ("REG-APP-L1", "TERMS_NOT_PRESENTED"),
    "security_notice": ("REG-APP-L2", "SECURITY_NOTICE_NOT_PRESENTED"),
}


class TermsKind(StrEnum):
    """The two texts that every applicant is shown, and the agreement of an organisation."""

    TERMS = "terms"
    SECURITY_NOTICE = "security_notice"
    SUBSCRIBER = "subscriber"


FOR_APPLICANTS = (TermsKind.TERMS, TermsKind.SECURITY_NOTICE)


@dataclass(frozen=True, slots=True)
class TermsVersion:
    """One version of one text in one language; `sha256` is over the text in UTF-8."""

    kind: TermsKind
    version: int
    language: str
    valid_from: date
    text: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the applicant answered to one text, and when (UTC)."""

    kind: TermsKind
    version: int
    sha256: str
    read: bool
    accepted: bool
    at: datetime
    shown_at: datetime | None = None
    """When the same session had shown the text to its end; None when it had not."""


@dataclass(frozen=True, slots=True)
class TermsLibrary:
    """Every version of every text that was ever in force."""

    versions: tuple[TermsVersion, ...]

    def in_force(self, kind: TermsKind, at: datetime) -> tuple[TermsVersion, ...]:
        """The newest version of this kind at that time, in each language it is written in."""
        begun = [
            each
            for each in self.versions
            if each.kind is kind and each.valid_from <= at.astimezone(UTC).date()
        ]
        newest = max((each.version for each in begun), default=0)
        return tuple(each for each in begun if each.version == newest)

    def offered(self, kind: TermsKind, sha256: str, at: datetime) -> TermsVersion | None:
        """The text in force at that time with this digest, in whichever language."""
        return next((each for each in self.in_force(kind, at) if each.sha256 == sha256), None)

    def knows(self, acceptance: Acceptance) -> bool:
        """Whether the answer is to a text that was in force when it was given."""
        return self.offered(acceptance.kind, acceptance.sha256, acceptance.at) is not None


def read_terms_library() -> TermsLibrary:
    """The texts that are shipped with this package."""
    folder = files("ra").joinpath("terms")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".md"))
    return TermsLibrary(
        tuple(parse_terms(folder.joinpath(name).read_text(encoding="utf-8")) for name in names)
    )


def parse_terms(document: str) -> TermsVersion:
    """Read a file's header lines and text.

    Raises: MalformedField when a header line is missing; Refused (ISS-STR-L2) for a security notice
    that has no clause of the number that its header names.
    """
    head, _, text = document.partition("\n\n")
    header = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    try:
        read = TermsVersion(
            kind=TermsKind(header["kind"]),
            version=int(header["version"]),
            language=header["language"],
            valid_from=date.fromisoformat(header["valid_from"]),
            text=text,
            sha256=sha256(text.encode()).hexdigest(),
        )
    except (KeyError, ValueError) as fault:
        raise MalformedField("terms", "header lines kind, version, language, valid_from") from fault
    clause = header.get("kept_to_oneself", "")
    numbered = clause.isdecimal() and re.search(rf"^{clause}\. \S", text, re.MULTILINE)
    if read.kind is TermsKind.SECURITY_NOTICE and not numbered:
        raise Refused((finding("ISS-STR-L2", "TERMS_CLAUSE_MISSING"),))
    return read


def accept(
    statement: Mapping[str, object],
    offered: TermsVersion,
    now: datetime,
    shown_at: datetime | None = None,
) -> Acceptance:
    """Record the applicant's own answer: exactly `read`, `accepted` and `sha256`.

    `shown_at` is when the applicant's session had shown this very text to its end.

    Raises: Refused (REG-APP-S4b) when an answer is absent, is not a truth value, or is about
    another text than the one offered.
    """
    read, accepted = statement.get("read"), statement.get("accepted")
    explicit = isinstance(read, bool) and isinstance(accepted, bool)
    if not explicit or statement.get("sha256") != offered.sha256:
        concerns = (offered.kind.value,)
        raise Refused((finding("REG-APP-S4b", "TERMS_ACCEPTANCE_NOT_EXPLICIT", concerns),))
    return Acceptance(
        kind=offered.kind,
        version=offered.version,
        sha256=offered.sha256,
        read=read is True,
        accepted=accepted is True,
        at=now,
        shown_at=shown_at,
    )


def terms_findings(
    acceptances: tuple[Acceptance, ...], library: TermsLibrary, level: AssuranceLevel
) -> tuple[Finding, ...]:
    """What is missing: both texts shown, and from Substantial both read and accepted."""
    found: list[Finding] = []
    for kind in FOR_APPLICANTS:
        answers = [each for each in acceptances if each.kind is kind and library.knows(each)]
        if not answers:
            found.append(finding(*_NOT_PRESENTED[kind]))
        elif level >= AssuranceLevel.SUBSTANTIAL:
            found += _unaccepted(answers[-1])
    return tuple(found)


def require_agreement(acceptances: tuple[Acceptance, ...], *, by_statute: bool) -> None:
    """Where no statute stands in its place, the acceptance of the terms is the contract.

    Raises: Refused (REG-APP-L7) when the applicant made none.
    """
    made = any(each.kind is TermsKind.TERMS and each.accepted for each in acceptances)
    if not (made or by_statute):
        raise Refused((finding("REG-APP-L7", "AGREEMENT_MISSING"),))


def require_accepted(acceptance: Acceptance) -> None:
    """At whatever level: read, accepted, and shown to the end before.

    Raises: Refused (REG-APP-S4a, S4c).
    """
    if found := _unaccepted(acceptance):
        raise Refused(found)


def part_findings(
    subject: tuple[Acceptance, ...],
    subscriber: tuple[Acceptance, ...],
    library: TermsLibrary,
    applied_at: datetime,
) -> tuple[Finding, ...]:
    """Which of the two agreements is missing where subscriber and subject differ (REG-APP-L4).

    The subscriber's is of no older version than the one in force when the subject applied.
    """
    in_force = library.in_force(TermsKind.SUBSCRIBER, applied_at)
    parts = {
        "subscriber": any(
            each.accepted and all(each.version >= now.version for now in in_force)
            for each in subscriber
            if each.kind is TermsKind.SUBSCRIBER and library.knows(each)
        ),
        "subject": any(each.kind is TermsKind.TERMS and each.accepted for each in subject),
    }
    missing = tuple(name for name, made in parts.items() if not made)
    return (finding("REG-APP-L4", "AGREEMENT_PART_MISSING", missing),) if missing else ()


def _unaccepted(answer: Acceptance) -> tuple[Finding, ...]:
    """Why the last answer to a text is no acceptance of it."""
    kind = (answer.kind.value,)
    if not (answer.read and answer.accepted):
        return (finding("REG-APP-S4a", "TERMS_NOT_ACCEPTED", kind),)
    # An answer given before the end of the text was shown answers to something else.
    if answer.shown_at is None or answer.shown_at > answer.at:
        return (finding("REG-APP-S4c", "TERMS_NOT_FULLY_SHOWN", kind),)
    return ()
