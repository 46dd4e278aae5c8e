"""The invariants of NSIS over everything that can happen to applications of natural persons."""

import itertools
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from ra.applications import ApplicationState
from ra.evidence import Officer
from tests.support.person_machine import Cast, Memory, PersonMachine, staff_of
from tests.support.ra_builders import NOW, PROFILE, SigningOfficer

_NUMBERS = itertools.count()
_STAFF = {"officer-1": "P-1", "officer-2": "P-2", "officer-3": "P-3"}
EXAMPLES, STEPS = 230, 50


def test_ten_thousand_steps_break_no_invariant() -> None:
    taken = itertools.count()

    reached = Counter[ApplicationState]()

    class Machine(PersonMachine):
        def __init__(self) -> None:
            super().__init__()
            self.reached = reached
            self.store = Memory()
            self.cast = Cast(
                staff_of(_STAFF, "officer-3", NOW),
                tuple(
                    SigningOfficer(Officer(f"officer-a{number}", person))
                    for number, person in enumerate(("P-1", "P-2", "P-9"))
                ),
                lambda: f"S-{next(_NUMBERS)}",
                PROFILE,
            )

        def check_invariants(self, *args: object, **kwargs: object) -> None:
            next(taken)
            super().check_invariants(*args, **kwargs)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
    assert next(taken) >= 10_000
    # What never came about would have proved nothing.
    assert set(reached) == set(ApplicationState) - {ApplicationState.DRAFT}
