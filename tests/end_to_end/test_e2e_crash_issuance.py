"""The service dies by SIGKILL at every step of an issuance, and is started again."""

import http.client
import signal
from contextlib import suppress

import pytest
from cryptography.x509.ocsp import OCSPCertStatus

from revocation.reasons import Reason
from tests.support.people import PROFILE, fingerprint
from tests.support.service import until
from tests.support.status import crl_lists, ocsp_status
from tests.support.workshop import ENGINES, Verified, Workshop, rows

STEPS = ("intended", "linted", "signed", "verified", "recorded")
_RECOVERY_SECONDS = 30


def killed_at(story: Verified, step: str) -> None:
    story.service.start(f"issue.{step}@{PROFILE}:kill")
    with suppress(OSError, http.client.HTTPException):  # nobody is left to answer
        story.office.approve(story.applied)
    assert story.service.end_of_process() == -signal.SIGKILL


def certificates_of(story: Verified) -> dict[int, tuple[str, int | None, str | None]]:
    """Status, reason and fingerprint of every serial that the application was given."""
    found = rows(
        story.service,
        "SELECT serial, status, reason, fingerprint FROM certificate"  # noqa: S608 - an id of ours
        f" WHERE application_id = '{story.applied.id}'",
    )
    return {int(serial, 16): (status, reason, digest) for serial, status, reason, digest in found}


def handed_out_has_a_row(story: Verified) -> bool:
    """Whether what the applicant is given now, if anything, is recorded as issued."""
    pem = story.office.handed_out(story.applied)
    issued = {digest for status, _, digest in certificates_of(story).values() if status == "issued"}
    return pem is None or fingerprint(pem) in issued


def none_is_unknown(story: Verified) -> bool:
    said = [ocsp_status(story.service, serial) for serial in certificates_of(story)]
    return OCSPCertStatus.UNKNOWN not in said


def settled(story: Verified) -> bool:
    assert handed_out_has_a_row(story)
    assert none_is_unknown(story)
    states = [status for status, _, _ in certificates_of(story).values()]
    return story.office.state(story.applied) == "fulfilled" and "intent" not in states


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("step", STEPS)
def test_an_issuance_that_is_killed_ends_with_exactly_one_certificate(
    workshop: Workshop, engine: str, step: str
) -> None:
    with workshop.verified(engine) as story:
        killed_at(story, step)
        assert len(certificates_of(story)) == 1
        story.service.start()
        until("the end of the story", lambda: settled(story), _RECOVERY_SECONDS, rest=0.4)

        found = certificates_of(story)
        issued = [serial for serial, (status, _, _) in found.items() if status == "issued"]
        orphans = {serial: rest for serial, rest in found.items() if serial not in issued}
        assert len(issued) == 1
        assert len(orphans) == (0 if step == "recorded" else 1)
        assert ocsp_status(story.service, issued[0]) is OCSPCertStatus.GOOD
        assert not crl_lists(story.service, issued[0])
        for serial, rest in orphans.items():
            assert rest == ("revoked", Reason.SUPERSEDED, None)
            assert ocsp_status(story.service, serial) is OCSPCertStatus.REVOKED
            until("the CRL", lambda one=serial: crl_lists(story.service, one))  # type: ignore[misc]
        assert story.office.handed_out(story.applied) is not None
        assert handed_out_has_a_row(story)


def test_an_intent_that_nobody_closed_yet_is_revoked_to_whoever_asks(workshop: Workshop) -> None:
    with workshop.verified() as story:
        killed_at(story, "signed")
        (serial,) = certificates_of(story)
        story.service.start()

        assert certificates_of(story)[serial] == ("intent", None, None)
        assert ocsp_status(story.service, serial) is OCSPCertStatus.REVOKED
        assert story.office.handed_out(story.applied) is None
