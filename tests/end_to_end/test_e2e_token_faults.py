"""The token fails under the running service, which refuses, loses nothing, and comes back."""

from pathlib import Path

import pytest

from tests.support.token_faults import FAULTS, Outage
from tests.support.workshop import Workshop


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "fault"), [("postgresql", "removed"), *(("sqlite", fault) for fault in FAULTS)]
)
def test_a_token_that_fails_is_waited_for_and_nothing_is_lost(
    workshop: Workshop, shim_library: Path, engine: str, fault: str
) -> None:
    with workshop.verified(engine) as story:
        outage = Outage.begin(story, shim_library)
        assert outage.signs_again()
        process = story.service.process
        FAULTS[fault](outage.shim)
        approved = outage.try_to_approve()
        outage.hold(3)
        assert outage.end(approved=approved) < 10
        assert story.service.process is process
        assert not story.service.has_ended()


@pytest.mark.slow
def test_a_slow_token_is_slow_and_nothing_else(workshop: Workshop, shim_library: Path) -> None:
    with workshop.verified() as story:
        outage = Outage.begin(story, shim_library)
        outage.shim.obey("C_Sign 1 0 sleep 700")
        story.office.approve(story.applied)
        assert story.office.state(story.applied) == "fulfilled"
        assert outage.signs_again()
        assert outage.issue_by_hand()[0] == 0
