"""`tillid cert issue` from a request file: what works, and that a refusal leaves nothing behind."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.outsiders import RelyingParty
from tests.support.service import Service
from tests.support.workshop import Workshop, rows

# Made once by `openssl req -new -newkey rsa:512 -nodes -subj /CN=web.example`.
WEAK_KEY = """-----BEGIN CERTIFICATE REQUEST-----
MIHPMHsCAQAwFjEUMBIGA1UEAwwLd2ViLmV4YW1wbGUwXDANBgkqhkiG9w0BAQEF
AANLADBIAkEA2Ga2MJ3yicdQ3DMJy8xt3Xg894kcWB5oXg1QNfNq+wWUJO/NkGuW
Cbl0u+KZ/AQ7kl40h9h8qBa2KPcSiar9+QIDAQABoAAwDQYJKoZIhvcNAQELBQAD
QQCYJbAtiTMtge0giV3JCHzjYh9lIyNd2qcXz17HeXGLwu1sxBhjfkNr2ut/gGQ5
IPKN0pV0GGPb16p3DXNINoi7
-----END CERTIFICATE REQUEST-----
"""


@pytest.fixture(scope="session")
def machine(workshop: Workshop) -> Iterator[Service]:
    """An installation whose service does not run."""
    with workshop.empty() as service:
        yield service


def a_request(host: str = "web.example", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> bytes:
    key = ec.generate_private_key(curve())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(names, critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def with_bad_signature() -> bytes:
    request = x509.load_pem_x509_csr(a_request())
    octets = bytearray(request.public_bytes(Encoding.DER))
    at = octets.rindex(request.signature)
    octets[at + 8] ^= 1
    return bytes(octets)


@dataclass(frozen=True)
class Refusal:
    """A command line that is refused: what is asked, the exit code, and a word of the sentence."""

    code: int
    word: str
    request: Callable[[], bytes] | None = a_request
    profile: str = "tls-server"
    csr: str = "web.csr"
    out: str = "web.pem"
    host: str | None = None


REFUSALS = {
    "junk": Refusal(2, "not a PKCS#10 request", lambda: b"\x00\xff junk \x1b[31m"),
    "an empty file": Refusal(2, "it is empty", lambda: b""),
    "a missing file": Refusal(3, "There is no file", None),
    "a directory": Refusal(2, "Is a directory", csr="."),
    "a signature of nobody": Refusal(4, "not signed by the key", with_bad_signature),
    "a key of 512 bits": Refusal(4, "512 bits", WEAK_KEY.encode),
    "a key that its profile does not take": Refusal(
        4, "EC-P521 is not allowed", lambda: a_request(curve=ec.SECP521R1)
    ),
    "an address with a zone": Refusal(4, "neither a host name", host="fe80::1%eth0"),
    "a long host name alone": Refusal(4, "64 octets", host=f"{'a' * 60}.example"),
    "an unknown profile": Refusal(3, "There is no profile nothing", profile="nothing"),
    "a profile of persons": Refusal(4, "names a person", profile="natural-person-substantial"),
    "a directory for the result": Refusal(2, "is a directory", out="."),
    "a result in no folder": Refusal(2, "Nothing can be written", out="nowhere/web.pem"),
    "a file for a folder": Refusal(2, "Nothing can be written", out="web.csr/web.pem"),
    "a result that only the kernel writes": Refusal(2, "cannot be written", out="/proc/version"),
}


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_request_is_one_sentence_and_leaves_nothing(
    machine: Service,
    tmp_path: Path,
    refusal: Refusal,
    as_json: bool,  # noqa: FBT001 - a case
) -> None:
    if refusal.request is not None:
        (tmp_path / "web.csr").write_bytes(refusal.request())
    before = (set(tmp_path.iterdir()), recorded(machine))
    arguments = ["--profile", refusal.profile, "--csr", str(tmp_path / refusal.csr)]
    arguments += ["--out", str(tmp_path / refusal.out), *(["--json"] if as_json else [])]
    arguments += [] if refusal.host is None else ["--host", refusal.host]
    done = machine.tillid("cert", "issue", *arguments)

    assert done.returncode == refusal.code, done.stderr
    if as_json:
        document = json.loads(done.stdout)
        assert done.stderr == ""
        assert document["ok"] is False
        assert document["problem"]["way_out"]
        detail = document["problem"]["detail"]
    else:
        assert done.stdout == ""
        detail, *rest = done.stderr.splitlines()
        assert 1 <= len(rest) <= 2
        assert rest[:-1] == [line for line in rest if line.startswith("Rule: ")]
    assert refusal.word in detail
    assert detail.endswith(".")
    assert "Traceback" not in done.stdout + done.stderr
    assert (set(tmp_path.iterdir()), recorded(machine)) == before


def recorded(service: Service) -> list[tuple[int]]:
    return [
        *rows(service, "SELECT count(*) FROM certificate"),
        *rows(service, "SELECT count(*) FROM audit_event"),
    ]


def test_a_server_certificate_from_a_file_verifies(workshop: Workshop, tmp_path: Path) -> None:
    with workshop.empty() as service:
        service.start()
        party = RelyingParty(service, tmp_path)
        (tmp_path / "web.csr").write_bytes(a_request("web.example"))
        out = tmp_path / "web.pem"
        said = service.verb(
            *("cert", "issue", "--profile", "tls-server"),
            *("--csr", str(tmp_path / "web.csr"), "--out", str(out)),
        )
        party.fetch()
        certificate = x509.load_pem_x509_certificate(out.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)

        assert said["out"] == str(out)
        assert int(said["serial_number"], 16) == certificate.serial_number
        assert names.value.get_values_for_type(x509.DNSName) == ["web.example"]
        assert party.openssl_verify(out).said == f"{out}: OK\n"
        assert f"{out}: good" in party.openssl_ocsp("-cert", str(out)).said


def test_a_result_that_finds_no_room_is_told_with_its_serial(
    machine: Service, tmp_path: Path
) -> None:
    (tmp_path / "web.csr").write_bytes(a_request())
    arguments = ["--profile", "tls-server", "--csr", str(tmp_path / "web.csr")]
    done = machine.tillid("cert", "issue", *arguments, "--out", "/dev/full")
    sentence, way_out = done.stderr.splitlines()
    name = sentence.split()[1]

    assert done.returncode == 8
    assert sentence.endswith("but /dev/full does not take it: No space left on device.")
    assert name in way_out
    assert machine.verb("cert", "status", name)["status"] == "good"
