"""Faults of the tokens under a running service: what is done meanwhile, and what after."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from tests.support.pkcs11_shim import (
    DEVICE_ERROR,
    DEVICE_REMOVED,
    PIN_LOCKED,
    SESSION_HANDLE_INVALID,
    USER_NOT_LOGGED_IN,
    Shim,
)
from tests.support.service import Answer, until
from tests.support.workshop import Verified, rows

_USES = ("C_SignInit", "C_EncryptInit", "C_DecryptInit")

FAULTS: dict[str, Callable[[Shim], None]] = {
    "removed": lambda shim: shim.fail(DEVICE_REMOVED, "C_OpenSession", "C_Login", "C_Sign", *_USES),
    "PIN locked": lambda shim: shim.obey(
        f"C_Login 1 0 return {PIN_LOCKED:#x}",
        *(f"{each} 1 0 return {USER_NOT_LOGGED_IN:#x}" for each in (*_USES, "C_Sign")),
    ),
    "sessions invalid": lambda shim: shim.fail(SESSION_HANDLE_INVALID, "C_Sign", *_USES),
    "dead before it signs": lambda shim: shim.fail(DEVICE_ERROR, "C_Sign"),
    "dead after it signed": lambda shim: shim.obey(f"C_Sign 1 0 lose {DEVICE_ERROR:#x}"),
}


@dataclass(frozen=True)
class Outage:
    """A running service whose token is behind a shim, and one application to approve."""

    story: Verified
    shim: Shim

    @classmethod
    def begin(cls, story: Verified, library: Path) -> "Outage":
        """Start the service on the shim, which does nothing yet."""
        shim = Shim.in_folder(library, story.service.state / "shim")
        story.service.environment.update(shim.environment)
        story.service.environment["TILLID_HSM__MODULE"] = str(shim.module)
        story.service.start()
        return cls(story, shim)

    def ask_ocsp(self) -> Answer:
        """Ask about a serial that is nobody's: the answer must be signed at once."""
        issuer = x509.load_der_x509_certificate(self.story.service.public("/ca/issuing.cer").body)
        request = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
            *_hashes(issuer), 7 << 140, hashes.SHA256()
        )
        sent = request.build().public_bytes(Encoding.DER)
        return self.story.service.public("/ocsp/issuing", sent=sent)

    def ask_package(self) -> Answer:
        """Ask the staff listener for what an approval signs: personal data, which is sealed."""
        who = self.story.office.identity("approving_officer")
        path = f"/api/v1/applications/{self.story.applied.id}/package"
        return self.story.service.staff(path, identity=who)

    def try_to_approve(self) -> bool:
        """Whether the approval is on record; without the token the package cannot even be read."""
        office, applied, answer = self.story.office, self.story.applied, self.ask_package()
        if answer.status == 200:
            office.approve(applied)
            assert office.state(applied) == "approved"
            assert office.handed_out(applied) is None
            return True
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json["type"] == "/problems/unavailable"
        return False

    def issue_by_hand(self) -> tuple[int, str]:
        """Exit code and standard error of `tillid cert issue`."""
        folder = self.story.service.state
        request, out = folder / "web.csr", folder / "web.pem"
        out.unlink(missing_ok=True)
        request.write_bytes(a_server_request())
        named = ("--profile", "tls-server", "--csr", str(request), "--out", str(out))
        done = self.story.service.tillid("cert", "issue", *named)
        assert (done.returncode == 0) == out.exists()
        return done.returncode, done.stderr

    def hold(self, seconds: float) -> int:
        """Go on asking while the token is down; how often, each time refused as it should be."""
        asked, until_then, pause = 0, time.monotonic() + seconds, Event()
        while asked == 0 or time.monotonic() < until_then:
            answer = self.ask_ocsp()
            assert answer.headers["retry-after"] == "5"
            assert _said(answer) is ocsp.OCSPResponseStatus.TRY_LATER
            assert self.story.service.public("/crl/issuing.crl").status == 200
            asked += 1
            pause.wait(0.5)
        code, said = self.issue_by_hand()
        assert (code, "Traceback" in said) == (8, False), said
        assert self.story.service.staff("/healthz").status == 200
        return asked

    def signs_again(self) -> bool:
        """Whether the processes of both listeners use the token again."""
        signed = _said(self.ask_ocsp()) is ocsp.OCSPResponseStatus.SUCCESSFUL
        return signed and self.ask_package().status == 200

    def nothing_is_open(self) -> bool:
        """Whether the application has its certificate, and no intent is left."""
        states = {state for (state,) in rows(self.story.service, "SELECT status FROM certificate")}
        fulfilled = self.story.office.state(self.story.applied) == "fulfilled"
        return fulfilled and "intent" not in states

    def end(self, *, approved: bool) -> float:
        """The token comes back; the seconds until it signs. Then everything is finished."""
        self.shim.obey()
        seconds = until("signatures", self.signs_again, 10, rest=0.1)
        if not approved:
            self.story.office.approve(self.story.applied)
        code, said = self.issue_by_hand()
        assert code == 0, said
        until("the end of what was begun", self.nothing_is_open, 60, rest=0.3)
        certificates = rows(
            self.story.service,
            "SELECT status FROM certificate"  # noqa: S608 - an id of ours
            f" WHERE application_id = '{self.story.applied.id}'",
        )
        assert [state for (state,) in certificates].count("issued") == 1
        assert self.story.office.handed_out(self.story.applied) is not None
        return seconds


def _said(answer: Answer) -> ocsp.OCSPResponseStatus:
    assert answer.status == 200
    return ocsp.load_der_ocsp_response(answer.body).response_status


def a_server_request() -> bytes:
    """A request for a TLS server's certificate, in PEM, with a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("web.tillid.example")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "web.tillid.example")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    request = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


def _hashes(issuer: x509.Certificate) -> tuple[bytes, bytes]:
    key = issuer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return (
        _sha256(issuer.subject.public_bytes()),
        _sha256(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
    )


def _sha256(octets: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(octets)
    return digest.finalize()
