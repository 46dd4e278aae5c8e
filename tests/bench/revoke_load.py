"""Asks OCSP about serials as fast as it can, until standard input ends; prints how often it did.

Arguments: the URL of the public listener. Standard input: serials, one a line, then an empty line.
"""

import http.client
import itertools
import sys
from threading import Event, Thread
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

THREADS = 4


def _sha256(octets: bytes) -> bytes:
    digest = Hash(SHA256())
    digest.update(octets)
    return digest.finalize()


def requests(issuer: x509.Certificate, serials: list[str]) -> list[bytes]:
    """One request a serial."""
    key = issuer.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    names = _sha256(issuer.subject.public_bytes()), _sha256(key)
    return [
        ocsp.OCSPRequestBuilder()
        .add_certificate_by_hash(*names, int(serial, 16), SHA256())
        .build()
        .public_bytes(Encoding.DER)
        for serial in serials
    ]


def ask(address: str, bodies: list[bytes], stop: Event, asked: list[int]) -> None:
    """Ask again and again over one connection."""
    connection = http.client.HTTPConnection(address, timeout=10)
    count = 0
    for body in itertools.cycle(bodies):
        if stop.is_set():
            break
        connection.request("POST", "/ocsp/issuing", body)
        connection.getresponse().read()
        count += 1
    asked.append(count)


def main() -> None:
    """Read what to ask about, then ask until there is nobody to ask for."""
    address = urlsplit(sys.argv[1]).netloc
    serials = list(iter(lambda: sys.stdin.readline().strip(), ""))
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", "/ca/issuing.cer")
    bodies = requests(x509.load_der_x509_certificate(connection.getresponse().read()), serials)
    stop, asked = Event(), list[int]()
    threads = [Thread(target=ask, args=[address, bodies, stop, asked]) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(sum(asked))


if __name__ == "__main__":
    main()
