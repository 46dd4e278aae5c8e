"""One process that issues from requests, at the word of `tests.bench.issue`.

    issue_worker.py STATE

Reads lines "COUNT SIZE": makes that many requests, says "ready", waits for an empty line, issues
them in batches of SIZE, and answers with its CPU seconds. SIZE 0 is the bare way: the library's
builder and the key in the token, and nothing stored.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import Issuer
from ca.identifiers import SerialNumber
from ca.issuance import issue_all, prepare
from ca.requests import parse_request
from server.assembly import Assembly, assembled
from server.clock import utc_now
from server.ordering import server_order
from server.settings_sources import load_settings

PROFILE = "tls-server"


def requests(count: int) -> list[bytes]:
    """Certification requests in PEM, each with a key and a host of its own."""
    made = []
    for _ in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        host = f"h{SerialNumber.random().hex}.example"
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
        signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
        made.append(signed.public_bytes(Encoding.PEM))
    return made


def issue_from(octets: list[bytes], parts: Assembly, issuer: Issuer) -> None:
    """All the way from requests to certificates that are recorded."""
    now = utc_now()
    batch = []
    for each in octets:
        order = server_order(PROFILE, parse_request(each), ())
        batch.append(prepare(order, issuer, now, parts.settings.serial.node))
    for outcome in issue_all(batch, parts.certificates, "system:operator", now):
        if isinstance(outcome, Exception):
            raise outcome


def build_bare(octets: bytes, issuer: Issuer) -> None:
    """What a script does: read the request, build, sign in the token."""
    request = x509.load_pem_x509_csr(octets)
    assert issuer.certificate is not None
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    now, key = utc_now(), request.public_key()
    purposes = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])
    subject = x509.SubjectKeyIdentifier.from_public_key(key)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = x509.CertificateBuilder(
        issuer.subject,
        x509.Name([]),
        key,
        SerialNumber.random(),
        now.replace(tzinfo=None),
        (now + timedelta(days=90)).replace(tzinfo=None),
    )
    for value in (x509.BasicConstraints(ca=False, path_length=None), purposes, names):
        builder = builder.add_extension(value, critical=False)
    builder = builder.add_extension(subject, critical=False).add_extension(above, critical=False)
    builder.sign(issuer.key, hashes.SHA256())


def main() -> None:
    """Obey until standard input ends."""
    with assembled(load_settings(dict(os.environ), Path(sys.argv[1]))) as parts:
        issuer = parts.issuing()
        for line in sys.stdin:
            count, size = map(int, line.split())
            octets = requests(count)
            print("ready", flush=True)
            sys.stdin.readline()
            began = time.process_time()
            for start in range(0, count, size or 1):
                some = octets[start : start + (size or 1)]
                if size:
                    issue_from(some, parts, issuer)
                else:
                    build_bare(some[0], issuer)
            print(time.process_time() - began, flush=True)


if __name__ == "__main__":
    main()
