"""Examining a document that an applicant presents: run every check and record each answer.

The registers are asked here and nowhere else. The matching rule NAMES-1: the surname agrees in
full; the given names of the claim stand in the other source in the same order, the first of them
first, so that middle names may be left out; the evidence is read by ICAO 9303-3 section 6.
"""

import secrets
from dataclasses import dataclass, fields, replace
from datetime import datetime
from hashlib import sha256

from ra.applications import Application, ApplicationState
from ra.assessment import ProofingPolicy
from ra.claims import ClaimedIdentity
from ra.errors import Conflict, MalformedField
from ra.evidence import (
    Answer,
    Check,
    CheckResult,
    Evidence,
    EvidenceKind,
    Presence,
    VisualZone,
)
from ra.further_evidence import RegisterReading
from ra.identity import CprKind, CprNumber, PersonName
from ra.mrz import MachineReadableZone, MrzFormat, parse_mrz, reads_as, transliterate
from ra.registers import (
    DocumentReference,
    DocumentStatusRegister,
    NoAnswer,
    NotRegistered,
    PersonAnswer,
    PersonRegister,
    RegisteredPerson,
)

MATCHING_RULE = "NAMES-1"
# Danish driving licences and military cards carry no machine-readable zone: an officer reads them.
WITHOUT_ZONE = frozenset({EvidenceKind.DRIVING_LICENCE, EvidenceKind.MILITARY_ID})


@dataclass(frozen=True, slots=True)
class Registers:
    """The registers that are asked."""

    persons: PersonRegister
    documents: DocumentStatusRegister


@dataclass(frozen=True, slots=True, repr=False)
class PresentedDocument:
    """What the officer had in hand and saw.

    `features_seen` names the security features that were found; `face_matches` is None when no
    comparison was made. `visual` is what was read from a document without a machine-readable zone.
    """

    kind: EvidenceKind
    mrz_lines: tuple[str, ...]
    features_seen: tuple[str, ...]
    presence: Presence
    face_matches: bool | None = None
    visual: VisualZone | None = None
    photo: bool = True

    def __repr__(self) -> str:
        return f"PresentedDocument({self.kind.value}, ***)"


@dataclass(frozen=True, slots=True)
class Examination:
    """The evidence as it is recorded, and one result for each check that was made."""

    evidence: Evidence
    checks: tuple[CheckResult, ...]


def examine_document(
    application: Application,
    presented: PresentedDocument,
    registers: Registers,
    policy: ProofingPolicy,
    now: datetime,
) -> Examination:
    """Run every check on a presented document and record each answer.

    Raises: Conflict when no officer is proofing the application.
    """
    if application.state is not ApplicationState.PROOFING or application.officer is None:
        raise Conflict(application.state)
    zone = _read_zone(presented, now)
    evidence = Evidence(
        id="E-" + secrets.token_hex(8),
        kind=presented.kind,
        mrz_lines=presented.mrz_lines,
        presented_at=now,
        accepted_by=application.officer.pseudonym,
        issuer=zone.issuer if zone else None,
        number=zone.number if zone else None,
        expiry_date=zone.expiry_date if zone else None,
        visual=presented.visual,
        photo=presented.photo,
    )
    record = _Recorder(evidence, application.officer.pseudonym, now)
    checks = [_format(record, zone), *_seen_by_officer(record, presented, policy)]
    if zone is not None:
        checks += [_validity(record, zone, now), *_asked(record, zone, registers, application)]
    return Examination(evidence, tuple(checks))


def ask_again(
    application: Application, registers: Registers, now: datetime
) -> tuple[CheckResult, ...]:
    """Ask the registers anew about the evidence that was presented last; the answers count now.

    Raises: Conflict without readable evidence.
    """
    officer = application.officer
    if not application.evidence or officer is None:
        raise Conflict(application.state)
    evidence = application.evidence[-1]
    zone = _zone_of(evidence.kind, evidence.mrz_lines, evidence.visual, now)
    if zone is None:
        raise Conflict(application.state)
    return _asked(_Recorder(evidence, officer.pseudonym, now), zone, registers, application)


def read_register(
    claim: ClaimedIdentity, registers: Registers, now: datetime
) -> tuple[RegisterReading, PersonAnswer]:
    """What the register says about the claim alone, without any document."""
    answer = _ask_register(claim.cpr_number, registers, now)
    differs: tuple[str, ...] = ()
    if isinstance(answer, RegisteredPerson):
        differs = _names_differ(answer, claim)
    return RegisterReading(registers.persons.source_id, _status(answer), differs), answer


