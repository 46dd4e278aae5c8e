"""Several nodes on one PostgreSQL: each with a state directory and ports of its own."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.ocsp import OCSPCertStatus

from tests.support.postgres import AUDITOR, SERVICE
from tests.support.request_builders import a_request
from tests.support.service import Service, quiet_port
from tests.support.status import crl, ocsp_status
from tests.support.workshop import Workshop


@contextmanager
def two_nodes(workshop: Workshop, folder: Path) -> Iterator[tuple[Service, Service]]:
    """Two whole nodes with the same tokens; neither runs yet."""
    with workshop.verified("postgresql") as story, ExitStack() as stack:
        first = story.service
        shutil.copytree(first.state, folder / "second")
        second = node(first, folder / "second", TILLID_SERIAL__NODE="2")
        stack.callback(second.discard)
        yield first, second


def node(of: Service, state: Path, **additions: str) -> Service:
    """Another node of an installation, at ports of its own."""
    environment = of.environment | {
        "TILLID_STATE": str(state),
        "TILLID_PUBLIC__PORT": str(quiet_port()),
        "TILLID_PUBLIC__URL": of.public_url,
        "TILLID_STAFF__PORT": str(quiet_port()),
        **additions,
    }
    return Service(state, environment)


def public_node(of: Service, state: Path, database: str) -> Service:
    """A node with nothing but an address of the database."""
    state.mkdir(mode=0o700)
    return node(of, state, TILLID_PUBLIC__ONLY="true", TILLID_DATABASE__URL=database)


def reader_of(service: Service) -> str:
    """The URL of a login that may read everything and write nothing."""
    return service.environment["TILLID_DATABASE__URL"].replace(f"//{SERVICE}:", f"//{AUDITOR}:")


def issue(service: Service, folder: Path) -> int:
    """A certificate of a server, issued by the operator; gives its serial number."""
    request, out = folder / "node.csr", folder / "node.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    request.write_bytes(a_request(key, [x509.DNSName("web.example")]))
    asked = ["--profile", "tls-server", "--csr", str(request), "--out", str(out)]
    service.verb("cert", "issue", *asked)
    return x509.load_pem_x509_certificate(out.read_bytes()).serial_number


def revoke(service: Service, serial: int) -> None:
    name = f"issuing/{serial:036x}"
    service.verb("cert", "revoke", name, "--yes", "--reason", "superseded")


def says(service: Service, serial: int) -> OCSPCertStatus | None:
    """What OCSP says; None while it says nothing of it."""
    try:
        return ocsp_status(service, serial)
    except ValueError:  # no OCSP response, or one without a status
        return None


def crl_number(service: Service) -> int:
    found = crl(service).extensions.get_extension_for_class(x509.CRLNumber)
    return found.value.crl_number
