"""What can go wrong in an erasure.

ErasureError
├── Refused          a rule says no; nothing was changed
├── ConsentRefused   what was said is no consent, or no change of one; nothing was changed
├── Conflict         the case is not in the state this step starts from
├── PolicyUnknown    the settings name a retention policy that is not there
└── ReceiptInvalid   a receipt does not stand up to its signature or its proof
"""


class ErasureError(Exception):
    """Root of every error of this package."""


class Refused(ErasureError):
    """A rule forbids the erasure now: its id, sentence and way out."""

    def __init__(self, rule: str, sentence: str, way_out: str) -> None:
        super().__init__(f"{sentence} ({rule})")
        self.rule = rule
        self.sentence = sentence
        self.way_out = way_out


class ConsentRefused(ErasureError):
    """What was said cannot be recorded as a consent or its withdrawal (GDPR Art. 7)."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Conflict(ErasureError):
    """The case is not in the state this step starts from."""

    def __init__(self, case_id: str, state: str) -> None:
        super().__init__(f"erasure {case_id} is {state}")
        self.case_id = case_id
        self.state = state


class PolicyUnknown(ErasureError):
    """There is no retention policy of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no retention policy {name}")
        self.name = name


class ReceiptInvalid(ErasureError):
    """A receipt is not what it seems: which check said no."""

    def __init__(self, check: str) -> None:
        super().__init__(f"the receipt does not stand: {check}")
        self.check = check
