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
