"""The clock of a running service jumps: status goes on, nothing that has ended is handed out."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from revocation import der
from server.clock import utc_now
from tests.support.nodes import issue, revoke
from tests.support.service import Service, until
from tests.support.workshop import Workshop, rows

HOUR = timedelta(hours=1)


@dataclass
class Jumping:
    """A service whose clock is set by a file; ours is the one on the wall."""

    service: Service
    file: Path
    ahead: timedelta = timedelta(0)

    def jump(self, ahead: timedelta) -> None:
        """Set its clock so far ahead of ours."""
        half = self.file.with_suffix(".new")
        half.write_text(f"+{int(ahead.total_seconds())}\n")
        half.replace(self.file)
        self.ahead = ahead

    def now(self) -> datetime:
        return utc_now() + self.ahead

    def crl(self, issuer: str = "issuing") -> x509.CertificateRevocationList | None:
        """The CRL, if one is served; one that has ended is never served with 200."""
        before = self.now()
        answer = self.service.public(f"/crl/{issuer}.crl")
        if answer.status != 200:
            return None
        served = x509.load_der_x509_crl(answer.body)
        assert served.next_update_utc is not None
        assert before - timedelta(seconds=2) <= served.next_update_utc
        return served

    def ocsp(self, serial: int) -> ocsp.OCSPCertStatus | None:
        """What OCSP says; an answer that has ended, or begins later, is never given."""
        issuer = x509.load_der_x509_certificate(self.service.public("/ca/issuing.cer").body)
        digests = [hashlib.sha256(part).digest() for part in der.subject_and_key(issuer)]
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
            *digests, serial, hashes.SHA256()
        )
        before = self.now()
        sent = builder.build().public_bytes(Encoding.DER)
        body = self.service.public("/ocsp/issuing", sent=sent).body
        try:
            answer = ocsp.load_der_ocsp_response(body)
        except ValueError:
            return None
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        assert answer.next_update_utc is not None
        assert answer.this_update_utc <= self.now() + timedelta(seconds=2)
        assert before - timedelta(seconds=2) <= answer.next_update_utc
        return answer.certificate_status

    def lists(self, serial: int) -> bool:
        served = self.crl()
        return served is not None and (
            served.get_revoked_certificate_by_serial_number(serial) is not None
        )


@pytest.fixture
def jumping(workshop: Workshop, tmp_path: Path) -> Iterator[Jumping]:
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    with workshop.empty() as service:
        made = Jumping(service, tmp_path / "time")
        made.jump(timedelta(0))
        service.environment |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(made.file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        try:
            yield made
        finally:
            # A sleep of Python 3.11 fails under the library, and with it an orderly end.
            if not service.has_ended():
                service.kill()


def test_status_goes_on_when_the_clock_jumps_and_nothing_is_signed_with_a_time_that_has_passed(
    jumping: Jumping, tmp_path: Path
) -> None:
    service = jumping.service.start()
    kept, doomed, late = (issue(service, tmp_path) for _ in range(3))
    good, revoked = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED
    assert jumping.ocsp(kept) is good
    first = jumping.crl()
    assert first is not None

    jumping.jump(27 * HOUR)
    until("a CRL of today", lambda: jumping.crl() is not None)
    until("an answer of today", lambda: jumping.ocsp(kept) is good)
    assert service.public("/readyz").status == 200
    revoke(service, doomed)
    until("the CRL", lambda: jumping.lists(doomed))
    assert jumping.ocsp(doomed) is revoked
    until("a head of today", lambda: sealed(service))

    jumping.jump(24 * HOUR)
    for _ in range(10):
        assert jumping.lists(doomed)
        assert jumping.ocsp(doomed) in {revoked, None}
        assert jumping.ocsp(kept) in {good, None}
    asked = ("cert", "revoke", f"issuing/{late:036x}", "--yes", "--reason", "superseded")
    refused = service.tillid(*asked)
    assert refused.returncode == 8, refused.stderr
    assert "but the audit log was sealed at" in refused.stderr

    jumping.jump(27 * HOUR)
    revoke(service, late)
    until("the CRL", lambda: jumping.lists(late))
    until("OCSP", lambda: jumping.ocsp(late) is revoked)

    jumping.jump(timedelta(days=400))
    until("a CRL of that day", lambda: jumping.crl() is not None)
    until("an answer of that day", lambda: jumping.ocsp(late) is revoked)
    # The key of the root is offline: nothing is served in the place of what has ended.
    assert service.public("/crl/root.crl").status == 503


def sealed(service: Service) -> bool:
    """Whether a head covers every event."""
    ((events,),) = rows(service, "SELECT count(*) FROM audit_event")
    ((covered,),) = rows(service, "SELECT max(size) FROM audit_head")
    return bool(events == covered)
