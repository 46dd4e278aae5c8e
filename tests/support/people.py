"""The people of a running service: officers with identities, applicants, and what they do."""

import hashlib
from base64 import encodebytes
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ca.signed_data import sign_detached
from commands.identity import Identity
from ra.fake_registers import persona_name, specimen_passport
from ra.identity import CprNumber
from server.clock import utc_now
from tests.support.service import Service, until

NANCY = "2512489996"
SOEREN = "0108589995"
ASTA = "0707614285"
PROFILE = "natural-person-substantial"
SECOND = "second_administrator"
OFFICERS = ("registration_officer", "approving_officer", "security_administrator")
_FEATURES = ["hologram", "microprint", "optically-variable-ink"]


@dataclass(frozen=True)
class Applied:
    """An application as its applicant knows it."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Office:
    """A service and the identity files of its officers, found in the state directory."""

    service: Service

    def identity(self, role: str) -> Path:
        return self.service.state / "people" / f"{role}.pem"

    def enrol(self, role: str, card: Path | None = None, out: Path | None = None) -> Path:
        """Invite an officer and enrol them by the link, with a software key unless with a card."""
        invited = self.service.verb("officer", "invite", f"{role} Test", "--role", role)
        link = invited["link"]
        if role == "registration_officer":
            last = (utc_now() + timedelta(days=365)).date().isoformat()
            self.service.verb("officer", "train", invited["officer"], "--until", last)
        out = out or self.identity(role)
        arguments = [link, "--trust", str(self.service.trust), "--out", str(out)]
        arguments += ["--card", str(card)] if card else []
        self.service.verb("officer", "enrol", *arguments)
        return out

    def open(self) -> None:
        """Fetch the root as anyone can, and enrol one officer of each role that is needed."""
        self.service.trust.parent.mkdir(mode=0o700)
        der = self.service.public("/ca/root.cer").body
        root = x509.load_der_x509_certificate(der)
        self.service.trust.write_bytes(root.public_bytes(Encoding.PEM))
        for role in OFFICERS:
            self.enrol(role)
        self.enrol("security_administrator", out=self.identity(SECOND))

    def apply(self, number: str = NANCY, path: str = "applications", secret: str = "") -> Applied:
        """Apply with a new key; terms and security notice are accepted, publication as well."""
        given_name, surname = persona_name(CprNumber(number))
        shown = self.service.api("presentations", {"language": "en"})
        session, answers = shown["session"], {}
        for kind in ("terms", "security_notice"):
            digest = shown[kind]["sha256"]
            self.service.api("presentations/completion", {"sha256": digest}, secret=session)
            answers[kind] = {"sha256": digest, "read": True, "accepted": True}
        attributes = {"given_name": given_name, "surname": surname, "cpr_number": number}
        made = self.service.api(
            path,
            {
                "profile": PROFILE,
                "attributes": attributes,
                "certificate_request": a_request().decode(),
                "publication_consent": True,
                "session": session,
                **answers,
            },
            secret=secret,
        )
        return Applied(made["id"], made["secret"])

    def vet(self, applied: Applied, number: str = NANCY) -> None:
        """Present the passport of a persona to the registration officer, who concludes."""
        cpr = CprNumber(number)
        lines = specimen_passport(persona_name(cpr), cpr.birth_date, "D23145890", date(2034, 4, 15))
        who = self.identity("registration_officer")
        body = {
            "mrz_lines": lines,
            "features_seen": _FEATURES,
            "presence": "in_person",
            "face_matches": True,
        }
        self.service.api(f"applications/{applied.id}/documents", body, identity=who)
        concluded = self.service.api(f"applications/{applied.id}/conclusion", {}, identity=who)
        assert concluded["state"] == "verified"

    def approve(self, applied: Applied) -> None:
        """Sign the package as the approving officer, and hand the signature in."""
        who = self.identity("approving_officer")
        path = f"/api/v1/applications/{applied.id}"
        package = self.service.staff(f"{path}/package", identity=who).body
        identity = Identity.load(who)
        signature = sign_detached(package, identity.certificate, identity.signing_key())
        self.service.api(f"applications/{applied.id}/approval", _pem(signature), identity=who)

    def certified(self, number: str = NANCY) -> tuple[Applied, Path]:
        """Take somebody from application to certificate; the file is the one handed out."""
        applied = self.apply(number)
        self.vet(applied, number)
        self.approve(applied)
        until("the certificate", lambda: self.state(applied) == "fulfilled")
        return applied, self.fetch(applied)

    def fetch(self, applied: Applied) -> Path:
        """The certificate as the applicant gets it, in a file."""
        answer = self.handed_out(applied)
        assert answer is not None
        path = self.service.state / "people" / f"{applied.id}.pem"
        path.write_bytes(answer)
        return path

    def handed_out(self, applied: Applied) -> bytes | None:
        """The PEM that the applicant is given now, or None."""
        path = f"/api/v1/applications/{applied.id}/certificate"
        answer = self.service.staff(path, secret=applied.secret)
        return answer.body if answer.status == 200 else None

    def state(self, applied: Applied) -> str:
        shown = self.service.api(f"applications/{applied.id}", secret=applied.secret)
        return str(shown["state"])

    def revoke(self, certificate: Path, reason: str = "cessationOfOperation") -> None:
        """Revoke as the security administrator."""
        body = x509.load_pem_x509_certificate(certificate.read_bytes())
        who = self.identity("security_administrator")
        path = f"certificates/issuing/{hex_serial(body.serial_number)}/revocation"
        self.service.api(path, {"reason": reason}, identity=who)

    def ask_erasure(self, applied: Applied) -> str:
        """The data subject asks; gives the case."""
        path = f"applications/{applied.id}/erasure"
        return str(self.service.api(path, {}, secret=applied.secret)["id"])

    def begin_erasure(self, case: str) -> None:
        """Two security administrators approve the rulings, and the case begins."""
        for administrator in ("security_administrator", SECOND):
            who = self.identity(administrator)
            shown = self.service.api(f"erasures/{case}", identity=who)
            body = {"rulings_sha256": shown["rulings_sha256"]}
            self.service.api(f"erasures/{case}/approval", body, identity=who)

    def erasure(self, case: str) -> dict[str, object]:
        who = self.identity("security_administrator")
        found: dict[str, object] = self.service.api(f"erasures/{case}", identity=who)
        return found


def a_request(*hosts: str) -> bytes:
    """A certification request for a new key, in PEM; it proposes the hosts and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        request = request.add_extension(names, critical=False)
    return request.sign(key, SHA256()).public_bytes(Encoding.PEM)


def hex_serial(serial: int) -> str:
    return f"{serial:x}".zfill(2 * ((serial.bit_length() + 7) // 8))


def fingerprint(pem: bytes) -> str:
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    return hashlib.sha256(der).hexdigest()


def _pem(cms: bytes) -> dict[str, str]:
    return {"signature": f"-----BEGIN CMS-----\n{encodebytes(cms).decode()}-----END CMS-----\n"}
