"""The service as processes: starting, stopping, dying, and sharing a machine."""

import http.client
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.x509.ocsp import OCSPCertStatus

from tests.support.service import Service, quiet_port, until
from tests.support.status import crl_lists, ocsp_status
from tests.support.workshop import Verified, Workshop


@pytest.fixture
def service(workshop: Workshop) -> Iterator[Service]:
    with workshop.empty() as service:
        yield service


def refused(service: Service, **environment: str) -> str:
    """What `tillid serve` says when it has to refuse with a sentence, and the exit code for it."""
    done = service.tillid("serve", **environment)
    assert done.returncode == 8, done.stderr
    assert "Traceback" not in done.stderr
    sentence, way_out = done.stderr.splitlines()
    assert way_out
    return sentence


def test_a_revocation_by_command_shows_while_the_service_runs(workshop: Workshop) -> None:
    with workshop.verified() as story:
        story.service.start()
        serial = issued(story)
        assert ocsp_status(story.service, serial) is OCSPCertStatus.GOOD
        name = f"issuing/{serial:036x}"
        story.service.verb("cert", "revoke", name, "--yes", "--reason", "keyCompromise")

        revoked = OCSPCertStatus.REVOKED
        until("OCSP", lambda: ocsp_status(story.service, serial) is revoked)
        until("the CRL", lambda: crl_lists(story.service, serial))


def issued(story: Verified) -> int:
    story.office.approve(story.applied)
    until("the issue", lambda: story.office.state(story.applied) == "fulfilled")
    who = story.office.identity("security_administrator")
    path = f"certificates?application_id={story.applied.id}"
    (found,) = story.service.api(path, identity=who)
    return int(found["serial_number"], 16)


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_is_told_to_stop_leaves_nothing_behind(
    service: Service, number: signal.Signals
) -> None:
    process = service.start().process
    assert process is not None
    assert len(service.processes()) >= 2
    process.send_signal(number)

    assert service.end_of_process(10) == 0
    assert service.processes() == set()
    assert (service.state / "serve.pid").read_text() == ""
    assert list((service.state / "public").rglob(".*")) == []


def test_a_service_that_is_stopped_while_it_starts_ends_as_well(service: Service) -> None:
    service.launch()
    pid_file = service.state / "serve.pid"
    until("its number", lambda: pid_file.exists() and pid_file.read_text() != "")

    assert service.stop() in {0, -signal.SIGTERM}
    until("the end", lambda: service.processes() == set())


def test_a_service_that_is_killed_takes_the_public_listener_with_it(service: Service) -> None:
    service.start().kill()

    until("their end", lambda: service.processes() == set())
    until("that nobody listens", lambda: not answers(service))


def answers(service: Service) -> bool:
    """Whether anybody listens, even if only to hang up."""
    try:
        service.public("/healthz")
    except ConnectionRefusedError:
        return False
    except (OSError, http.client.HTTPException):
        return True
    return True


def test_a_public_listener_that_is_killed_ends_the_service_with_a_sentence(
    service: Service,
) -> None:
    process = service.start().process
    assert process is not None
    (public,) = children_of(process.pid)
    os.kill(public, signal.SIGKILL)

    assert service.end_of_process() == 8
    assert "The public listener ended." in service.said()
    until("the end", lambda: service.processes() == set())


def test_a_second_service_on_the_same_state_is_refused(service: Service) -> None:
    service.start()
    before = service.staff("/metrics").body
    elsewhere = {"TILLID_PUBLIC__PORT": str(quiet_port()), "TILLID_STAFF__PORT": str(quiet_port())}
    sentence = refused(service, **elsewhere)

    assert "serves from this state directory already" in sentence
    assert service.process is not None
    assert str(service.process.pid) in sentence
    assert service.public("/readyz").status == 200
    assert b'tillid_jobs_total{job="renew-crls",outcome="nothing"}' in before
    assert (
        b'tillid_jobs_total{job="renew-crls",outcome="nothing"}' in service.staff("/metrics").body
    )


@pytest.mark.parametrize("listener", ["PUBLIC", "STAFF"])
def test_a_port_that_another_program_listens_on_is_refused(service: Service, listener: str) -> None:
    name = f"TILLID_{listener}__PORT"
    with socket.create_server(("127.0.0.1", int(service.environment[name]))):
        sentence = refused(service)

    assert f"127.0.0.1:{service.environment[name]}" in sentence
    assert service.processes() == set()
    service.start()


def test_two_installations_do_not_share_a_public_port(service: Service, workshop: Workshop) -> None:
    service.start()
    with workshop.empty() as other:
        sentence = refused(other, TILLID_STAFF__PORT=str(quiet_port()))

    assert service.environment["TILLID_PUBLIC__PORT"] in sentence


@pytest.mark.parametrize("stale", ["4194304\n", "", "1\n", "junk"])
def test_a_pid_file_that_a_crash_left_does_not_block(service: Service, stale: str) -> None:
    (service.state / "serve.pid").write_text(stale)

    assert service.start().public("/readyz").status == 200


def test_an_officer_with_a_card_signs_in_with_it(workshop: Workshop, tmp_path: Path) -> None:
    with workshop.verified() as story:
        story.service.start()
        card = tmp_path / "card"
        card.mkdir(mode=0o700)
        out = story.office.enrol("approving_officer", card, tmp_path / "with-card.pem")
        found = story.service.verb("application", "approve", story.applied.id, *by(out))

        assert b"PRIVATE KEY" not in out.read_bytes()
        assert found["state"] == "fulfilled"


def by(identity: Path) -> list[str]:
    return ["--identity", str(identity)]
