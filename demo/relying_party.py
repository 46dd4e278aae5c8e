"""What a relying party does with the certificate: openssl, ldapsearch and curl, as anyone can."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from demo.stage import Stage


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Looks from outside, with nothing but the public addresses and a trust anchor."""

    stage: Stage
    holder: str = "applicant"
    """Whose certificate it looks at, by the name of the file."""

    @property
    def _folder(self) -> Path:
        return self.stage.folder

    @property
    def _certificate(self) -> Path:
        return self._folder / f"{self.holder}.pem"

    def fetch_issuers(self) -> None:
        """Fetch both CA certificates over plain HTTP, as PEM."""
        for name in ("root", "issuing"):
            self._fetch(f"ca/{name}.cer", "x509", self._folder / f"{name}.pem")

    def fetch_crls(self) -> None:
        """Fetch both CRLs, as one PEM file."""
        folder = self._folder
        for name in ("root", "issuing"):
            self._fetch(f"crl/{name}.crl", "crl", folder / f"{name}.crl.pem")
        parts = [(folder / f"{name}.crl.pem").read_text() for name in ("root", "issuing")]
        (folder / "crls.pem").write_text("".join(parts))

    def verify(self) -> list[str]:
        """Openssl verify with both CRLs."""
        folder = self._folder
        command = ["openssl", "verify", "-x509_strict", "-crl_check_all"]
        command += ["-CRLfile", str(folder / "crls.pem"), "-CAfile", str(folder / "root.pem")]
        return [*command, "-untrusted", str(folder / "issuing.pem"), str(self._certificate)]

    def verify_says(self) -> str:
        """What it answers, in one line."""
        ran = self.stage.run(self.verify())
        told = (ran.errors + ran.output).splitlines()
        return next((each for each in told if "error" in each), told[-1]).strip()

    def ocsp(self) -> list[str]:
        """Openssl ocsp against our responder."""
        folder = self._folder
        command = ["openssl", "ocsp", "-issuer", str(folder / "issuing.pem")]
        command += ["-cert", str(self._certificate), "-CAfile", str(folder / "root.pem")]
        return [*command, "-url", f"{self.stage.settings.public.url}/ocsp/issuing"]

    def ocsp_says(self) -> str:
        """The line of the answer that holds the status, and whether it verifies."""
        ran = self.stage.run(self.ocsp())
        status = next((each for each in ran.output.splitlines() if ".pem: " in each), "no answer")
        verified = "verified" if "Response verify OK" in ran.errors else "NOT VERIFIED"
        return f"{Path(status).name} ({verified})"

    def ocsp_revoked(self) -> bool:
        """Whether OCSP says revoked."""
        return ": revoked (verified)" in self.ocsp_says()

    def crl_lists(self) -> bool:
        """Whether the CRL that is served lists the certificate."""
        self.fetch_crls()
        serial = x509.load_pem_x509_certificate(self._certificate.read_bytes()).serial_number
        crl = x509.load_pem_x509_crl((self._folder / "issuing.crl.pem").read_bytes())
        return crl.get_revoked_certificate_by_serial_number(serial) is not None

    def ldapsearch(self) -> list[str]:
        """Ldapsearch for the certificate by issuer and serial, without a login."""
        slapd = self.stage.slapd
        command = ["ldapsearch", "-x", "-LLL", "-H", slapd.url, "-b", slapd.suffix]
        return [*command, "(userCertificate=*)", "userCertificate;binary"]

    def directory_values(self) -> int:
        """How many entries with a certificate the directory holds."""
        ran = self.stage.run(self.ldapsearch())
        return sum(each.startswith("dn:") for each in ran.output.splitlines())

    def _fetch(self, path: str, kind: str, out: Path) -> None:
        url = f"{self.stage.settings.public.url}/{path}"
        der = out.with_suffix(".der")
        self.stage.tool(["curl", "--silent", "--fail", "--output", str(der), url])
        self.stage.tool(["openssl", kind, "-inform", "DER", "-in", str(der), "-out", str(out)])
        der.unlink()
