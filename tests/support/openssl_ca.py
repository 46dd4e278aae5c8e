"""A certificate authority kept by `openssl ca`, as many run one: index.txt, newcerts, a CRL."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[ca]
default_ca = here
[here]
dir = {folder}
database = $dir/index.txt
new_certs_dir = $dir/newcerts
serial = $dir/serial
crlnumber = $dir/crlnumber
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
x509_extensions = leaf
crl_extensions = crl
unique_subject = no
[any]
commonName = supplied
[leaf]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[crl]
authorityKeyIdentifier = keyid:always
[req]
distinguished_name = name
x509_extensions = authority
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""


@dataclass(frozen=True)
class OpensslCa:
    """The folder of one authority; a serial number is hexadecimal, as in the names of its files."""

    folder: Path

    @property
    def arguments(self) -> list[str]:
        """What `tillid ca import` is given."""
        return [
            *("--certificate", str(self.folder / "ca.pem")),
            *("--certificates", str(self.folder / "newcerts")),
            *("--index", str(self.index)),
            *("--crl", str(self.folder / "crl.pem")),
        ]

    @property
    def index(self) -> Path:
        return self.folder / "index.txt"

    def file(self, serial: str) -> Path:
        return self.folder / "newcerts" / f"{serial}.pem"

    def issue(self, common_name: str, *options: str) -> None:
        key, request = self.folder / "leaf.key", self.folder / "leaf.csr"
        self._openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", str(key), "-subj", f"/CN={common_name}", "-out", str(request)),
        )
        self._ca("-batch", "-notext", "-in", str(request), *options)

    def revoke(self, serial: str, reason: str) -> None:
        self._ca("-revoke", str(self.file(serial)), "-crl_reason", reason)

    def publish(self) -> None:
        """Make its next CRL."""
        self._ca("-gencrl", "-out", str(self.folder / "crl.pem"))

    def _ca(self, *arguments: str) -> None:
        self._openssl("ca", *arguments)

    def _openssl(self, *arguments: str) -> None:
        config = ["-config", str(self.folder / "ca.cnf")]
        command = ["openssl", arguments[0], *config, *arguments[1:]]
        subprocess.run(command, check=True, capture_output=True, timeout=30)


def an_openssl_ca(folder: Path) -> OpensslCa:
    """Four certificates, 1001 to 1004: good, revoked twice, expired; and CRL number 7."""
    (folder / "newcerts").mkdir(parents=True)
    (folder / "ca.cnf").write_text(_CONFIG.format(folder=folder))
    for name, text in (("index.txt", ""), ("serial", "1001\n"), ("crlnumber", "07\n")):
        (folder / name).write_text(text)
    made = OpensslCa(folder)
    made._openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-days", "3650", "-keyout", str(folder / "ca.key"), "-subj", "/C=DK/L=Ribe/CN=Old CA"),
        *("-out", str(folder / "ca.pem")),
    )
    made.issue("good.example.com")
    made.issue("stolen.example.com")
    made.issue("replaced.example.com")
    made.issue("old.example.com", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    made.revoke("1002", "keyCompromise")
    made.revoke("1003", "superseded")
    made.publish()
    return made
