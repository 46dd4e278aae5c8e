"""Outside judges of many chains at once, each with CRLs: OpenSSL, GnuTLS, NSS, Java, pyhanko.

Each gives what it has against a chain, by the chain's number; nothing is good. GnuTLS judges at the
present, so all do.
"""

import asyncio
import subprocess
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import Issuer
from ca.identifiers import SerialNumber
from revocation.crl import CrlHeader, build_crl, encode_entry
from revocation.reasons import Reason
from tests.support.certificate_samples import Chain

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # oscrypto, which it leans on, is older than our Python
    from pyhanko_certvalidator import CertificateValidator, ValidationContext
    from pyhanko_certvalidator.errors import PathError, ValidationError

Verdicts = dict[int, str]
_JAVA = Path(__file__).parent / "java" / "Judge.java"
_SECOND = timedelta(seconds=1)
# What NSS is asked whether the leaf is for (vfychain -u).
_NSS_USAGES = {
    "tls-server": "1",
    "smime": "4",
    "legal-person-seal": "4",
    "code-signing": "6",
    "ocsp-signer": "10",
    "ca-link": "11",
    "cross": "11",
    "issuing": "11",
    "root": "11",
}
_NSS_TLS_CLIENT = "0"
_NSS_IPSEC = "12"


def crl_of(issuer: Issuer, now: datetime, revoked: Iterable[x509.Certificate] = ()) -> bytes:
    """A CRL of the issuer in DER that lists those certificates."""
    assert issuer.certificate is not None
    header = CrlHeader(1, now - _SECOND, now + timedelta(days=1))
    serials = sorted(SerialNumber(each.serial_number) for each in revoked)
    entries = [encode_entry(serial, header.this_update, Reason.SUPERSEDED) for serial in serials]
    return build_crl(issuer.certificate, issuer.key, header, entries)


