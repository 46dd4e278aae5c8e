"""The registration pages: the queue, one case, and its approval.

What a page offers is decided here by role and state; whether it happens is decided by the use
cases in `server.registration`, whatever a page offered.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, request, url_for
from werkzeug.datastructures import MultiDict

from ra.applications import Application, ApplicationState
from ra.assessment import Accepted, Assessment, Referred, Rejected, assess_natural_person
from ra.errors import Conflict
from ra.evidence import Check, CheckResult
from ra.package import package_hash
from ra.registers import PersonStatus
from ra.requirements import Finding, finding, requirements
from ra.sources import SourceCatalogue
from ra.verdicts import passes
from records.officers import Officer
from server.access import RIGHTS, Act
from server.assembly import Assembly
from server.clock import utc_now
from server.errors import FormFault, FormRefused, NoRegisters
from server.pages_forms import ApprovalForm, DocumentForm, EmptyForm, RefusalForm, read_form
from server.pages_frame import acting, form_problem, render, see
from server.problems import Problem
from server.registration import (
    application_package,
    approve_application,
    conclude_proofing,
    record_document,
    reject_application,
)

_UNPROVED = (ApplicationState.SUBMITTED, ApplicationState.PROOFING, ApplicationState.REFERRED)
_OPEN = (*_UNPROVED, ApplicationState.VERIFIED, ApplicationState.APPROVED)


@dataclass(frozen=True, slots=True)
class Offers:
    """What an officer may do with an application as it stands."""

    document: bool
    conclude: bool
    refuse: bool
    approve: bool


@dataclass(frozen=True, slots=True)
class CasePages:
    """The queue and everything about one application."""

    parts: Assembly

    def register(self, blueprint: Blueprint) -> None:
        """Add the pages to the blueprint."""
        add = blueprint.add_url_rule
        case = "/case/<application_id>"
        add("/queue", "queue", self.queue)
        add(case, "case", self.case)
        add(f"{case}/document", "document", self.document, methods=["POST"])
        add(f"{case}/conclude", "conclude", self.conclude, methods=["POST"])
        add(f"{case}/refuse", "refuse", self.refuse, methods=["POST"])
        add(f"{case}/package", "package", self.package)
        add(f"{case}/approve", "approve", self.approval)
        add(f"{case}/approve", "approve_signed", self.approve, methods=["POST"])

    def queue(self) -> Response:
        """Open applications by state, the oldest first."""
        officer = acting(self.parts, Act.SEE_APPLICATIONS)
        found = self.parts.applications.in_state(*_OPEN)
        by_state = [
            (state, [each for each in found if each.state is state])
            for state in self._order(officer)
        ]
        return render("queue", groups=by_state, total=len(found))

    def case(self, application_id: str) -> Response:
        """Claim and evidence, the verdict now, and what this role may do now."""
        officer = acting(self.parts, Act.SEE_APPLICATIONS)
        return self._case(self.parts.applications.get(application_id), officer)

    def document(self, application_id: str) -> Response:
        """Record a document; a form that is not right comes back as it was filled in."""
        officer = acting(self.parts, Act.PROVE)
        try:
            form = read_form(DocumentForm)
        except FormRefused as error:
            application = self.parts.applications.get(application_id)
            return self._case(application, officer, form_problem(error))
        record_document(self.parts, application_id, form.presented(), officer, utc_now())
        return _to_case(application_id)

    def conclude(self, application_id: str) -> Response:
        """Conclude the proofing."""
        officer = acting(self.parts, Act.PROVE)
        read_form(EmptyForm)
        conclude_proofing(self.parts, application_id, officer, utc_now())
        return _to_case(application_id)

    def refuse(self, application_id: str) -> Response:
        """Refuse for one of the reasons that the page offers."""
        officer = acting(self.parts, Act.SEE_APPLICATIONS)
        application = self.parts.applications.get(application_id)
        acting(self.parts, _act_to_refuse(application))
        now = utc_now()
        verdict = self._verdict(application, now)
        if not offers(application, officer, verdict).refuse:
            raise Conflict(application.state)
        chosen = read_form(RefusalForm).reason
        for reason in (each for group in refusal_reasons(application, verdict) for each in group):
            if chosen == f"{reason.requirement}:{reason.code}":
                reject_application(self.parts, application.id, (reason,), officer, now)
                return _to_case(application_id)
        raise FormRefused(
            FormFault("reason", "This is none of the choices.", "Choose a reason on the page.")
        )

    def approval(self, application_id: str) -> Response:
        """The package as it will be signed, and how to sign it."""
        acting(self.parts, Act.APPROVE)
        return self._approval(self._verified(application_id))

    def package(self, application_id: str) -> Response:
        """The octets to be signed, as a file named after the application."""
        acting(self.parts, Act.APPROVE)
        application = self._verified(application_id)
        answer = Response(application_package(application), mimetype="application/json")
        answer.headers["Content-Disposition"] = f'attachment; filename="{application.id}.json"'
        return answer

    def approve(self, application_id: str) -> Response:
        """Approve by the officer's signature; being signed in does not approve anything."""
        officer = acting(self.parts, Act.APPROVE)
        try:
            signature = read_form(ApprovalForm).octets()
        except FormRefused as error:
            return self._approval(self._verified(application_id), form_problem(error))
        approve_application(self.parts, application_id, signature, officer, utc_now())
        return _to_case(application_id)

    def _case(
        self, application: Application, officer: Officer, problem: Problem | None = None
    ) -> Response:
        verdict = self._verdict(application, utc_now())
        return render(
            "case",
            400 if problem else 200,
            application=application,
            birth_digits=_birth_digits(application),
            evidence=[(e, _checks(application, e.id)) for e in reversed(application.evidence)],
            requirements=requirements(),
            verdict=verdict,
            accepted=isinstance(verdict, Accepted),
            rejected=isinstance(verdict, Rejected),
            offers=offers(application, officer, verdict),
            reasons=refusal_reasons(application, verdict),
            policy=self.parts.policy,
            certificates=self.parts.certificates.find(application_id=application.id),
            problem=problem,
            typed=request.form if problem else MultiDict[str, str](),
        )

    def _approval(self, application: Application, problem: Problem | None = None) -> Response:
        package = application_package(application)
        return render(
            "approve",
            400 if problem else 200,
            application=application,
            package=json.loads(package),
            package_sha256=package_hash(package),
            requirements=requirements(),
            staff_url=self.parts.settings.staff.url,
            problem=problem,
        )

    def _verified(self, application_id: str) -> Application:
        application = self.parts.applications.get(application_id)
        if application.state is not ApplicationState.VERIFIED:
            raise Conflict(application.state)
        return application

    def _verdict(self, application: Application, now: datetime) -> Assessment | None:
        """What the record is worth now; None once that does not matter any more."""
        if application.state not in _OPEN:
            return None
        try:
            _, catalogue = self.parts.registers()
        except NoRegisters:
            catalogue = SourceCatalogue()
        return assess_natural_person(application, catalogue, self.parts.policy, now)

    @staticmethod
    def _order(officer: Officer) -> tuple[ApplicationState, ...]:
        """The states in the order of this role's work."""
        if Act.APPROVE in RIGHTS[officer.role]:
            return (ApplicationState.VERIFIED, *(s for s in _OPEN if s != "verified"))
        return _OPEN