def _asked(
    record: "_Recorder",
    zone: MachineReadableZone,
    registers: Registers,
    application: Application,
) -> tuple[CheckResult, ...]:
    claim = application.applicant.claim
    answer = _ask_register(claim.cpr_number, registers, record.now)
    return (
        _document_status(record, zone, registers),
        _register_status(record, answer, registers, application),
        _data_match(record, zone, answer, claim),
    )


@dataclass(frozen=True, slots=True)
class _Recorder:
    """What all results of one examination have in common."""

    evidence: Evidence
    officer: str
    now: datetime

    def result(self, check: Check, answer: str, requirement: str, checked: str = "") -> CheckResult:
        """A result made by the system; `checked` is the input, the zone unless given."""
        content = checked or "\n".join(self.evidence.mrz_lines) or _visual_text(self.evidence)
        return CheckResult(
            check=check,
            answer=answer,
            evidence_id=self.evidence.id,
            requirement=requirement,
            method="automatic",
            by="system",
            at=self.now,
            input_hash=sha256(content.encode()).hexdigest(),
        )


def _read_zone(presented: PresentedDocument, now: datetime) -> MachineReadableZone | None:
    return _zone_of(presented.kind, presented.mrz_lines, presented.visual, now)


def _zone_of(
    kind: EvidenceKind, lines: tuple[str, ...], visual: VisualZone | None, now: datetime
) -> MachineReadableZone | None:
    """The zone, if it is sound and of the kind that was said to be presented (ICAO 9303-4 4.2)."""
    if visual is not None:
        # Whoever could choose would choose the reading without check digits.
        return _typed(visual) if kind in WITHOUT_ZONE and not lines else None
    try:
        zone = parse_mrz(lines, now.date())
    except MalformedField:
        return None
    is_passport = zone.document_code.startswith("P")
    return zone if is_passport is (kind is EvidenceKind.PASSPORT) else None


def _typed(visual: VisualZone) -> MachineReadableZone:
    """What an officer read, in the letters of a zone, so that one matching rule serves both."""
    return MachineReadableZone(
        format=MrzFormat.TD1,
        document_code="",
        issuer=visual.issuer,
        number=visual.number,
        nationality=visual.issuer,
        birth_date=visual.birth_date,
        sex="",
        expiry_date=visual.expiry_date,
        surname=transliterate(visual.surname),
        given_names=transliterate(visual.given_name),
        names_truncated=False,
    )


def _visual_text(evidence: Evidence) -> str:
    visual = evidence.visual
    if visual is None:
        return ""
    return "\n".join(str(getattr(visual, each.name)) for each in fields(visual))


def _format(record: _Recorder, zone: MachineReadableZone | None) -> CheckResult:
    answer = Answer.MALFORMED if zone is None else Answer.SOUND
    return record.result(Check.FORMAT, answer, "REG-IDN-L2")


def _validity(record: _Recorder, zone: MachineReadableZone, now: datetime) -> CheckResult:
    answer = Answer.EXPIRED if zone.expiry_date < now.date() else Answer.IN_FORCE
    return record.result(Check.VALIDITY_PERIOD, answer, "REG-IDN-L2")


def _seen_by_officer(
    record: _Recorder, presented: PresentedDocument, policy: ProofingPolicy
) -> tuple[CheckResult, ...]:
    """The features and the face, each the officer's own observation."""
    features = tuple(sorted({each.strip() for each in presented.features_seen if each.strip()}))
    enough = len(features) >= policy.minimum_features
    answer = Answer.ENOUGH_FEATURES if enough else Answer.TOO_FEW_FEATURES
    seen = [replace(record.result(Check.GENUINENESS, answer, "REG-IDN-S7"), concerns=features)]
    if presented.face_matches is not None:
        face = _face_answer(presented, matches=presented.face_matches)
        seen.append(record.result(Check.PHYSICAL_COMPARISON, face, "REG-IDN-S6c"))
    return tuple(replace(each, method="manual", by=record.officer) for each in seen)


def _face_answer(presented: PresentedDocument, *, matches: bool) -> Answer:
    if not matches:
        return Answer.DIFFERS_FROM_EVIDENCE
    in_person = presented.presence is Presence.IN_PERSON
    return Answer.MATCHES_IN_PERSON if in_person else Answer.MATCHES_AT_A_DISTANCE


