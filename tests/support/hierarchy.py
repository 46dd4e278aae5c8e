"""A foreign root, and outside judges of paths and CRLs: openssl and certtool."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


def openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30)


@dataclass(frozen=True)
class ForeignRoot:
    """A root made and used by openssl alone."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "root.pem"

    def make(self, *extensions: str) -> "ForeignRoot":
        self.folder.mkdir(exist_ok=True)
        wanted = extensions or (
            "basicConstraints=critical,CA:true",
            "keyUsage=critical,keyCertSign",
        )
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes",
            "-keyout", self.folder / "root.key", "-out", self.certificate, "-days", "3650",
            "-subj", "/C=SE/O=Foreign/CN=Foreign Root", "-sha384",
            *(part for extension in wanted for part in ("-addext", extension)),
        )  # fmt: skip
        return self

    def certify(self, request: Path, out: Path, *lines: str, days: int = 1000) -> Path:
        """A certificate for a request, with these extensions in place of the usual ones."""
        usual = (
            "basicConstraints=critical,CA:true,pathlen:0",
            "keyUsage=critical,keyCertSign,cRLSign",
            "subjectKeyIdentifier=hash",
            "authorityKeyIdentifier=keyid",
        )
        given = {line.partition("=")[0] for line in lines}
        kept = [line for line in usual if line.partition("=")[0] not in given]
        file = self.folder / "extensions.cnf"
        file.write_text("\n".join([*kept, *(line for line in lines if not line.endswith("="))]))
        openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate,
            "-CAkey", self.folder / "root.key", "-set_serial", "77", "-days", str(days),
            "-extfile", file, "-out", out, "-sha384",
        )  # fmt: skip
        return out


def a_request(out: Path, subject: str) -> None:
    """A request by openssl, for a new key beside it."""
    openssl(
        "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", out.with_suffix(".key"), "-subj", subject, "-out", out,
    )  # fmt: skip


def pem_file(folder: Path, name: str, *certificates: x509.Certificate) -> Path:
    path = folder / f"{name}.pem"
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    return path


def crl_file(folder: Path, name: str, der: bytes) -> Path:
    path = folder / f"{name}.crl.pem"
    path.write_bytes(x509.load_der_x509_crl(der).public_bytes(Encoding.PEM))
    return path


def openssl_says(
    leaf: Path, trusted: Path, *, untrusted: Path | None = None, crls: tuple[Path, ...] = ()
) -> str:
    """OK, or what `openssl verify -x509_strict` has against the path."""
    words = ["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAfile", "-no-CAstore"]
    words += ["-trusted", str(trusted)]
    words += [] if untrusted is None else ["-untrusted", str(untrusted)]
    if crls:
        words.append("-crl_check_all")
        words += [part for crl in crls for part in ("-CRLfile", str(crl))]
    ended = subprocess.run([*words, str(leaf)], capture_output=True, text=True, check=False)
    said = ended.stdout + ended.stderr
    return "OK" if ended.returncode == 0 and said.strip().endswith(": OK") else said


def certtool_says(chain: Path, trusted: Path, *crls: Path) -> bool:
    """Whether GnuTLS verifies a chain, leaf first, to one of the trusted certificates."""
    words = ["certtool", "--verify", "--load-ca-certificate", str(trusted), "--infile", str(chain)]
    for crl in crls:
        words += ["--load-crl", str(crl)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    return ended.returncode == 0 and "Chain verification output: Verified" in ended.stdout
