"""An applicant's answers to the texts that the own session was shown to the end (REG-APP-S4c)."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from ra.applications import Application
from ra.errors import Refused
from ra.renewal_rules import terms_outdated
from ra.terms import FOR_APPLICANTS, Acceptance, TermsKind, accept
from server.assembly import Assembly


def acceptances_of(
    parts: Assembly, answers: Mapping[str, dict[str, object]], session: str, now: datetime
) -> Iterator[Acceptance]:
    """The own answer to each kind of text, in whichever language it was shown."""
    for kind in FOR_APPLICANTS:
        yield acceptance_of(parts, kind, answers.get(kind.value, {}), session, now)


def acceptance_of(
    parts: Assembly, kind: TermsKind, answer: Mapping[str, object], session: str, now: datetime
) -> Acceptance:
    """The own answer to one text; Refused (REG-APP-S4b) when it is to no text in force."""
    digest = str(answer.get("sha256", ""))
    in_force = parts.policy.terms.in_force(kind, now)
    offered = parts.policy.terms.offered(kind, digest, now) or in_force[0]
    shown_at = parts.persons.presentations.shown_at(session, digest, now)
    return accept(answer, offered, now, shown_at)


def answered_or_kept(
    parts: Assembly,
    given: tuple[Mapping[str, dict[str, object]], str],
    earlier: Application | None,
    now: datetime,
) -> tuple[Acceptance, ...]:
    """The answers of a session; who renews may leave them out while the texts are the same.

    Raises: Refused when they are not (REG-APP-L5), or as `acceptances_of`.
    """
    answers, session = given
    if earlier is None or answers:
        return tuple(acceptances_of(parts, answers, session, now))
    if outdated := terms_outdated(earlier.acceptances, parts.policy.terms, now):
        raise Refused(outdated)
    return earlier.acceptances