class Bench:
    """A folder with chains and their CRLs, and the judges that look at them."""

    def __init__(
        self, folder: Path, profile: str, now: datetime, revoked: Iterable[x509.Certificate] = ()
    ) -> None:
        """Judge chains of this profile; `revoked` stand on the CRLs of those that issued them."""
        self._folder, self._profile, self._now = folder, profile, now
        self._revoked = list(revoked)
        self._crls: dict[bytes, bytes] = {}

    def judged(self, chains: Sequence[Chain]) -> dict[str, Verdicts]:
        """What each judge has against which chain."""
        for number, chain in enumerate(chains):
            self._lay_out(number, chain)
        each: dict[str, Callable[[int, Chain], str]] = {
            "GnuTLS": self._gnutls,
            "NSS": self._nss,
            "pyhanko": self._pyhanko,
        }
        verdicts = {
            name: {n: said for n, chain in enumerate(chains) if (said := judge(n, chain))}
            for name, judge in each.items()
        }
        verdicts["OpenSSL"] = self._openssl(chains)
        return verdicts | {"Java": _java(self._folder, len(chains))}

    def java_by_ocsp(self, answered: Sequence[tuple[Chain, bytes]]) -> Verdicts:
        """What Java has against chains by these OCSP answers for their leaves, and nothing else."""
        for number, (chain, answer) in enumerate(answered):
            self._file(number, "chain").write_bytes(_pem(chain.path))
            self._file(number, "ocsp").write_bytes(answer)
        return _java(self._folder, len(answered))

    def _crl(self, issuer: Issuer) -> bytes:
        assert issuer.certificate is not None
        key = issuer.certificate.public_bytes(Encoding.DER)
        if key not in self._crls:
            name = issuer.certificate.subject
            listed = [each for each in self._revoked if each.issuer == name]
            self._crls[key] = crl_of(issuer, self._now, listed)
        return self._crls[key]

    def _lay_out(self, number: int, chain: Chain) -> None:
        crls = [x509.load_der_x509_crl(self._crl(issuer)) for issuer in chain.issuers]
        self._file(number, "chain").write_bytes(_pem(chain.path))
        self._file(number, "leaf").write_bytes(_pem(chain.path[:1]))
        self._file(number, "between").write_bytes(_pem(chain.path[1:]))
        self._file(number, "root").write_bytes(_pem(chain.path[-1:]))
        self._file(number, "crls").write_bytes(
            b"".join(each.public_bytes(Encoding.PEM) for each in crls)
        )

    def _file(self, number: int, kind: str) -> Path:
        return self._folder / f"{number}.{kind}"

    def _openssl(self, chains: Sequence[Chain]) -> Verdicts:
        """All leaves of the same issuers at once, and each alone once one of them is not good."""
        same: defaultdict[tuple[bytes, ...], list[int]] = defaultdict(list)
        for number, chain in enumerate(chains):
            same[tuple(map(self._crl, chain.issuers))].append(number)
        suspects = [n for numbers in same.values() if self._openssl_of(numbers) for n in numbers]
        return {n: said for n in suspects if (said := self._openssl_of([n]))}

    def _openssl_of(self, numbers: Sequence[int]) -> str:
        of = {kind: str(self._file(numbers[0], kind)) for kind in ("root", "between", "crls")}
        return _failure([
            "openssl", "verify", "-x509_strict", "-check_ss_sig", "-no-CApath", "-no-CAstore",
            "-crl_check_all", "-CRLfile", of["crls"], "-CAfile", of["root"],
            "-untrusted", of["between"], *(str(self._file(each, "leaf")) for each in numbers),
        ])  # fmt: skip

    def _gnutls(self, number: int, _: Chain) -> str:
        return _failure(
            [
                *("certtool", "--verify", "--infile", str(self._file(number, "chain"))),
                *("--load-ca-certificate", str(self._file(number, "root"))),
                *("--load-crl", str(self._file(number, "crls"))),
            ],
            "Chain verification output: Verified.",
        )

    def _nss(self, number: int, chain: Chain) -> str:
        """NSS keeps CRLs and roots in a database: one for each set of issuers."""
        place = self._nss_database(chain)
        usage = _NSS_USAGES.get(self._profile, _NSS_TLS_CLIENT)
        if usage == _NSS_USAGES["tls-server"] and _is_rsa(chain.judged):
            # As a TLS server's, vfychain wants keyEncipherment on it, for a key exchange that TLS
            # 1.3 does not have and that Firefox, which has a verifier of its own, does not ask for.
            usage = _NSS_IPSEC
        between = self._file(number, "nss")
        between.write_bytes(_pem(chain.path[1:2]))
        return _failure([
            "vfychain", "-d", f"sql:{place}", "-pp", "-u", usage,
            "-g", "leaf", "-m", "crl", "-s", "failIfNoInfo,ignoreDefaultSrc",
            "-a", str(self._file(number, "leaf")), *(("-a", str(between)) * (len(chain.path) > 2)),
        ], "Chain is good!")  # fmt: skip

    def _nss_database(self, chain: Chain) -> Path:
        issuer = chain.issuers[0]
        place = self._folder / f"nss-{abs(hash(self._crl(issuer)))}"
        if place.exists():
            return place
        place.mkdir()
        _done(["certutil", "-N", "-d", f"sql:{place}", "--empty-password"])
        for number, authority in enumerate(chain.issuers):
            assert authority.certificate is not None
            file = place / f"{number}.der"
            file.write_bytes(authority.certificate.public_bytes(Encoding.DER))
            trust = "CT,C,C" if number == len(chain.issuers) - 1 else ",,c"
            _done(["certutil", "-A", "-d", f"sql:{place}", "-n", f"ca-{number}", "-t", trust,
                   "-i", str(file)])  # fmt: skip
            file.write_bytes(self._crl(authority))
            _done(["crlutil", "-I", "-d", f"sql:{place}", "-i", str(file)])
        return place

    def _pyhanko(self, _: int, chain: Chain) -> str:
        loaded = [asn1_x509.Certificate.load(_der(each)) for each in chain.path]
        context = ValidationContext(
            trust_roots=loaded[-1:],
            other_certs=loaded[1:],
            crls=[asn1_crl.CertificateList.load(self._crl(each)) for each in chain.issuers],
            revocation_mode="require",
            moment=self._now,
            allow_fetching=False,
        )
        validator = CertificateValidator(loaded[0], validation_context=context)
        try:
            asyncio.run(validator.async_validate_path())
        except (PathError, ValidationError) as refused:
            return str(refused)
        return ""


def _java(folder: Path, count: int) -> Verdicts:
    """All chains of the folder in one JVM."""
    done = subprocess.run(
        ["java", "-XX:TieredStopAtLevel=1", "-Duser.language=en", str(_JAVA), folder],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    *refused, last = done.stdout.strip().splitlines() or [done.stderr]
    assert last == f"{count} chains", done.stdout + done.stderr
    return {int(number): why for number, _, why in (each.partition(": ") for each in refused)}


def _is_rsa(certificate: x509.Certificate) -> bool:
    return isinstance(certificate.public_key(), rsa.RSAPublicKey)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _pem(certificates: Sequence[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def _done(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)


def _failure(command: list[str], wanted: str = "") -> str:
    """All that was said, unless the program ended well and said what is wanted."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    good = done.returncode == 0 and wanted in done.stdout + done.stderr
    return "" if good else (done.stdout + done.stderr).strip() or f"exit code {done.returncode}"
