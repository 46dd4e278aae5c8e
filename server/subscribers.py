"""What an organisation does as subscriber, by whoever is mandated to register it.

It agrees (REG-APP-L4), and it designates the seal that signs for its own system (ASC-S8b).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from audit.events import Detail
from ra.errors import Refused
from ra.feeds import Feed, feed_refused
from ra.legal_persons import Act, CvrNumber
from ra.levels import AssuranceLevel
from ra.mandates import Authenticated, Mandate, record_agreement
from ra.requirements import finding
from ra.terms import TermsKind, require_accepted
from server.acceptances import acceptance_of
from server.assembly import Assembly


def mandate_to_register(
    parts: Assembly, company: CvrNumber, actor: Authenticated, now: datetime
) -> Mandate:
    """The mandate by which somebody acts for a legal person, the highest one.

    Raises: Refused (REG-IDL-S6a) when there is none in force.
    """
    held = parts.mandates.held_by(actor.subject_id, company)
    to_register = [each for each in held if each.holds(Act.REGISTER, now.date())]
    if not to_register:
        raise Refused((finding("REG-IDL-S6a", "AUTHORISATION_NOT_VERIFIED"),))
    return max(to_register, key=lambda each: each.level)


def agree_as_subscriber(
    parts: Assembly,
    company: CvrNumber,
    answer: tuple[Mapping[str, object], str],
    actor: Authenticated,
    now: datetime,
) -> Mandate:
    """The legal person accepts the agreement of the subscriber, by somebody who may act for it.

    `answer` is to the text, with the secret of the session that was shown it to the end. It stands
    as long as the mandate under which it was given.

    Raises: Refused when the actor is not mandated, or the answer is no acceptance.
    """
    before = mandate_to_register(parts, company, actor, now)
    acceptance = acceptance_of(parts, TermsKind.SUBSCRIBER, *answer, now)
    require_accepted(acceptance)
    after = record_agreement(before, acceptance, now)
    told: dict[str, Detail] = {"version": acceptance.version, "text_sha256": acceptance.sha256}
    parts.mandates.note(before, after, "agreed", told, now)
    return after


@dataclass(frozen=True, slots=True)
class DesignatedFeed:
    """The feed of an organisation: the seal, the mandate it rests on, and how far it carries."""

    certificate: str
    feed: Feed
    mandate: Mandate
    level: AssuranceLevel


def designate_feed(
    parts: Assembly,
    company: CvrNumber,
    certificate: str | None,
    actor: Authenticated,
    now: datetime,
) -> Mandate:
    """The management says which seal signs for its own system; None: none does any more.

    Raises: Refused when the actor is not mandated, or it is no live seal of this legal person.
    """
    before = mandate_to_register(parts, company, actor, now)
    if certificate is not None and _seal(parts, company, certificate, now) is None:
        raise feed_refused("certificate")
    after = replace(before, feed=Feed(certificate, now), updated_at=now)
    told: dict[str, Detail] = {"fingerprint": certificate or "none"}
    parts.mandates.note(before, after, "feed_designated", told, now)
    return after


def feed_of(parts: Assembly, company: CvrNumber, now: datetime) -> DesignatedFeed | None:
    """The feed that was designated last, while its mandate and its seal are in force."""
    designated = [
        (each.feed.designated_at, each.feed, each)
        for each in parts.mandates.granted(company)
        if each.feed is not None and each.holds(Act.REGISTER, now.date())
    ]
    if not designated:
        return None
    _, feed, mandate = max(designated, key=lambda each: each[0])
    seal = _seal(parts, company, feed.certificate or "", now)
    if feed.certificate is None or seal is None:
        return None
    return DesignatedFeed(feed.certificate, feed, mandate, min(mandate.level, seal))


def _seal(
    parts: Assembly, company: CvrNumber, fingerprint: str, now: datetime
) -> AssuranceLevel | None:
    of = parts.mandates.organisation(company)
    return parts.holders.level_of_seal(fingerprint, of.subject_id, now)
