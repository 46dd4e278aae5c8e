"""CMS signatures made by openssl, as an officer's own tools make them."""

import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.signatures import SigningKey

Signer = tuple[SigningKey, x509.Certificate]


def openssl_sign(
    folder: Path, content: bytes, signers: list[Signer], *options: str | Path
) -> bytes:
    """What `openssl cms -sign -binary` writes in DER; detached unless the options say otherwise."""
    source = folder / "content"
    source.write_bytes(content)
    named: list[str | Path] = []
    for number, (key, certificate) in enumerate(signers):
        key_file, certificate_file = folder / f"{number}.key", folder / f"{number}.pem"
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        named += ["-signer", certificate_file, "-inkey", key_file]
    command = ["openssl", "cms", "-sign", "-binary", "-in", source, "-outform", "DER"]
    done = subprocess.run([*command, *named, *options], capture_output=True, check=True, timeout=20)
    return done.stdout


def openssl_accepts(folder: Path, content: bytes, signature: bytes) -> bool:
    """Whether `openssl cms -verify` accepts a detached signature, leaving the chain aside."""
    source, signed = folder / "verified", folder / "signature.der"
    source.write_bytes(content)
    signed.write_bytes(signature)
    command = ["openssl", "cms", "-verify", "-binary", "-noverify", "-inform", "DER"]
    done = subprocess.run(
        [*command, "-in", signed, "-content", source], capture_output=True, check=False, timeout=20
    )
    return done.returncode == 0 and done.stdout == content
