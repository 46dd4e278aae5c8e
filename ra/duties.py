"""Separation of duties at High: who did what for one credential, each signed (ISS-DEL-H4b).

Proofing, approval, personalisation, code dispatch and the personal check are done by five different
people, counted by person. Each signs with the own key a statement that names the task, the
application and its package; the approval is the signature over the package itself. Whose signature
counts at High stands in the settings and not in the database, so whoever can write to the database
can put nobody in another's place.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ra.applications import Application
from ra.approvals import ApprovedApplication, SignatureVerifier
from ra.errors import Conflict, Refused, SignatureInvalid
from ra.levels import AssuranceLevel
from ra.package import canonical_json
from ra.requirements import Finding, finding

DUTY_FORMAT = "tillid-duty/1"


class Task(StrEnum):
    """What one person does for a credential, and no person two of."""

    PROOFING = "proofing"
    APPROVAL = "approval"
    PERSONALISATION = "personalisation"
    CODE_DISPATCH = "code_dispatch"
    PERSONAL_CHECK = "personal_check"


SIGNED_APART = frozenset(Task) - {Task.APPROVAL}
"""Tasks with a statement of their own; an approval signs the package."""
ALWAYS = (Task.PROOFING, Task.PERSONALISATION, Task.CODE_DISPATCH)
"""What is demanded beside the approval; the personal check may be a login in its place."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One task done for one application, by whom; the signature is a detached CMS in DER."""

    application_id: str
    package_hash: str
    task: Task
    officer: str
    person_id: str
    at: datetime
    signature: bytes | None = field(default=None, repr=False)
    """None below High, where nobody is asked for one."""


def duty_statement(task: Task, application: Application) -> bytes:
    """The octets that are signed: canonical JSON, bound to the approved package and the key.

    Raises: Conflict while there is no package yet.
    """
    if application.package_hash is None:
        raise Conflict(application.state)
    return canonical_json(
        {
            "format": DUTY_FORMAT,
            "task": task.value,
            "application": application.id,
            "package_sha256": application.package_hash,
            "spki_sha256": application.spki_sha256,
        }
    )


def confirm_duties(
    approved: ApprovedApplication,
    duties: Iterable[Duty],
    verifier: SignatureVerifier,
    *,
    checked_by_login: bool,
) -> None:
    """Every duty at High was done, signed over this very package, by another person each.

    The persons are those that the verifier knows behind the signatures, whatever the records say.

    Raises: Refused (ISS-DEL-H4b) naming the tasks that lack a good signature.
    """
    application = approved.application
    if application.level < AssuranceLevel.HIGH:
        return
    found = {each.task: each for each in duties}
    demanded = ALWAYS if checked_by_login else (*ALWAYS, Task.PERSONAL_CHECK)
    persons = {task: _signer(application, found.get(task), verifier) for task in demanded}
    of = approved.approval
    persons[Task.APPROVAL] = _person(
        of.signature, approved.package, (of.officer, of.person_id), verifier
    )
    lacking = sorted(task.value for task, person in persons.items() if person is None)
    if lacking:
        raise Refused((_separation(tuple(lacking)),))
    if len(set(persons.values())) < len(persons):
        raise Refused((_separation(),))


def _signer(application: Application, duty: Duty | None, verifier: SignatureVerifier) -> str | None:
    """The person behind a duty's signature; None without a good one of whom the record names."""
    if duty is None or duty.signature is None:
        return None
    statement = duty_statement(duty.task, application)
    return _person(duty.signature, statement, (duty.officer, duty.person_id), verifier)


def _person(
    signature: bytes, content: bytes, named: tuple[str, str], verifier: SignatureVerifier
) -> str | None:
    try:
        signer = verifier.verify(signature, content)
    except SignatureInvalid:
        return None
    return signer.person_id if named == (signer.officer, signer.person_id) else None


def _separation(concerns: tuple[str, ...] = ()) -> Finding:
    return finding("ISS-DEL-H4b", "SEPARATION_OF_DUTIES", concerns)
