"""The service dies by SIGKILL at every step of a revocation, and is started again.

The steps: authorised, written (not committed), recorded (committed, not acknowledged); then
acknowledged, seen in OCSP, seen in the CRL, withdrawn from the directory.
"""

import http.client
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.ocsp import OCSPCertStatus

from tests.support.people import hex_serial
from tests.support.service import Service, until
from tests.support.status import crl_lists, ocsp_status
from tests.support.workshop import ENGINES, Verified, Workshop, events, rows

BEFORE_THE_ANSWER = ("revoke.authorised", "status.written", "status.recorded")
_SECONDS = 30


def ocsp_says_revoked(service: Service, serial: int) -> bool:
    return ocsp_status(service, serial) is OCSPCertStatus.REVOKED


def is_withdrawn(service: Service, _: int) -> bool:
    return rows(service, "SELECT state FROM publication") == [("withdrawn",)]


AFTER_THE_ANSWER: dict[str, Callable[[Service, int], bool]] = {
    "acknowledged": lambda _, __: True,
    "ocsp": ocsp_says_revoked,
    "crl": crl_lists,
    "directory": is_withdrawn,
}


def published(story: Verified) -> tuple[Path, int]:
    """A person's certificate that stands in the directory; the service is stopped again."""
    story.service.start()
    story.office.approve(story.applied)
    until("the issue", lambda: story.office.state(story.applied) == "fulfilled", _SECONDS)
    certificate = story.office.fetch(story.applied)
    state = "SELECT state FROM publication"
    until("publication", lambda: rows(story.service, state) == [("published",)], _SECONDS)
    story.service.stop()
    return certificate, x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number


def told(story: Verified, serial: int) -> int:
    """How often the audit log tells of the revocation."""
    name = f"issuing/{hex_serial(serial)}"
    return sum((e["e"], e["o"]) == ("certificate.revoked", name) for e in events(story.service))


def is_revoked_everywhere(story: Verified, serial: int) -> None:
    service = story.service
    until("OCSP", lambda: ocsp_says_revoked(service, serial), _SECONDS)
    until("the CRL", lambda: crl_lists(service, serial), _SECONDS)
    until("the withdrawal", lambda: is_withdrawn(service, serial), _SECONDS)
    assert told(story, serial) == 1
    changes = f"SELECT count(*) FROM status_change WHERE serial = '{hex_serial(serial)}'"  # noqa: S608
    assert rows(service, changes) == [(1,)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("step", BEFORE_THE_ANSWER)
def test_a_revocation_that_nobody_acknowledged_is_whole_or_not_at_all(
    workshop: Workshop, engine: str, step: str
) -> None:
    with workshop.verified(engine) as story:
        certificate, serial = published(story)
        story.service.start(f"{step}:kill")
        with suppress(OSError, http.client.HTTPException):  # nobody is left to answer
            story.office.revoke(certificate)
        assert story.service.end_of_process() == -signal.SIGKILL
        story.service.start()

        if step == "status.recorded":
            is_revoked_everywhere(story, serial)
            return
        assert ocsp_status(story.service, serial) is OCSPCertStatus.GOOD
        assert not crl_lists(story.service, serial)
        assert told(story, serial) == 0
        assert rows(story.service, "SELECT state FROM publication") == [("published",)]
        story.office.revoke(certificate)
        is_revoked_everywhere(story, serial)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("step", AFTER_THE_ANSWER)
def test_an_acknowledged_revocation_is_never_lost(
    workshop: Workshop, engine: str, step: str
) -> None:
    with workshop.verified(engine) as story:
        certificate, serial = published(story)
        story.service.start()
        story.office.revoke(certificate)
        until(step, lambda: AFTER_THE_ANSWER[step](story.service, serial), _SECONDS)
        story.service.kill()
        story.service.start()

        is_revoked_everywhere(story, serial)
