"""Another certificate authority, with a key of the same kind in the same token.

    django_ca_peer.py FOLDER MODULE TOKEN PIN-FILE

Runs in an environment of its own (tests/bench/django-ca.lock). Reads lines "COUNT TOGETHER", makes
that many requests, says "ready", waits for an empty line, issues them one a transaction, or all in
one transaction when TOGETHER is 1, and answers with its CPU seconds. Its database is SQLite as
durable as ours.
"""

import os
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

urlpatterns: list[object] = []


def configure(folder: Path, module: str, token: str, pin: str) -> None:
    """The least that it needs to issue from a token."""
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    settings.configure(
        SECRET_KEY=os.urandom(32).hex(),
        ALLOWED_HOSTS=["127.0.0.1"],
        USE_TZ=True,
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_ca"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "django-ca.sqlite"),
                "OPTIONS": {
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
                    "transaction_mode": "IMMEDIATE",
                },
            }
        },
        STORAGES={
            "default": files,
            "staticfiles": files,
            "django-ca": files | {"OPTIONS": {"location": str(folder)}},
        },
        CA_DEFAULT_HOSTNAME="ca.example",
        CA_USE_CELERY=False,
        CA_KEY_BACKENDS={
            "default": {
                "BACKEND": "django_ca.key_backends.storages.StoragesBackend",
                "OPTIONS": {"storage_alias": "django-ca"},
            },
            "hsm": {
                "BACKEND": "django_ca.key_backends.hsm.HSMBackend",
                "OPTIONS": {"library_path": module, "token": token, "user_pin": pin},
            },
        },
    )
    django.setup()
    from django.urls import include, path  # noqa: PLC0415 - after its settings

    urlpatterns.append(path("", include("django_ca.urls")))


def an_authority() -> tuple[object, object]:
    """A root with a P-256 key in the token, and what lets it be used."""
    from django_ca.key_backends import key_backends  # noqa: PLC0415
    from django_ca.key_backends.hsm.models import (  # noqa: PLC0415
        HSMCreatePrivateKeyOptions,
        HSMUsePrivateKeyOptions,
    )
    from django_ca.models import CertificateAuthority  # noqa: PLC0415

    backend = key_backends["hsm"]
    options = HSMCreatePrivateKeyOptions.model_validate(
        {"key_label": "django-ca", "key_type": "EC", "elliptic_curve": "secp256r1"},
        context={"backend": backend},
    )
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Peer")])
    ends = datetime.now(UTC) + timedelta(days=3650)  # noqa: TID251 - a bench
    authority = CertificateAuthority.objects.init(
        "peer", backend, options, name, ends, key_type="EC"
    )
    use = HSMUsePrivateKeyOptions.model_validate({}, context={"ca": authority, "backend": backend})
    return authority, use


def requests(count: int) -> list[tuple[bytes, str]]:
    """Certification requests in PEM and the host that each is for."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    made = []
    for _ in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
        octets = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        made.append((octets, f"h{os.urandom(17).hex()}.example"))
    return made


def main() -> None:
    """Obey until standard input ends."""
    folder, module, token, pin_file = sys.argv[1:]
    configure(Path(folder), module, token, Path(pin_file).read_text().strip())
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import transaction  # noqa: PLC0415
    from django_ca.models import Certificate  # noqa: PLC0415
    from django_ca.profiles import profiles  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    authority, use = an_authority()
    profile = profiles["webserver"]
    for line in sys.stdin:
        count, together = map(int, line.split())
        todo = requests(count)
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.process_time()
        with transaction.atomic() if together else nullcontext():
            for octets, host in todo:
                request = x509.load_pem_x509_csr(octets)
                subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
                Certificate.objects.create_cert(authority, use, request, profile, subject=subject)
        print(time.process_time() - began, flush=True)


if __name__ == "__main__":
    main()
