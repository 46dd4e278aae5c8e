"""What further evidence adds to a case: facts for the rules in `ra.case_natural_person`.

Of document, login and earlier proofing the one that came last is the route; the others stay on
record. With none of them a letter can prove an identity at Low.
"""

from dataclasses import replace
from datetime import datetime

from ra.applications import Application
from ra.case import ComparisonKind, Measure, NaturalPersonPart, OnRecord
from ra.evidence import Answer, Presence
from ra.further_evidence import (
    Comparison,
    ControlQuestions,
    Derivation,
    FurtherEvidence,
    PriorProofing,
    RegisterReading,
)
from ra.logins import Login, derived_part
from ra.policies import Policy
from ra.registers import NoAnswer, PersonStatus
from ra.renewal_rules import is_proven_anew
from ra.sources import SourceCatalogue

_NAMES = frozenset({"name", "given_name", "surname"})


def with_further(
    part: NaturalPersonPart,
    application: Application,
    catalogue: SourceCatalogue,
    policy: Policy,
    now: datetime,
) -> NaturalPersonPart:
    """The part with everything else that is on record about the person."""
    further, renewal = application.further, application.renewal
    if renewal is not None and not is_proven_anew(application):
        # What the old credential is worth, `ra.renewal_rules` says.
        carried = replace(part, source_credential=application.level)
        return _with_reading(carried, renewal.register, catalogue, now)
    route = _last_route(application)
    if isinstance(route, Derivation):
        return _derived(part, route, catalogue, policy, now)
    if isinstance(route, PriorProofing):
        return _proofed_before(part, route, catalogue, now)
    part = _with_letter(part, further)
    part = _with_questions(part, further, policy, catalogue, now)
    if application.evidence:
        evidence_id = application.evidence[-1].id
        # The word on names comes first, so that it never covers a face that differs.
        if any(each.evidence_id == evidence_id for each in further.resolutions):
            part = _resolved(part)
        made = [each for each in further.comparisons if each.evidence_id == evidence_id]
        for comparison in made[-1:]:
            part = _compared(part, comparison, catalogue, now)
    return part


def _last_route(application: Application) -> Derivation | PriorProofing | None:
    """None when a document came last, or nothing at all."""
    further = application.further
    routes: list[tuple[datetime, Derivation | PriorProofing | None]] = [
        *((each.presented_at, None) for each in application.evidence[-1:]),
        *((each.at, each) for each in further.derivations[-1:]),
        *((each.at, each) for each in further.prior_proofings[-1:]),
    ]
    return max(routes, key=lambda each: each[0])[1] if routes else None


def _derived(
    part: NaturalPersonPart,
    derivation: Derivation,
    catalogue: SourceCatalogue,
    policy: Policy,
    now: datetime,
) -> NaturalPersonPart:
    login = Login(
        derivation.provider,
        "",
        derivation.level,
        derivation.authenticated_at,
        derivation.is_dynamic,
        derivation.assertion_sha256,
        factors=derivation.factors,
    )
    status = NoAnswer() if derivation.status is None else derivation.status
    found = derived_part(
        login,
        status,
        derivation.at,
        maximum_age=policy.limits.login_age,
        assessed=catalogue.approves(derivation.provider, now),
    )
    found = replace(
        found,
        data_match=derivation.same_number,
        officer_is_subject=part.officer_is_subject,
        officer_trained=part.officer_trained,
    )
    return _with_reading(found, derivation.register, catalogue, now)


def _proofed_before(
    part: NaturalPersonPart, prior: PriorProofing, catalogue: SourceCatalogue, now: datetime
) -> NaturalPersonPart:
    found = NaturalPersonPart(
        prior_proofing=True,
        prior_equivalence_confirmed=catalogue.holds_equal(prior.provider, prior.scope, now),
        officer_is_subject=part.officer_is_subject,
        officer_trained=part.officer_trained,
    )
    return _with_reading(found, prior.register, catalogue, now)


def _with_reading(
    part: NaturalPersonPart, reading: RegisterReading, catalogue: SourceCatalogue, now: datetime
) -> NaturalPersonPart:
    """What the register said; one that the catalogue does not approve said nothing."""
    heard = reading.status != Answer.NO_ANSWER and catalogue.approves(reading.source_id, now)
    known = heard and reading.status != Answer.NOT_REGISTERED
    return replace(
        part,
        cpr_status=PersonStatus(reading.status) if known else None,
        on_record=replace(
            part.on_record, register_answered=heard, differs_from_register=reading.differs
        ),
    )


def _with_letter(part: NaturalPersonPart, further: FurtherEvidence) -> NaturalPersonPart:
    returned = [each for each in further.letters if each.returned_at is not None]
    if not returned:
        return part
    measures = (*part.measures, Measure.REGISTERED_ADDRESS_DELIVERY)
    if part.document is not None:
        return replace(part, measures=measures)
    # Without a document it is the register's word at the letter's dispatch that counts.
    reading = returned[-1].register
    known = reading.status in {each.value for each in PersonStatus}
    status = PersonStatus(reading.status) if known else None
    record = replace(part.on_record, differs_from_register=reading.differs)
    return replace(part, measures=measures, cpr_status=status, on_record=record)


def _with_questions(
    part: NaturalPersonPart,
    further: FurtherEvidence,
    policy: Policy,
    catalogue: SourceCatalogue,
    now: datetime,
) -> NaturalPersonPart:
    """Only questions whose answers an approved source gave."""
    enough = [
        each
        for each in further.questions
        if _suffices(each, policy) and catalogue.approves(each.source, now)
    ]
    in_person = any(each.presence is Presence.IN_PERSON for each in enough)
    named = Measure.CONTROL_QUESTIONS_IN_PERSON if in_person else Measure.CONTROL_QUESTIONS
    return replace(part, measures=(*part.measures, named)) if enough else part


def _suffices(questions: ControlQuestions, policy: Policy) -> bool:
    all_right = questions.correct == questions.asked
    return all_right and questions.asked >= policy.limits.minimum_questions


def _compared(
    part: NaturalPersonPart, comparison: Comparison, catalogue: SourceCatalogue, now: datetime
) -> NaturalPersonPart:
    by_machine = comparison.kind is ComparisonKind.BIOMETRIC
    unapproved = by_machine and not catalogue.approves(comparison.by, now)
    named = (comparison.by,) if unapproved else ()
    record = part.on_record
    return replace(
        part,
        on_record=replace(record, unapproved_registers=(*record.unapproved_registers, *named)),
        presence=comparison.presence,
        comparison=comparison.kind,
        comparison_live=comparison.live,
        biometric_channel_protected=comparison.channel_protected,
        equivalence_assessment=catalogue.assessed_equal(comparison.method, now),
        data_match=part.data_match and comparison.matches,
    )


def _resolved(part: NaturalPersonPart) -> NaturalPersonPart:
    """A second officer answers for names alone: never for a face, a date or a number."""
    record = part.on_record
    differs = tuple(each for each in record.differs if each not in {*_NAMES, "data_match"})
    others = tuple(
        each for each in record.differs_from_register if each not in {*_NAMES, "data_match"}
    )
    names_alone = bool(record.differs) and not differs
    cleared: OnRecord = replace(
        record,
        differs=() if names_alone else record.differs,
        differs_from_register=others,
    )
    return replace(part, data_match=part.data_match or names_alone, on_record=cleared)
