"""When a data-subject case is due, and what is told on the way there (GDPR Art. 12(3), 12(6)).

Days are calendar days in UTC. A case is due at the end of the day that `due_on` gives. The clock
stands only while the requester has yet to prove an identity that was asked for without delay.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from gdpr_erasure.case_errors import CaseRefused

SHORTEST = timedelta(days=30)
WITHOUT_DELAY = timedelta(days=3)
"""Asked for later than this after receipt, an identity does not stop the clock."""
EXTENSION_MONTHS = 2
MARKS = (10, 20, 27)
"""Days of the first thirty on which somebody is told; an extended case counts back from its end."""
REPETITION = timedelta(days=365)
"""How far back cases of one person and kind are counted (Art. 12(5))."""


@dataclass(frozen=True, slots=True)
class CaseClock:
    """The days that matter to a case; `proved_on` is None until the requester is identified."""

    received_on: date
    asked_on: date | None = None
    proved_on: date | None = None
    extended_on: date | None = None

    def stands(self, today: date) -> bool:
        """Whether the clock stands still now."""
        return self._is_suspended and self.proved_on is None and today >= self.received_on

    def stood(self, today: date) -> timedelta:
        """How long it has stood still until today, or until the identity was proved."""
        if self.asked_on is None or not self._is_suspended:
            return timedelta()
        return max(min(self.proved_on or today, today) - self.asked_on, timedelta())

    def due_on(self, today: date) -> date:
        """The last day: the earlier of 30 days and one month, and two months more if extended."""
        begins = self.received_on + self.stood(today)
        first = first_due(begins)
        if self.extended_on is None:
            return first
        return min(add_months(first, EXTENSION_MONTHS), add_months(begins, 1 + EXTENSION_MONTHS))

    def mark(self, today: date) -> int | None:
        """The latest of `MARKS` that has come, or None; it stays after the due day."""
        due = self.due_on(today)
        day = SHORTEST.days - (due - today).days
        if self.extended_on is None:
            day = (today - self.received_on - self.stood(today)).days
        return max((mark for mark in MARKS if day >= mark), default=None)

    def is_overdue(self, today: date) -> bool:
        """Whether the last day has gone."""
        return today > self.due_on(today)

    def check_extension(self, today: date) -> None:
        """Let the time be extended once, inside the first month.

        Raises:
            CaseRefused: Art. 12(3).
        """
        if self.extended_on is not None:
            raise CaseRefused(
                "GDPR 12(3)",
                "the time of this case was extended already",
                "Answer it by its due day, or tell the requester why not (12(4)).",
            )
        if today > first_due(self.received_on + self.stood(today)):
            raise CaseRefused(
                "GDPR 12(3)",
                "an extension is told to the requester within one month of receipt",
                "Answer it now, and tell the requester why it is late.",
            )

    @property
    def _is_suspended(self) -> bool:
        return self.asked_on is not None and self.asked_on - self.received_on <= WITHOUT_DELAY


def first_due(begins: date) -> date:
    """The earlier of 30 days and one month after a day: 31 January gives 28 February."""
    return min(begins + SHORTEST, add_months(begins, 1))


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or its last one (Regulation 1182/71 Art. 3(2)(c))."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
