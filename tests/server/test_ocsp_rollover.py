"""OCSP signers through the months: answers that clients take at every moment, by every signer."""

import itertools
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from sqlalchemy import text

from records.officers import Role
from server import jobs, public, public_ocsp
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from tests.support.authorities import SERVERS, Site
from tests.support.installation import an_installation
from tests.support.ocsp_client import request_for, said
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer
from tests.support.wsgi import ask

DAY = timedelta(days=1)


@dataclass
class Town:
    """One installation with one subscriber, whose clock goes as the test says."""

    parts: Assembly
    app: PublicApp
    leaf: x509.Certificate
    folder: Path
    now: datetime

    def tick(self, now: datetime) -> None:
        """What the jobs do at a moment."""
        self.now = now
        for job in ("own-certificates", "ocsp-responses"):
            run_job(job, self.parts, self.app.metrics)
        self.app.held.look(self.parts.ocsp_responses)

    def answer(self, nonce: bytes | None = None) -> ocsp.OCSPResponse:
        """What a client is told now, by GET."""
        asked = request_for(self.parts, self.leaf.serial_number, nonce=nonce)
        return said(ask(self.app, f"/ocsp/issuing/{quote(b64encode(asked).decode(), safe='')}"))

    def check(self, answer: ocsp.OCSPResponse, now: datetime) -> x509.Certificate:
        """As a client that is strict about times; gives the certificate of the signer."""
        issuer = self.parts.issuing().certificate
        (signer,) = answer.certificates
        assert issuer is not None
        signer.verify_directly_issued_by(issuer)
        assert signer.extensions.get_extension_for_class(x509.OCSPNoCheck)
        key = signer.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
        assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
        ends = answer.next_update_utc
        assert ends is not None
        assert answer.this_update_utc <= now <= ends <= signer.not_valid_after_utc
        assert signer.not_valid_before_utc <= now
        return signer

    def verify(self, answer: ocsp.OCSPResponse, now: datetime) -> None:
        """Openssl has to take it at that moment; the age of the answer is checked above."""
        files = {
            "root": self.parts.issuers.get("root").certificate,
            "issuing": self.parts.issuing().certificate,
            "leaf": self.leaf,
        }
        for name, certificate in files.items():
            assert certificate is not None
            (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (self.folder / "answer.der").write_bytes(answer.public_bytes(Encoding.DER))
        command = [
            *("openssl", "ocsp", "-respin", "answer.der", "-issuer", "issuing.pem"),
            *(
                "-no_nonce",
                "-cert",
                "leaf.pem",
                "-CAfile",
                "root.pem",
                "-verify_other",
                "issuing.pem",
            ),
            *("-attime", str(int(now.timestamp())), "-validity_period", str(10**9)),
        ]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert "Response verify OK" in done.stderr, done.stderr
        assert "leaf.pem: good" in done.stdout, done.stdout


@pytest.fixture
def town(softhsm: SoftHsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    with an_installation(softhsm, tmp_path / "state") as parts:
        run_job("own-certificates", parts, Metrics.of_process())
        leaf = an_officer(parts, Role.AUDITOR).certificate
        app = PublicApp(parts, Metrics.of_process())
        town = Town(parts, app, leaf, tmp_path, utc_now())
        for module in (jobs, public, public_ocsp):
            monkeypatch.setattr(module, "utc_now", lambda: town.now)
        yield town


def test_answers_are_valid_before_during_and_after_every_change_of_the_signer(town: Town) -> None:
    start, signers, before = town.now, dict[int, x509.Certificate](), None
    for day in range(0, 66, 3):
        now = start + day * DAY
        town.tick(now)
        for nonce in (None, b"n" * 16):
            answer = town.answer(nonce)
            signer = town.check(answer, now)
            signers[signer.serial_number] = signer
        if before is not None and before[0] != signer.serial_number:
            # What was fetched just before the change is as good until it ends by itself.
            _, last, at = before
            town.verify(last, at)
            town.verify(answer, now)
        before = signer.serial_number, answer, now
    lives = sorted(
        (each.not_valid_before_utc, each.not_valid_after_utc) for each in signers.values()
    )
    assert len(lives) >= 3
    for (_, ends), (begins, _) in itertools.pairwise(lives):
        assert begins + 8 * DAY < ends  # both are valid meanwhile


@pytest.mark.parametrize("days", [[9, 0, 1], [40, 0, 41], [400, 1, 2, 0]], ids=str)
def test_a_clock_that_jumps_and_comes_back_leaves_answers_that_are_valid(
    town: Town, days: list[int]
) -> None:
    start = town.now
    town.tick(start)
    for day in days:
        now = start + day * DAY
        town.tick(now)
        for nonce in (None, b"n" * 16):
            answer = town.answer(nonce)
            town.check(answer, now)
            town.verify(answer, now)


def test_after_a_jump_back_responses_are_made_ahead_again(town: Town) -> None:
    start = town.now
    town.tick(start + 27 * timedelta(hours=1))
    town.tick(start)
    town.answer()
    with town.parts.database.read() as tx:
        latest = tx.execute(text("SELECT MAX(this_update) FROM ocsp_response")).scalar_one()
    assert latest <= int(start.timestamp() * 1_000_000)
    kinds = {labels[0] for mine in town.app.answers._by_thread.values() for labels in mine}
    assert kinds == {"made_ahead"}


def test_a_new_issuer_is_answered_for_at_once_by_a_worker_that_runs(site: Site) -> None:
    site.create()
    asked = request_for(site.parts, 5, issuer=SERVERS)
    named = said(ask(site.app, f"/ocsp/{SERVERS}", "POST", asked))
    assert named.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    assert b"OCSP" not in ask(site.app, "/readyz").body
