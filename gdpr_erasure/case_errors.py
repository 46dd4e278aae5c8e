"""What a data-subject case refuses.

CaseRefused     a rule says no: its id, sentence and way out; nothing was changed
CaseConflict    the case is in another state than the step starts from
"""

from gdpr_erasure.errors import ErasureError


class CaseRefused(ErasureError):
    """A rule forbids the step: its id, sentence and way out."""

    def __init__(self, rule: str, sentence: str, way_out: str) -> None:
        super().__init__(f"{sentence} ({rule})")
        self.rule = rule
        self.sentence = sentence
        self.way_out = way_out


class CaseConflict(ErasureError):
    """The case is in `state`, from which this step is not taken."""

    def __init__(self, case_id: str, state: str) -> None:
        super().__init__(f"case {case_id} is {state}")
        self.case_id = case_id
        self.state = state
