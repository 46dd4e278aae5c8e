"""The public listener with an OCSP key in memory: what signing costs without a token.

    ocsp_worker.py FOLDER

FOLDER holds the key and its certificate (PEM), which the bench made. All else is as served.
"""

import os
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ca.identifiers import IssuerName, SerialNumber
from records.statuses import Statuses
from revocation.cert_ids import CertIdHash
from revocation.preproduction import DueResponse, PreproducedResponse
from revocation.responder import OcspIssuer, OcspResponder
from revocation.responders import OcspResponders
from revocation.status import Unknown
from server.clock import utc_now
from server.own_certificates import ocsp_policy
from server.public import PublicApp, make_app
from server.public_process import listener
from server.settings_sources import load_settings

_FOLDER = "BENCH_OCSP_SIGNER"


@dataclass
class MadeHere:
    """Responses as if they had been made ahead with the key in the folder: once, in the warm-up."""

    statuses: Statuses
    responder: OcspResponder

    def find(
        self, name: IssuerName, serial: SerialNumber, cert_id_hash: CertIdHash
    ) -> PreproducedResponse | None:
        status = self.statuses.status_of(name, serial)
        assert not isinstance(status, Unknown)
        made = self.responder.produce(DueResponse(serial, 0, status), utc_now())
        return PreproducedResponse(made.life, made.bodies[cert_id_hash])


def make_software_app() -> PublicApp:
    """The app of one worker, whose responder signs with the key in the folder."""
    app, folder = make_app(), Path(os.environ[_FOLDER])
    record = app.parts.issuing_record()
    key = load_pem_private_key((folder / "key.pem").read_bytes(), None)
    certificate = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert record.certificate is not None
    issuer = OcspIssuer(record.name, record.certificate, certificate, key)
    responder = OcspResponder(issuer, app.parts.statuses, ocsp_policy(app.parts.settings, record))
    made_here: Any = MadeHere(app.parts.statuses, responder)
    app.ocsp.parts = replace(app.parts, ocsp_responses=made_here)
    # Known for five minutes, which is longer than a bench.
    app.ocsp._responders[record.name] = (
        utc_now() + timedelta(minutes=4),
        OcspResponders((responder,)),
    )
    return app


if __name__ == "__main__":
    os.environ[_FOLDER] = sys.argv[1]
    here = load_settings(os.environ, Path.cwd()).public
    listener(here, "tests.bench.ocsp_worker:make_software_app").serve()
