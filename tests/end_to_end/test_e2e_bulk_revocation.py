"""Many certificates revoked by two officers at the command line, over a service that dies."""

import signal
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.ocsp import OCSPCertStatus

from tests.support.people import Office, a_request
from tests.support.service import Service, until
from tests.support.status import crl_lists, ocsp_status
from tests.support.workshop import ENGINES, Workshop, events, rows

COUNT = 21  # one more than one officer revokes alone
_SECONDS = 60


def certificates(service: Service) -> list[str]:
    """ISSUER/SERIAL of new certificates of servers."""
    requests = service.state / "requests"
    requests.mkdir()
    for number in range(COUNT):
        (requests / f"{number}.csr").write_bytes(a_request(f"host-{number}.example.org"))
    out = service.state / "certificates"
    service.verb(
        "cert", "issue-folder", str(requests), "--profile", "tls-server", "--out", str(out)
    )
    read = [x509.load_pem_x509_certificate(path.read_bytes()) for path in sorted(out.iterdir())]
    assert len(read) == COUNT
    return [f"issuing/{each.serial_number:x}" for each in read]


def second_officer(office: Office) -> Path:
    out = office.service.state / "people" / "second.pem"
    return office.enrol("security_administrator", out=out)


def planned(service: Service, listed: list[str], who: Path, code: int) -> dict[str, Any]:
    path = service.state / "listed.txt"
    path.write_text("# from the incident\n" + "\n".join(listed))
    words = ("revocation", "plan", str(path), "--cause", "replaced", "--identity", str(who))
    done = service.tillid(*words)
    assert done.returncode == code, done.stdout + done.stderr
    found = service.verb("revocation", "list", "--identity", str(who))["revocations"]
    return dict(found[0])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("step", ["written", "recorded"])
def test_a_bulk_revocation_goes_on_after_a_kill(workshop: Workshop, engine: str, step: str) -> None:
    with workshop.verified(engine) as story:
        service, office = story.service, story.office
        service.start(f"bulk.{step}:kill")
        first, second = office.identity("security_administrator"), second_officer(office)
        listed = certificates(service)
        plan = planned(service, listed, first, code=6)
        run = ("revocation", "run", plan["id"], "--digest", plan["sha256"], "--yes", "--identity")

        assert service.tillid(*run, str(first)).returncode == 4
        service.tillid(*run, str(second))  # whose watching ends with the service
        assert service.end_of_process() == -signal.SIGKILL
        revoked = "SELECT count(*) FROM certificate WHERE cause = 'replaced'"
        assert rows(service, revoked) == [(COUNT if step == "recorded" else 0,)]

        service.start()
        done = service.verb(*run, str(second))
        assert (done["state"], done["revoked"]) == ("done", COUNT)
        numbers = [int(name.partition("/")[2], 16) for name in listed]
        assert {ocsp_status(service, n) for n in numbers} == {OCSPCertStatus.REVOKED}
        until("the CRL", lambda: all(crl_lists(service, n) for n in numbers), _SECONDS)
        told = [e["e"] for e in events(service) if e["o"] == plan["id"]]
        assert told == ["revocation.planned", "revocation.begun", "revocation.carried_on"]
