"""The service dies by SIGKILL at every step of an erasure, and is started again."""

import http.client
import signal
from contextlib import suppress
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509.ocsp import OCSPCertStatus

from gdpr_erasure.erasures import ErasureState
from gdpr_erasure.receipt import verify_receipt
from server.assembly import AUDIT_ORIGIN
from tests.support.people import hex_serial
from tests.support.service import until
from tests.support.status import crl_lists, ocsp_status
from tests.support.workshop import Requested, Workshop, events, rows

STEPS = (
    *("frozen", "revoked", "visible", "withdrawn", "notified"),
    *("destroyed", "rechecked", "sealed", "done"),
)
# Every step is crashed at in one process by the tests of the saga; here the process really dies.
KILLS = (
    ("sqlite", "revoked"),
    ("sqlite", "destroyed"),
    ("sqlite", "sealed"),
    ("postgresql", "visible"),
    ("postgresql", "destroyed"),
    ("postgresql", "done"),
)
_RECOVERY_SECONDS = 120


def killed_at(story: Requested, step: str) -> None:
    story.service.start(f"erase.{step}:kill")
    with suppress(OSError, http.client.HTTPException):  # it may die before it has answered
        story.office.begin_erasure(story.case)
    assert story.service.end_of_process() == -signal.SIGKILL


def serial_of(story: Requested) -> int:
    return x509.load_pem_x509_certificate(story.certificate.read_bytes()).serial_number


def first(log: list[dict[str, Any]], event: str, of: str, **details: object) -> int:
    """Where in the log this was told for the first time."""
    found = [n for n, e in enumerate(log) if (e["e"], e["o"]) == (event, of)]
    return next(n for n in found if details.items() <= log[n]["d"].items())


def check_order(story: Requested) -> None:
    """Revoked, then seen revoked from outside and withdrawn, and only then deleted."""
    log, place = events(story.service), f"issuing/{hex_serial(serial_of(story))}"
    revoked = first(log, "certificate.revoked", place)
    seen = [first(log, "status.observed", place, channel=each) for each in ("crl", "ocsp")]
    withdrawn = first(log, "directory.withdrawn", place)
    steps = [first(log, f"erasure.{step}", story.case) for step in ("approved", *STEPS)]
    of_step = dict(zip(("approved", *STEPS), steps, strict=True))
    assert steps == sorted(steps)
    assert revoked < min(seen)
    assert max(seen) < of_step["visible"]
    assert revoked < withdrawn < of_step["withdrawn"]
    told = [e["e"] for e in log if e["o"] == story.case and e["e"] != "erasure.approval"]
    assert len(told) == len(set(told))


def check_observations(story: Requested) -> None:
    """CRL and OCSP had been seen to say revoked before the moment of the deletion."""
    log = events(story.service)
    destroyed = log[first(log, "erasure.destroyed", story.case)]["t"]
    moments = [e["t"] for e in log if e["e"] == "status.observed"]
    kept = rows(story.service, "SELECT channel FROM status_observation")
    assert {channel for (channel,) in kept} == {"crl", "ocsp"}
    assert max(moments) <= destroyed


def check_receipt(story: Requested) -> None:
    """One receipt, which the audit key signed."""
    ((text,),) = rows(story.service, "SELECT text FROM erasure_receipt")
    key = load_pem_public_key(story.audit_key)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    receipt = verify_receipt(text, key, AUDIT_ORIGIN)
    assert receipt["receipt"] == story.case
    assert receipt["number"] == 1
    assert receipt["done"]["destroyed"]["certificates"] == 1


def nothing_personal_is_left(story: Requested) -> bool:
    # The keys of officers, and the one under which numbers are hashed, belong to nobody erased.
    officers = (
        "(SELECT subject_id FROM officer UNION SELECT id FROM subject WHERE kind = 'keyed_digests')"
    )
    people = [
        rows(story.service, f"SELECT id FROM subject WHERE id NOT IN {officers}"),  # noqa: S608
        rows(story.service, f"SELECT purpose FROM data_key WHERE subject_id NOT IN {officers}"),  # noqa: S608
        rows(story.service, "SELECT id FROM application"),
        rows(story.service, "SELECT officer_id FROM approval"),
        rows(story.service, "SELECT serial FROM certificate WHERE application_id IS NOT NULL"),
        rows(story.service, "SELECT serial FROM publication"),
    ]
    return not any(people)


@pytest.mark.parametrize(("engine", "step"), KILLS)
def test_an_erasure_that_is_killed_ends_with_one_receipt(
    workshop: Workshop, engine: str, step: str
) -> None:
    with workshop.requested(engine) as story:
        killed_at(story, step)
        ((reached,),) = rows(story.service, "SELECT state FROM erasure")
        assert reached == step
        story.service.start()
        assert ocsp_status(story.service, serial_of(story)) is OCSPCertStatus.REVOKED

        def done() -> bool:
            return story.office.erasure(story.case)["state"] == ErasureState.DONE

        until("the receipt", done, _RECOVERY_SECONDS, rest=0.3)

        check_order(story)
        check_observations(story)
        check_receipt(story)
        assert nothing_personal_is_left(story)
        assert ocsp_status(story.service, serial_of(story)) is OCSPCertStatus.REVOKED
        assert crl_lists(story.service, serial_of(story))
        assert story.service.tillid("audit", "verify").returncode == 0
