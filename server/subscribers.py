"""What an organisation does as subscriber, by whoever is mandated to register it (REG-APP-L4)."""

from collections.abc import Mapping
from datetime import datetime

from ra.errors import Refused
from ra.legal_persons import Act, CvrNumber
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
    parts.mandates.agree(before, after, acceptance, now)
    return after