def offers(application: Application, officer: Officer, verdict: Assessment | None) -> Offers:
    """What the officer's role may do with the application now."""
    rights = RIGHTS[officer.role]
    state = application.state
    others = state is ApplicationState.PROOFING and (
        application.officer is None or application.officer.pseudonym != officer.id
    )
    proves = Act.PROVE in rights and state in _UNPROVED and not others
    approves = Act.APPROVE in rights and state is ApplicationState.VERIFIED
    return Offers(
        document=proves,
        conclude=proves
        and state is ApplicationState.PROOFING
        and isinstance(verdict, Accepted | Referred),
        refuse=proves or approves,
        approve=approves,
    )


def refusal_reasons(
    application: Application, verdict: Assessment | None
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Why an application can be refused: what is found now, then what else the level demands.

    What only waits for an answer is no reason, and the others are those about identity.
    """
    found = () if verdict is None or isinstance(verdict, Accepted) else verdict.findings
    now = tuple(each for each in found if not each.waits)
    named = {(each.requirement, each.code) for each in now}
    others = tuple(
        finding(rule.id, error.code)
        for rule in requirements().values()
        if rule.id.startswith("REG-IDN-") and application.level in rule.levels
        for error in rule.errors
        if not error.waits and (rule.id, error.code) not in named
    )
    return now, others


def _act_to_refuse(application: Application) -> Act:
    """Who has the case refuses it: the registration officer, then the approving officer."""
    return Act.APPROVE if application.state is ApplicationState.VERIFIED else Act.PROVE


def _checks(application: Application, evidence_id: str) -> list[tuple[CheckResult, str, bool]]:
    """Each check on a piece of evidence with its answer in words, and whether it passed."""
    return [
        (each, _answer(each), passes(each))
        for each in application.checks
        if each.evidence_id == evidence_id
    ]


def _answer(result: CheckResult) -> str:
    """Registers of persons answer with numbers; everything else is a word already."""
    if result.check is Check.REGISTER_STATUS and result.answer in set(PersonStatus):
        return PersonStatus(result.answer).name.lower()
    return result.answer


def _birth_digits(application: Application) -> str | None:
    """The part of the CPR number that is a date; the rest is shown nowhere."""
    number = application.applicant.claim.cpr_number
    return None if number is None else number.value[:6]


def _to_case(application_id: str) -> Response:
    return see(url_for("pages.case", application_id=application_id))
