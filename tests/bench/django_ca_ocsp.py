"""The OCSP responder of another certificate authority, with its keys in files.

    django_ca_ocsp.py FOLDER PORT PACKAGES

Runs in an environment of its own (tests/bench/django-ca.lock) with granian from our packages, in
two worker processes as ours. Prints one line of JSON: the path to ask at, the issuer (PEM), and the
serial of its certificate (hexadecimal). It signs every answer anew.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django_ca_peer import configure

_FOLDER = "BENCH_DJANGO_CA"


def make_app() -> object:
    """Django's own WSGI application; a worker is forked with its settings."""
    from django.conf import settings  # noqa: PLC0415

    if not settings.configured:
        configure(Path(os.environ[_FOLDER]), "none", "none", "none")
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 - after its settings

    return get_wsgi_application()


def prepare() -> dict[str, str]:
    """A root with a delegated responder, and one certificate."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django_ca.key_backends import key_backends  # noqa: PLC0415
    from django_ca.key_backends.storages.models import (  # noqa: PLC0415
        StoragesCreatePrivateKeyOptions,
        StoragesUsePrivateKeyOptions,
    )
    from django_ca.models import Certificate, CertificateAuthority  # noqa: PLC0415
    from django_ca.profiles import profiles  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    backend = key_backends["default"]
    create = StoragesCreatePrivateKeyOptions.model_validate(
        {"key_type": "EC", "elliptic_curve": "secp256r1", "path": "ca", "password": None},
        context={"backend": backend},
    )
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Peer")])
    ends = datetime.now(UTC) + timedelta(days=3650)  # noqa: TID251 - a bench
    authority = CertificateAuthority.objects.init(
        "peer", backend, create, name, ends, key_type="EC"
    )
    use = StoragesUsePrivateKeyOptions.model_validate(
        {"password": None}, context={"ca": authority, "backend": backend}
    )
    authority.generate_ocsp_key(use)
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer.example")])
    made = Certificate.objects.create_cert(
        authority, use, request, profiles["webserver"], subject=subject
    )
    pem = authority.pub.loaded.public_bytes(Encoding.PEM).decode()
    return {
        "path": f"/ocsp/{authority.serial}/cert/",
        "issuer": pem,
        "serial": f"{made.pub.loaded.serial_number:x}",
    }


def main() -> None:
    """Prepare, tell, and serve until SIGTERM."""
    folder, port, packages = sys.argv[1:]
    sys.path.append(packages)
    os.environ[_FOLDER] = folder
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), packages])
    make_app()
    print(json.dumps(prepare()), flush=True)
    from django.db import connections  # noqa: PLC0415
    from granian.constants import Interfaces  # noqa: PLC0415
    from granian.server import Server  # noqa: PLC0415

    connections.close_all()
    Server(
        "django_ca_ocsp:make_app",
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.WSGI,
        workers=2,
        blocking_threads=8,
        factory=True,
        log_access=False,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main()