def _document_status(
    record: _Recorder, zone: MachineReadableZone, registers: Registers
) -> CheckResult:
    reference = DocumentReference(record.evidence.kind.value, zone.issuer, zone.number)
    answer = registers.documents.status_of(reference, record.now)
    result = record.result(Check.DOCUMENT_STATUS, answer.value, "REG-IDN-S6a")
    return replace(result, source_id=registers.documents.source_id)


def _ask_register(number: CprNumber | None, registers: Registers, now: datetime) -> PersonAnswer:
    """No register is asked about a person without a number of its own."""
    if number is None or number.kind is CprKind.REPLACEMENT:
        return NotRegistered()
    return registers.persons.find(number, now)


def _register_status(
    record: _Recorder, answer: PersonAnswer, registers: Registers, application: Application
) -> CheckResult:
    number = application.applicant.claim.cpr_number
    checked = "no number" if number is None else number.value
    result = record.result(Check.REGISTER_STATUS, _status(answer), "REG-IDN-S6b", checked)
    return replace(result, source_id=registers.persons.source_id)


def _status(answer: PersonAnswer) -> str:
    match answer:
        case RegisteredPerson():
            return answer.status.value
        case NotRegistered():
            return Answer.NOT_REGISTERED
        case NoAnswer():
            return Answer.NO_ANSWER


def _data_match(
    record: _Recorder, zone: MachineReadableZone, answer: PersonAnswer, claim: ClaimedIdentity
) -> CheckResult:
    """Claim against evidence, then claim and evidence against the register (REG-IDN-S6e)."""
    differing = _differs_from_evidence(zone, claim)
    outcome = Answer.DIFFERS_FROM_EVIDENCE if differing else Answer.AGREES
    if not differing and isinstance(answer, RegisteredPerson):
        differing = _differs_from_register(answer, zone, claim)
        outcome = Answer.DIFFERS_FROM_REGISTER if differing else Answer.AGREES
    result = record.result(Check.DATA_MATCH, outcome, "REG-IDN-S6e")
    return replace(result, method=MATCHING_RULE, concerns=differing)


def _differs_from_evidence(zone: MachineReadableZone, claim: ClaimedIdentity) -> tuple[str, ...]:
    number = claim.cpr_number
    agreement = {
        "name": names_agree(claim.given_name, claim.surname, zone),
        "birth_date": number is None or number.birth_date == zone.birth_date,
    }
    return tuple(field for field, agrees in agreement.items() if not agrees)


def _differs_from_register(
    person: RegisteredPerson, zone: MachineReadableZone, claim: ClaimedIdentity
) -> tuple[str, ...]:
    agreement = {
        **_names_registered(claim, person),
        "birth_date": person.birth_date == zone.birth_date,
    }
    return tuple(field for field, agrees in agreement.items() if not agrees)


def _names_differ(person: RegisteredPerson, claim: ClaimedIdentity) -> tuple[str, ...]:
    agreement = _names_registered(claim, person)
    return tuple(field for field, agrees in agreement.items() if not agrees)


def _names_registered(claim: ClaimedIdentity, person: RegisteredPerson) -> dict[str, bool]:
    return {
        "surname": _words(claim.surname) == _words(person.surname),
        "given_name": _stand_in_order(_words(claim.given_name), _words(person.given_name)),
    }


def names_are_registered(claim: ClaimedIdentity, person: RegisteredPerson) -> bool:
    """Whether a claimed name is the registered one under the rule NAMES-1."""
    return all(_names_registered(claim, person).values())


def names_agree(given_name: PersonName, surname: PersonName, zone: MachineReadableZone) -> bool:
    """Whether a claimed name is the zone's name under the rule NAMES-1."""
    if zone.names_truncated:
        whole = f"{transliterate(surname.value)}<<{transliterate(given_name.value)}"
        return whole.startswith(f"{zone.surname}<<{zone.given_names}")
    if not reads_as(surname.value, zone.surname):
        return False
    return _read_in_order(_words(given_name), zone.given_names.split("<"))


def _words(name: PersonName) -> list[str]:
    return name.value.casefold().replace("-", " ").split()


def _stand_in_order(wanted: list[str], known: list[str]) -> bool:
    rest = iter(known)
    return wanted[:1] == known[:1] and all(word in rest for word in wanted)


def _read_in_order(wanted: list[str], parts: list[str]) -> bool:
    rest = iter(parts)
    first_agrees = reads_as(wanted[0], parts[0])
    return first_agrees and all(any(reads_as(word, part) for part in rest) for word in wanted)
