"""What is said when a rule forbids a hold, a release or a revocation."""

from revocation.errors import (
    RevocationRefused,
    RevocationRule,
    SelectionAltered,
    SelectionFaulty,
)
from server.problem_kinds import sentence
from server.problems import FieldProblem, Problem, Row, row

_BULK = "tillid revocation plan … --identity FILE, which a second security administrator runs"
_FAULTS_TOLD = 50
# By rule: the sentence, with places for the facts, and the way out.
_SENTENCES = {
    RevocationRule.NOT_AUTHORISED: (
        "the cause {0} is not one that the {1} may give",
        "give the cause that is yours to give, or ask somebody who may",
    ),
    RevocationRule.RATE_LIMITED: (
        "alone, one person holds or revokes {0} certificates in an hour, and did; those stand",
        f"revoke the others together: {_BULK}",
    ),
    RevocationRule.SECOND_OFFICER: (
        "this revokes {0} certificates, and one person alone revokes at most {1} in an hour",
        "let another security administrator look at it and run it",
    ),
    RevocationRule.UNDER_INVESTIGATION: (
        "its key may be compromised, which a second security administrator has to rule out",
        "let a second security administrator release it, or revoke it",
    ),
    RevocationRule.RELEASE_NOT_AUTHORISED: (
        "a hold is lifted by another person than the one who put it on, and not by the holder",
        "let somebody else release it, or revoke it",
    ),
    RevocationRule.REQUIREMENTS_NOT_MET: (
        "it stays on hold, for {0}",
        "revoke it, and issue another when the requirements are met again",
    ),
    RevocationRule.NOT_FOR_HOLD: (
        "the cause {0} is final and none for a hold",
        "revoke it, or hold it for key-lost, compromise-suspected or not-needed",
    ),
    RevocationRule.PROFILE_WITHOUT_HOLD: (
        "certificates of the profile {0} are not put on hold",
        "revoke it, and issue another when it is needed",
    ),
    RevocationRule.INVALIDITY_OF_COMPROMISE: (
        "the cause {0} is no compromise, so it has no date from which the key is not trusted",
        "leave the date out",
    ),
    RevocationRule.INVALIDITY_AHEAD: (
        "the date of a compromise lies ahead",
        "give the time since when the key may be known to others, or leave it out",
    ),
    RevocationRule.INVALIDITY_BEFORE: (
        "the date of a compromise lies before the certificate begins, {0}",
        "give that time or a later one",
    ),
    RevocationRule.NOTHING_SELECTED: (
        "the selection holds no certificate that can be revoked",
        "look with tillid cert show whether they are revoked or expired already",
    ),
    RevocationRule.TOO_MANY_SELECTED: (
        "the selection holds more than {0} certificates",
        "make several plans of it, for example by the time of issue",
    ),
    RevocationRule.TOO_MANY_PLANS: (
        "one person has at most {0} plans that were not begun, and has so many",
        "begin one of them, or let another security administrator plan; after {1} days they go",
    ),
    RevocationRule.SELECTION_CHANGED: (
        "the digest is not that of the selection, {0}",
        "look at the plan as it is, and give the digest that it shows",
    ),
}
_STATUSES = {RevocationRule.RATE_LIMITED: 429}
_NOT_ALLOWED = {RevocationRule.NOT_AUTHORISED, RevocationRule.RELEASE_NOT_AUTHORISED}


def _refused(error: RevocationRefused) -> Problem:
    said, way_out = _SENTENCES[error.rule]
    status = 403 if error.rule in _NOT_ALLOWED else _STATUSES.get(error.rule, 422)
    return Problem(
        type="revocation-refused",
        title="A rule of revocation refuses this",
        status=status,
        detail=sentence(said.format(*error.facts)),
        rule=error.rule.value,
        way_out=sentence(way_out.format(*error.facts)),
    )


def _faulty(error: SelectionFaulty) -> Problem:
    count = len(error.faults)
    return Problem(
        type="selection-faulty",
        title="The list cannot be taken as it is",
        status=400,
        detail=f"{count} of its lines {'names' if count == 1 else 'name'} no certificate of ours;"
        " nothing was planned.",
        way_out="Correct or remove the lines, and plan again.",
        errors=tuple(
            FieldProblem(f"line {number}", why, "Write it as ISSUER/SERIAL, one a line.")
            for number, why in error.faults[:_FAULTS_TOLD]
        ),
    )


def _altered(error: SelectionAltered) -> Problem:
    return Problem(
        type="selection-altered",
        title="The plan is not as it was made",
        status=409,
        detail=f"The rows of the plan {error.job} are not those that its digest was made of;"
        " nothing was revoked.",
        way_out="Plan again, and find out who changed the database.",
    )


REVOCATION_ROWS: tuple[Row, ...] = (
    row(RevocationRefused, _refused),
    row(SelectionFaulty, _faulty),
    row(SelectionAltered, _altered),
)
