"""A state machine over everything that can happen to applications of natural persons.

Every rule may be refused; what it may never do is break one of the invariants of NSIS that are
checked after each step. The store is handed in: a dictionary, or a database.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ra.applications import (
    Application,
    ApplicationId,
    ApplicationState,
    fulfil,
    lapse,
    record_evidence,
    refuse,
    start_proofing,
    withdraw,
)
from ra.approvals import ApprovedApplication, approve
from ra.assessment import Accepted, assess_natural_person, conclude, natural_person_part, submit
from ra.case import SourceStatus
from ra.case_natural_person import natural_person_findings
from ra.errors import Conflict, MalformedField, Refused
from ra.evidence import Officer
from ra.further_evidence import Deviation
from ra.further_facts import with_further
from ra.levels import AssuranceLevel
from ra.package import ProfileReference, build_package, package_hash
from ra.persons import (
    exhaust,
    record_biometric,
    record_derivation,
    record_questions,
    refer,
    resolve_by_answer,
    resolve_by_officer,
    return_code,
    send_letter,
)
from ra.proofing import ask_again, examine_document, read_register
from ra.requirements import finding, requirements
from tests.support.person_examples import (
    ASKED,
    EQUAL_CATALOGUE,
    METHOD,
    derived,
    questioned,
    report,
)
from tests.support.ra_builders import (
    NANCY,
    NOW,
    SigningOfficer,
    at_level,
    claimed,
    drafted,
    passport_of,
    policy,
    registers,
)

DEAD, SILENT_PERSON = "0107729995", "1502779995"
_FINAL = frozenset(
    {
        ApplicationState.REJECTED,
        ApplicationState.WITHDRAWN,
        ApplicationState.LAPSED,
        ApplicationState.FULFILLED,
    }
)
_PROVEN = frozenset(
    {ApplicationState.VERIFIED, ApplicationState.APPROVED, ApplicationState.FULFILLED}
)
_SOUND_DERIVATION = derived().further.derivations[0]
_QUESTIONS = questioned().further.questions[0]


class Store(Protocol):
    """Where the machine keeps applications."""

    def add(self, application: Application) -> None:
        """Keep a new one."""

    def get(self, of: ApplicationId) -> Application:
        """As it is kept."""

    def update(self, before: Application, after: Application, actor: str) -> None:
        """Keep a change."""

    def approve(self, before: Application, approved: ApprovedApplication) -> None:
        """Keep an approval."""

    def events(self) -> int:
        """How many changes were told."""


@dataclass
class Memory:
    """Applications in a dictionary."""

    kept: dict[ApplicationId, Application] = field(default_factory=dict)
    told: int = 0

    def add(self, application: Application) -> None:
        self.kept[application.id] = application
        self.told += 1

    def get(self, of: ApplicationId) -> Application:
        return self.kept[of]

    def update(self, before: Application, after: Application, actor: str) -> None:
        del actor
        assert self.kept[before.id] == before
        self.add(after)

    def approve(self, before: Application, approved: ApprovedApplication) -> None:
        self.update(before, approved.application, "")

    def events(self) -> int:
        return self.told


@dataclass(frozen=True)
class Cast:
    """Who acts: officers who prove, one untrained, one who is the subject; who approve."""

    proving: tuple[Officer, ...]
    approving: tuple[SigningOfficer, ...]
    subject_id: Callable[[], str]
    profile: ProfileReference


Step = Callable[[Application], tuple[Application, str]]
_NUMBERS = st.sampled_from([NANCY, NANCY, NANCY, NANCY, NANCY, DEAD, SILENT_PERSON])
_INDEX = st.integers(0, 5)


class PersonMachine(RuleBasedStateMachine):
    """At most three applications at a time; `store` and `cast` are set by a subclass."""

    store: Store
    cast: Cast
    reached: Counter[ApplicationState]
    """How often an application was in each state, over all runs."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        super().__init__()
        self.now = NOW
        self.ids: list[ApplicationId] = []
        self.codes: dict[ApplicationId, str] = {}
        self.approvers: dict[ApplicationId, str] = {}

    @initialize()
    def begins(self) -> None:
        self.changes = 0
        self.told_before = self.store.events()
        self.applies(NANCY, AssuranceLevel.SUBSTANTIAL, changed_name=False)

    @rule(
        number=_NUMBERS,
        level=st.sampled_from([AssuranceLevel.LOW, AssuranceLevel.SUBSTANTIAL]),
        changed_name=st.booleans(),
    )
    def applies(self, number: str, level: AssuranceLevel, changed_name: bool) -> None:  # noqa: FBT001
        known = NANCY if number == SILENT_PERSON else number
        attributes = claimed(known) | {"cpr_number": number}
        attributes |= {"surname": "Nyborg"} if changed_name else {}
        draft = at_level(drafted(attributes), level)
        applicant = replace(draft.applicant, subject_id=self.cast.subject_id(), person_key=None)
        made = submit(replace(draft, applicant=applicant), policy(), self.now)
        self.store.add(made)
        self.changes += 1
        self.ids = [*self.ids, made.id][-3:]
        self._check(made)

    @rule(which=_INDEX, who=_INDEX)
    def takes_up(self, which: int, who: int) -> None:
        officer = self._officer(which, who)
        self._try(which, lambda a: (start_proofing(a, officer, self.now), officer.pseudonym))

    @rule(
        which=_INDEX,
        face=st.sampled_from([True, True, None, False]),
        features=st.sampled_from([3, 3, 1]),
    )
    def presents(self, which: int, face: bool | None, features: int) -> None:  # noqa: FBT001
        def step(of: Application) -> tuple[Application, str]:
            number = of.applicant.claim.cpr_number
            assert number is not None
            known = NANCY if number.value == SILENT_PERSON else number.value
            shown = replace(
                passport_of(known),
                face_matches=face,
                features_seen=("kinegram", "uv_print", "laser")[:features],
            )
            found = examine_document(of, shown, registers(), policy(), self.now)
            return record_evidence(of, found.evidence, found.checks, self.now), self._name(of)

        self._try(which, step)

    @rule(which=_INDEX, live=st.booleans(), used=st.booleans(), matches=st.booleans())
    def is_compared(self, which: int, live: bool, used: bool, matches: bool) -> None:  # noqa: FBT001
        asked = replace(ASKED, is_used=used)
        captured = self.now - timedelta(seconds=1)
        told = report(is_live=live, matches=matches, captured_at=captured)
        self._try(
            which,
            lambda a: (record_biometric(a, told, asked, METHOD, self.now), "system:applicant"),
        )

    @rule(
        which=_INDEX,
        level=st.sampled_from(AssuranceLevel),
        status=st.sampled_from([*SourceStatus, None]),
        minutes=st.integers(0, 20),
        same=st.booleans(),
    )
    def logs_in(
        self,
        which: int,
        level: AssuranceLevel,
        status: SourceStatus | None,
        minutes: int,
        same: bool,  # noqa: FBT001
    ) -> None:
        def step(of: Application) -> tuple[Application, str]:
            reading, _ = read_register(of.applicant.claim, registers(), self.now)
            made = replace(
                _SOUND_DERIVATION,
                level=level,
                status=status,
                same_number=same,
                authenticated_at=self.now - timedelta(minutes=minutes),
                register=reading,
                at=self.now,
            )
            return record_derivation(of, made, self.now), "system:applicant"

        self._try(which, step)

    @rule(which=_INDEX, correct=st.integers(0, 3))
    def answers_questions(self, which: int, correct: int) -> None:
        asked = replace(_QUESTIONS, correct=correct, at=self.now)
        self._try(which, lambda a: (record_questions(a, asked, self.now), self._name(a)))

    @rule(which=_INDEX)
    def is_written_to(self, which: int) -> None:
        def step(of: Application) -> tuple[Application, str]:
            reading, _ = read_register(of.applicant.claim, registers(), self.now)
            after, self.codes[of.id] = send_letter(of, reading, policy(), self.now)
            return after, self._name(of)

        self._try(which, step)

    @rule(which=_INDEX, right=st.booleans())
    def returns_the_code(self, which: int, right: bool) -> None:  # noqa: FBT001
        def step(of: Application) -> tuple[Application, str]:
            code = self.codes.get(of.id, "") if right else "0" * 20
            return return_code(of, code, self.now), "system:applicant"

        self._try(which, step)

    @rule(which=_INDEX, who=_INDEX)
    def goes_well(self, which: int, who: int) -> None:
        """The short way, so that much is proven and the rest has something to break."""
        self.takes_up(which, who)
        self.presents(which, face=True, features=3)
        self.is_concluded(which)

    @rule(which=_INDEX)
    def is_concluded(self, which: int) -> None:
        def step(of: Application) -> tuple[Application, str]:
            after = conclude(of, EQUAL_CATALOGUE, policy(), self.now)
            if after.state is ApplicationState.VERIFIED:
                package = build_package(after, self.cast.profile)
                after = replace(after, package_hash=package_hash(package))
            return after, self._name(of)

        self._try(which, step)

    @rule(which=_INDEX)
    def is_referred(self, which: int) -> None:
        self._try(which, lambda a: (refer(a, EQUAL_CATALOGUE, policy(), self.now), self._name(a)))

    @rule(which=_INDEX)
    def is_answered(self, which: int) -> None:
        def step(of: Application) -> tuple[Application, str]:
            return resolve_by_answer(
                of, ask_again(of, registers(), self.now), self.now
            ), "system:job"

        self._try(which, step)

    @rule(which=_INDEX, who=_INDEX)
    def is_resolved(self, which: int, who: int) -> None:
        officer = self._officer(which, who)

        def step(of: Application) -> tuple[Application, str]:
            word = (Deviation.CHANGED_NAME, "the register shows the earlier name")
            return resolve_by_officer(of, officer, *word, self.now), officer.pseudonym

        self._try(which, step)

    @rule(which=_INDEX, who=_INDEX)
    def is_approved(self, which: int, who: int) -> None:
        of = self._application(which)
        signer = self.cast.approving[who % len(self.cast.approving)]
        try:
            package = build_package(of, self.cast.profile)
            approval = replace(signer.approval_of(of, package), at=self.now)
            found = approve(of, package, approval, signer, self.now)
        except (Refused, Conflict) as error:
            self._must_name_its_rule(error)
            return
        self.store.approve(of, found)
        self.changes += 1
        self.approvers[of.id] = approval.person_id
        self._check(self.store.get(of.id))

    @rule(
        which=_INDEX,
        end=st.sampled_from(["withdraw", "lapse", "refuse", "exhaust", *([""] * 12)]),
    )
    def ends(self, which: int, end: str) -> None:
        reason = (finding("REG-IDN-L12", "PROOFING_TOO_OLD"),)
        ends: Mapping[str, Callable[[Application], Application]] = {
            "withdraw": lambda a: withdraw(a, self.now),
            "lapse": lambda a: lapse(a, self.now),
            "refuse": lambda a: refuse(a, reason, self.now),
            "exhaust": lambda a: exhaust(a, self.now),
        }
        if end:
            self._try(which, lambda a: (ends[end](a), "system:job"))

    @rule(which=_INDEX)
    def is_fulfilled(self, which: int) -> None:
        self._try(which, lambda a: (fulfil(a, self.now), "system:job"))

    @rule(who=_INDEX, approver=_INDEX)
    def the_whole_way(self, who: int, approver: int) -> None:
        """The latest application, from its proofing to its end."""
        latest = len(self.ids) - 1
        self.goes_well(latest, who)
        self.is_approved(latest, approver)
        self.is_fulfilled(latest)

    @rule(who=_INDEX)
    def changes_the_name(self, who: int) -> None:
        """A new application under a name that the passport does not hold, referred and resolved."""
        self.applies(NANCY, AssuranceLevel.SUBSTANTIAL, changed_name=True)
        latest = len(self.ids) - 1
        self.takes_up(latest, who)
        self.presents(latest, face=True, features=3)
        self.is_referred(latest)
        self.is_resolved(latest, who + 1)
        self.is_concluded(latest)

    @rule(minutes=st.sampled_from([1, 1, 5, 60 * 24 * 20]))
    def waits(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def teardown(self) -> None:
        """Every change of state was told once (invariant 9)."""
        if hasattr(self, "changes"):
            assert self.store.events() - self.told_before == self.changes

    def _application(self, which: int) -> Application:
        return self.store.get(self.ids[which % len(self.ids)])

    def _officer(self, which: int, who: int) -> Officer:
        """One of the staff, or the applicant with an officer's account."""
        subject = Officer(
            "officer-00000000000000ff", self._application(which).subject_id,
            trained_until=date(2099, 1, 1),
        )  # fmt: skip
        people = (*self.cast.proving, subject)
        return people[who % len(people)]

    def _name(self, of: Application) -> str:
        return "system:job" if of.officer is None else of.officer.pseudonym

    def _try(self, which: int, step: Step) -> None:
        before = self._application(which)
        try:
            after, actor = step(before)
        except (Refused, Conflict, MalformedField) as error:
            self._must_name_its_rule(error)
            assert self.store.get(before.id) == before
            return
        assert before.state not in _FINAL  # invariant 5
        self.store.update(before, after, actor)
        self.changes += 1
        self._check(self.store.get(after.id))

    def _must_name_its_rule(self, error: Exception) -> None:
        """Invariants 9 and 10."""
        assert NANCY not in str(error)
        if isinstance(error, Refused):
            for each in error.findings:
                codes = {reason.code for reason in requirements()[each.requirement].errors}
                assert each.code in codes

    def _check(self, of: Application) -> None:
        self.reached.update([of.state])
        assert NANCY not in repr(of)  # invariant 10
        people = {} if of.officer is None else {of.officer.person_id}
        resolvers = {each.person_id for each in of.further.resolutions}
        approver = self.approvers.get(of.id)
        assert of.subject_id not in {*people, *resolvers, approver}  # invariant 4
        assert not resolvers & set(people)
        assert approver not in {*people, *resolvers}  # invariant 3
        if of.state in _PROVEN:
            self._check_proven(of)
        self._check_levels(of)

    def _check_proven(self, of: Application) -> None:
        """Invariants 1 and 2: what is proven still is, by what is on record."""
        assert of.proofing is not None
        assert of.officer is not None
        assert of.proofing.level is of.level
        outcome = assess_natural_person(of, EQUAL_CATALOGUE, policy(), of.proofing.completed_at)
        assert isinstance(outcome, Accepted)
        assert of.officer.is_trained(of.proofing.completed_at)
        answers = {each.kind: each for each in of.acceptances}
        assert len(answers) == 2
        if of.level >= AssuranceLevel.SUBSTANTIAL:
            assert all(each.read and each.accepted and each.shown_at for each in answers.values())
        package = build_package(of, self.cast.profile).decode()
        assert of.package_hash == package_hash(package.encode())
        assert NANCY not in package
        if of.state is not ApplicationState.VERIFIED:
            assert self.approvers[of.id]

    def _check_levels(self, of: Application) -> None:
        """Invariant 12: what is allowed at a level is allowed at every lower one."""
        part = natural_person_part(of, EQUAL_CATALOGUE, self.now)
        part = with_further(part, of, EQUAL_CATALOGUE, policy().policy, self.now)
        rules = policy().policy.person_rules
        allowed = [not natural_person_findings(part, level, rules) for level in AssuranceLevel]
        assert allowed == sorted(allowed, reverse=True)


def staff_of(pseudonyms: Mapping[str, str], untrained: str, now: datetime) -> tuple[Officer, ...]:
    """Officers of these persons by pseudonym; one of them is not trained."""
    until = now.date() + timedelta(days=3650)
    return tuple(
        Officer(name, person, trained_until=None if name == untrained else until)
        for name, person in pseudonyms.items()
    )
