"""The problems of data-subject cases."""

from gdpr_erasure.case_errors import CaseConflict, CaseRefused
from server.problem_kinds import conflict, sentence
from server.problems import Problem, Row, row


def _case_refused(error: CaseRefused) -> Problem:
    return Problem(
        type="refused",
        title="A rule refuses this",
        status=422,
        detail=sentence(error.sentence),
        rule=error.rule,
        way_out=sentence(error.way_out),
    )


CASE_ROWS: tuple[Row, ...] = (
    row(CaseRefused, _case_refused),
    row(CaseConflict, lambda e: conflict(f"The case {e.case_id} is {e.state}.")),
)
