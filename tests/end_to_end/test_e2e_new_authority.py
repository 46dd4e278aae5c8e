"""A running service goes on with authorities and keys that were made after it started."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.hierarchy import a_request, openssl, openssl_says, pem_file
from tests.support.service import Service, until
from tests.support.workshop import Workshop

NAMED = ("--organisation", "Tillid Test", "--common-name", "Servers CA")
PROFILE = ("--profile", "tls-server", "--host", "web.example")


@pytest.fixture
def service(workshop: Workshop) -> Iterator[Service]:
    with workshop.empty() as service:
        yield service.start()


def fetched(service: Service, path: str) -> bytes:
    connection = http.client.HTTPConnection(service.public_url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()
    finally:
        connection.close()


def served(service: Service, issuer: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(fetched(service, f"/ca/{issuer}.cer"))


def a_leaf(service: Service, folder: Path, issuer: str) -> Path:
    request, out = folder / "web.csr", folder / f"{issuer}-leaf.pem"
    a_request(request, "/CN=web.example")
    given = ("--csr", str(request), "--out", str(out), "--issuer", issuer)
    service.verb("cert", "issue", *PROFILE, *given)
    return out


def crl_of(service: Service, issuer: str) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(fetched(service, f"/crl/{issuer}.crl"))


def test_a_new_authority_and_a_new_key_work_without_a_restart(
    service: Service, tmp_path: Path
) -> None:
    service.verb("ca", "create", "servers", "--parent", "root", "--online", *NAMED)
    leaf = a_leaf(service, tmp_path, "servers")
    root, servers = (
        pem_file(tmp_path, name, served(service, name)) for name in ("root", "servers")
    )
    assert openssl_says(leaf, root, untrusted=servers) == "OK"
    openssl("ocsp", "-issuer", servers, "-cert", leaf, "-CAfile", root,
            "-url", f"{service.public_url}/ocsp/servers")  # fmt: skip
    service.verb("cert", "revoke", str(leaf), "--reason", "superseded", "--yes")
    serial = x509.load_pem_x509_certificate(leaf.read_bytes()).serial_number
    until(
        "the running service's CRL",
        lambda: crl_of(service, "servers").get_revoked_certificate_by_serial_number(serial),
    )
    service.verb("ca", "rekey", "issuing", "--online", "--yes")
    after = x509.load_pem_x509_certificate(a_leaf(service, tmp_path, "issuing").read_bytes())
    newer = served(service, "issuing-2")
    after.verify_directly_issued_by(newer)
    assert crl_of(service, "issuing-2").is_signature_valid(newer.public_key())  # type: ignore[arg-type]
    assert fetched(service, "/readyz") == b"ready\n"
    own = service.verb("officer", "invite", "Åse Bøgh", "--role", "auditor")["link"]
    identity = tmp_path / "auditor.pem"
    given = ("--trust", str(root), "--out", str(identity))
    service.verb("officer", "enrol", own, *given)
    x509.load_pem_x509_certificate(identity.read_bytes()).verify_directly_issued_by(newer)
    words = ("application", "list", "--identity", str(identity))
    until("trust in the new key", lambda: service.tillid(*words).returncode in {0, 5})
