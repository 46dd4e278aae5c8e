"""PKCS#12 files (RFC 7292) for keys that were generated for their holder on request.

Encrypted by PBES2 with AES-256 and protected by HMAC-SHA-256 (RFC 8018). The key exists in the file
and nowhere else.
"""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from ca.errors import Finding, Refused

GeneratedKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_CURVES: dict[str, ec.EllipticCurve] = {
    "EC-P256": ec.SECP256R1(),
    "EC-P384": ec.SECP384R1(),
    "EC-P521": ec.SECP521R1(),
}
_ROUNDS = 600_000
"""Of PBKDF2 with HMAC-SHA-256, as OWASP advises since 2023."""
_SHORTEST, _FEWEST = 16, 8


def generate_key(kind: str) -> GeneratedKey:
    """A new key in memory, of a type that profiles name: EC-P256, RSA-3072, ..."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))


def check_password(password: str) -> bytes:
    """The octets of a password that a stolen file withstands for long; Refused for any other."""
    is_strong = len(password) >= _SHORTEST and len(set(password)) >= _FEWEST
    if is_strong and password.isprintable() and max(map(ord, password)) <= 0xFFFF:  # noqa: PLR2004
        return password.encode()
    raise Refused(
        Finding(
            "pkcs12.password",
            "NIST SP 800-63B 5.1.1, RFC 7292 B.1",
            f"the password has fewer than {_SHORTEST} characters or {_FEWEST} different ones, or"
            " one that a PKCS#12 password cannot hold",
            "take a longer one, for example from: openssl rand -base64 18",
        )
    )


def pack(
    key: GeneratedKey, path: tuple[x509.Certificate, ...], name: str, password: bytes
) -> bytes:
    """The file's octets: the key, its certificate, which is first on the path, and those above."""
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(password)
    )
    return pkcs12.serialize_key_and_certificates(name.encode(), key, path[0], path[1:], encryption)
