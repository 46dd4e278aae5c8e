"""An installation with tokens of its own, whose authorities are changed; on both engines."""

import itertools
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from ca.certificates import Issuer
from ca.hierarchy import CeremonyStep
from ca.identifiers import IssuerName
from ca.issuance import CertificateOrder, issue, prepare
from ca.issuers import CertificateKind, IssuerPolicy
from ca.names import SubjectName
from ca.profiles import load_profile
from records.audit_log import audit_log
from records.database import Database
from server.assembly import Assembly
from server.authorities import (
    NewAuthority,
    create_authority,
    rekey_authority,
)
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from server.retirement import retire_issuer
from tests.support.hierarchy import (
    crl_file,
    pem_file,
)
from tests.support.installation import an_installation
from tests.support.ocsp_client import request_for, said
from tests.support.softhsm import SoftHsm
from tests.support.wsgi import ask

SERVERS = IssuerName("servers")
OPERATOR = "system:operator"
_numbers = itertools.count()


@dataclass(frozen=True)
class Site:
    """An installation with tokens of its own, and a folder for outside judges."""

    parts: Assembly
    app: PublicApp
    folder: Path

    def asked(self, **changes: object) -> NewAuthority:
        subject = [("C", "DK"), ("O", "Tillid Test"), ("CN", "Servers CA")]
        usual = NewAuthority(
            SERVERS,
            IssuerName("root"),
            "issuing",
            SubjectName.of(subject),
            self.parts.settings.hsm.issuing_token,
            "servers-ca",
            "EC-P256",
            self.parts.settings.public.url,
            IssuerPolicy(("tls-server",), timedelta(hours=6), timedelta(hours=2)),
        )
        return replace(usual, **changes)  # type: ignore[arg-type]

    def create(self, **changes: object) -> list[CeremonyStep]:
        with self.online():
            return list(create_authority(self.parts, self.asked(**changes), utc_now()))

    def online(self) -> AbstractContextManager[None]:
        return self.parts.tokens.online(self.parts.settings.hsm.root_token)

    def rekey(self, name: str, key_kind: str | None = None) -> list[CeremonyStep]:
        with self.online():
            return list(rekey_authority(self.parts, name, key_kind, utc_now()))

    def leaf(self, issuer: Issuer | None = None) -> x509.Certificate:
        profile = load_profile("tls-server")
        signer = issuer or self.parts.issuing(profile)
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        subject = SubjectName.of([("CN", "web.example")])
        order = CertificateOrder(profile, subject, key, ("web.example",))
        now = utc_now()
        return issue(prepare(order, signer, now), self.parts.certificates, OPERATOR, now)

    def certificate(self, name: str, kind: CertificateKind | None = None) -> x509.Certificate:
        every = self.parts.issuers.get(name).certificates
        (*_, found) = [each for each in every if kind in {None, each.kind}]
        return found.certificate

    def file(self, name: str, *certificates: x509.Certificate) -> Path:
        return pem_file(self.folder, name, *certificates)

    def crls(self, *names: str) -> tuple[Path, ...]:
        """What is served of each issuer."""
        return tuple(
            crl_file(self.folder, name, ask(self.app, f"/crl/{name}.crl").body) for name in names
        )

    def ocsp_status(self, issuer: str, certificate: x509.Certificate) -> ocsp.OCSPCertStatus:
        asked = request_for(self.parts, certificate.serial_number, issuer=issuer)
        return said(ask(self.app, f"/ocsp/{issuer}", "POST", asked)).certificate_status

    def retire(self, name: str, *, revoke: bool = False) -> list[CeremonyStep]:
        return list(retire_issuer(self.parts, name, OPERATOR, utc_now(), revoke=revoke))

    def events(self) -> list[str]:
        with audit_log(self.parts.database) as log:
            return [str(json.loads(entry.header)["e"]) for entry in log.entries(0)]


@pytest.fixture
def site(softhsm: SoftHsm, tmp_path: Path, database: Database) -> Iterator[Site]:
    number = next(_numbers)
    settings = {
        "TILLID_DATABASE__URL": database.engine.url.render_as_string(hide_password=False),
        "TILLID_HSM__ROOT_TOKEN": f"root-{number}",
        "TILLID_HSM__ISSUING_TOKEN": f"issuing-{number}",
    }
    with an_installation(softhsm, tmp_path / "state", **settings) as parts:
        run_job("own-certificates", parts, Metrics.of_process())
        run_job("renew-crls", parts, Metrics.of_process())
        yield Site(parts, PublicApp(parts, Metrics.of_process()), tmp_path)
