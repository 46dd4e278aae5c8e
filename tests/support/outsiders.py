"""Relying parties of a running service: openssl, GnuTLS and curl, as anyone has them."""

import subprocess
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.service import Service


@dataclass(frozen=True)
class Ran:
    """How a program ended, and all it said."""

    code: int
    said: str


@dataclass(frozen=True)
class RelyingParty:
    """A folder with what was fetched from the public listener, and the tools to judge with."""

    service: Service
    folder: Path

    def fetch(self) -> None:
        """Fetch both CA certificates and both CRLs by curl."""
        for name in ("root", "issuing"):
            certificate = x509.load_der_x509_certificate(self.curl(f"/ca/{name}.cer"))
            self._file(f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        self.fetch_crls()

    def fetch_crls(self) -> None:
        lists = [x509.load_der_x509_crl(self.curl(f"/crl/{name}.crl")) for name in _ISSUERS]
        for name, crl in zip(_ISSUERS, lists, strict=True):
            self._file(f"{name}.crl").write_bytes(crl.public_bytes(Encoding.PEM))
        self._file("crls.pem").write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in lists))
        anchors = [self._file(f"{name}.pem").read_bytes() for name in _ISSUERS]
        self._file("chain.pem").write_bytes(b"".join(reversed(anchors)))

    def curl(self, path: str, *options: str) -> bytes:
        """The octets of the answer; fails for any status but a good one."""
        command = ["curl", "--silent", "--show-error", "--fail", *options]
        url = self.service.public_url + path
        return subprocess.run([*command, url], check=True, capture_output=True, timeout=20).stdout

    def curl_head(self, path: str, *options: str) -> tuple[int, dict[str, str]]:
        """Status and headers (names in lower case) of an answer whose body goes nowhere."""
        lines = self.curl(path, "--output", "/dev/null", "--dump-header", "-", *options)
        status, *headers = lines.decode().strip().splitlines()
        pairs = (line.split(": ", 1) for line in headers)
        return int(status.split()[1]), {name.lower(): value for name, value in pairs}

    def openssl_verify(self, certificate: Path) -> Ran:
        """By both CRLs, strictly."""
        command = ["openssl", "verify", "-x509_strict", "-crl_check_all"]
        command += ["-CRLfile", str(self._file("crls.pem")), "-CAfile", str(self._file("root.pem"))]
        return _run([*command, "-untrusted", str(self._file("issuing.pem")), str(certificate)])

    def openssl_ocsp(self, *about: str) -> Ran:
        """Ask by POST; `about` says which certificate or serial, and how."""
        url = f"{self.service.public_url}/ocsp/issuing"
        return _run([*self._ocsp(*about), "-CAfile", str(self._file("root.pem")), "-url", url])

    def openssl_ocsp_by_get(self, *about: str) -> Ran:
        """The request of openssl, sent by curl in the path (RFC 6960 A.1), judged by openssl."""
        asked, answered = self._file("asked.der"), self._file("answered.der")
        made = _run([*self._ocsp(*about), "-no_nonce", "-reqout", str(asked)])
        assert made.code == 0, made.said
        encoded = quote(b64encode(asked.read_bytes()), safe="")
        answered.write_bytes(self.curl(f"/ocsp/issuing/{encoded}"))
        judge = ["-respin", str(answered), "-CAfile", str(self._file("root.pem"))]
        return _run([*self._ocsp(*about), *judge])

    def certtool_verify(self, certificate: Path) -> Ran:
        """GnuTLS builds the path and looks into the CRLs."""
        chain = self._file("judged.pem")
        chain.write_bytes(certificate.read_bytes() + self._file("issuing.pem").read_bytes())
        command = ["certtool", "--verify", "--infile", str(chain)]
        command += ["--load-ca-certificate", str(self._file("root.pem"))]
        return _run([*command, "--load-crl", str(self._file("crls.pem"))])

    def certtool_verify_crl(self, name: str, signer: str) -> Ran:
        command = ["certtool", "--verify-crl", "--infile", str(self._file(f"{name}.crl"))]
        return _run([*command, "--load-ca-certificate", str(self._file(f"{signer}.pem"))])

    def ocsptool(self, certificate: Path) -> Ran:
        command = ["ocsptool", f"--ask={self.service.public_url}/ocsp/issuing"]
        command += [
            "--load-cert",
            str(certificate),
            "--load-issuer",
            str(self._file("issuing.pem")),
        ]
        return _run([*command, "--load-trust", str(self._file("chain.pem"))])

    def _ocsp(self, *about: str) -> list[str]:
        return ["openssl", "ocsp", "-issuer", str(self._file("issuing.pem")), *about]

    def _file(self, name: str) -> Path:
        return self.folder / name


_ISSUERS = ("root", "issuing")


def _run(command: list[str]) -> Ran:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return Ran(done.returncode, done.stdout + done.stderr)
