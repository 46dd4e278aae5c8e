"""Outside judges of a certificate chain: OpenSSL at any time, GnuTLS at the present."""

import subprocess
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


def openssl_verify(folder: Path, chain: list[x509.Certificate], at: datetime) -> str:
    """What `openssl verify -x509_strict` says about a chain, leaf first and root last; "" is OK."""
    leaf, between, root = (folder / name for name in ("leaf.pem", "between.pem", "root.pem"))
    leaf.write_bytes(_pem(chain[:1]))
    between.write_bytes(_pem(chain[1:]))
    root.write_bytes(_pem(chain[-1:]))
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-no-CApath", "-no-CAstore",
         "-attime", str(int(at.timestamp())), "-CAfile", root, "-untrusted", between, leaf],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


def gnutls_verify(folder: Path, chain: list[x509.Certificate]) -> str:
    """What `certtool --verify` says about the same now; "" is OK."""
    path, root = folder / "chain.pem", folder / "trusted.pem"
    path.write_bytes(_pem(chain))
    root.write_bytes(_pem(chain[-1:]))
    done = subprocess.run(
        ["certtool", "--verify", "--infile", path, "--load-ca-certificate", root],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    good = done.returncode == 0 and "Chain verification output: Verified." in done.stdout
    return "" if good else done.stdout + done.stderr


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def openssl_verify_all(
    folder: Path, leaves: list[x509.Certificate], above: list[x509.Certificate], at: datetime
) -> str:
    """What one process of `openssl verify -x509_strict` says about many leaves; "" is OK."""
    between, root = folder / "between.pem", folder / "root.pem"
    between.write_bytes(_pem(above))
    root.write_bytes(_pem(above[-1:]))
    paths = [folder / f"leaf-{number}.pem" for number in range(len(leaves))]
    for path, leaf in zip(paths, leaves, strict=True):
        path.write_bytes(_pem([leaf]))
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-no-CApath", "-no-CAstore",
         "-attime", str(int(at.timestamp())), "-CAfile", root, "-untrusted", between, *paths],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr
