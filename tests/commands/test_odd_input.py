"""Input that nobody expects at a verb: one sentence, the right exit code, and nothing changed."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from records.audit_log import audit_log
from server.assembly import Assembly
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.hierarchy import ForeignRoot
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.request_builders import a_request
from tests.support.softhsm import SoftHsm

LONG = "x" * 256
NAMED = ("--organisation", "A", "--common-name", "B")
NOWHERE = "pkcs11:foo"
ISSUE = ("cert", "issue", "--profile", "tls-server")
IMPORT = ("ca", "import", "old", "--certificates", ".", "--certificate")
GENERATE = ("cert", "generate", "--profile", "tls-server", "--host", "a.example")
CROSS = ("ca", "cross", "root", "--online", "--request", "root.pem", "--out", "them.pem")


@dataclass(frozen=True)
class Office:
    parts: Assembly
    environment: dict[str, str]

    def size(self) -> tuple[int, int]:
        """How much was certified and told."""
        with audit_log(self.parts.database) as log:
            return len(self.parts.certificates.find()), sum(1 for _ in log.entries(0))


@pytest.fixture(scope="module")
def office(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    state = tmp_path_factory.mktemp("office") / "state"
    with an_installation(softhsm, state) as parts:
        run_job("own-certificates", parts, Metrics.of_process())
        yield Office(parts, environment_of(softhsm, state))


@pytest.fixture
def tillid(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    return Operator(office.environment, capsys, monkeypatch)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder one works in, with the odd files and some good ones."""
    folder = tmp_path / "desk"
    ForeignRoot(folder).make()
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "web.csr").write_bytes(a_request(key, [x509.DNSName("web.example")]))
    (folder / "deep.toml").write_text(f"name = {'[' * 5000}{']' * 5000}\n")
    (folder / "digits.toml").write_text(f"validity_days = {'9' * 5000}\n")
    monkeypatch.chdir(folder)
    return folder


@contextmanager
def half_a_gibibyte_more() -> Iterator[None]:
    """Whoever reads a file without end gets a MemoryError, and the machine stays as it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    used = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("profile", "check", "deep.toml"), 2, "1 fault"),
        (("profile", "check", "digits.toml"), 2, "1 fault"),
        ((*CROSS, "--profile", "deep.toml"), 2, "1 fault"),
        ((*CROSS, "--profile", "digits.toml"), 2, "1 fault"),
        (("cert", "show", LONG), 2, "neither a file nor ISSUER/SERIAL"),
        (("cert", "status", f"issuing/{LONG}"), 2, "neither a file nor ISSUER/SERIAL"),
        (("cert", "revoke", LONG, "--reason", "superseded", "--yes"), 2, "neither a file"),
        (("cert", "hold", LONG, "--cause", "key-lost"), 2, "neither a file"),
        (("cert", "release", LONG), 2, "neither a file"),
        (("cert", "show", "/proc/self/mem"), 2, "cannot be read: Input/output error"),
        (("cert", "show", "web.csr"), 2, "not an X.509 certificate"),
        (("cert", "verify", "root.pem", "--at", "0001-01-01T00:00:00+14:00"), 2, "the year 1"),
        (("cert", "verify", "root.pem", "--at", "9999-12-31T23:59:59-14:00"), 2, "9999"),
        (("ca", "create", "new", *NAMED, "--token", NOWHERE), 2, "no PKCS#11 URI of a token"),
        (("ca", "create", "new", *NAMED, "--token", "nosuch"), 3, "There is no token nosuch."),
        ((*IMPORT, "root.pem", "--token", NOWHERE, "--key-label", "k"), 2, "no PKCS#11 URI"),
        ((*IMPORT, "root.pem", "--token", "nosuch", "--key-label", "k"), 3, "no token nosuch"),
        (("ceremony", "unlock", NOWHERE), 2, "no PKCS#11 URI of a token"),
        (("ceremony", "unlock", "nosuch"), 3, "There is no token nosuch."),
        (("backup", "new-key", "--out", LONG), 2, "File name too long"),
        (("backup", "new-key", "--out", "none/key"), 2, "Nothing can be written in none"),
        (("backup", "create", LONG, "--key", "root.pem"), 2, "File name too long"),
        (("audit", "export", "--package", LONG, "--identity", "root.pem"), 2, "too long"),
        (("static-files", "publish", LONG), 2, "File name too long"),
        (("static-files", "publish", "root.pem/a"), 8, "does not take it: Not a directory"),
        (("hsm", "attest", "nosuch"), 3, "There is no token nosuch."),
        (("hsm", "rotate-pin", "nosuch"), 3, "There is no token nosuch."),
        (("hsm", "rotate-pin", "pkcs11:token=nosuch"), 3, "There is no token nosuch."),
        ((*GENERATE, "--out", "a.p12", "--password-file", "/dev/zero"), 2, "longer than 4,096"),
        ((*ISSUE, "--csr", "/dev/zero", "--out", "-"), 2, "longer than 16,384 octets"),
        ((*ISSUE, "--csr", "web.csr", "--out", "web.csr"), 2, "would be overwritten"),
        ((*ISSUE, "--csr", "web.csr", "--out", "./../desk/web.csr"), 2, "would be overwritten"),
        (("cert", "verify", "/dev/zero"), 2, "longer than"),
        (("cert", "lint", "/dev/zero"), 2, "longer than"),
        (("crl", "verify", LONG), 3, "There is no"),
        (("crl", "show", LONG), 3, "There is no"),
        ((*ISSUE, "--csr", "web.csr", "--out", LONG), 2, "File name too long"),
        ((*IMPORT, "/dev/zero", "--dry-run"), 2, "longer than"),
        ((*IMPORT, "root.pem", "--crl", "/dev/zero", "--dry-run"), 2, "longer than"),
        (("ca", "cross", "issuing", "--request", "/dev/zero", "--out", "b.pem"), 2, "longer than"),
        (("profile", "check", "/dev/zero"), 2, "longer than 67,108,864 octets"),
        (("policy", "check", "/dev/zero"), 2, "longer than"),
        (("backup", "create", "b", "--key", "/dev/null"), 4, "does not hold 32 octets"),
        (("officer", "sign-in", "--identity", "/dev/zero"), 2, "/dev/zero"),
    ],
    ids=lambda each: " ".join(each)[:60] if isinstance(each, tuple) else None,
)
@pytest.mark.usefixtures("desk")
def test_it_is_one_sentence_and_changes_nothing(
    office: Office, tillid: Operator, arguments: tuple[str, ...], code: int, says: str
) -> None:
    before = office.size()
    with half_a_gibibyte_more():
        ended = tillid(*arguments)
    assert (ended.code, ended.problem["type"] == "/problems/unforeseen") == (code, False)
    assert says in ended.problem["detail"]
    assert ended.problem["way_out"]
    assert office.size() == before


def test_a_crl_without_end_is_none(tillid: Operator) -> None:
    with half_a_gibibyte_more():
        ended = tillid("backup", "relearn", "--crl", "/dev/zero")
    assert ended.code == 2
    assert "/dev/zero is no full CRL" in ended.problem["detail"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("ca", "export", "issuing"),
        ("ca", "request", "issuing"),
        ("hsm", "attest", "tillid-issuing"),
        ("ropa",),
        ("audit", "export"),
        CROSS[:-2],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("desk")
def test_a_result_that_finds_no_room_is_told(
    office: Office, tillid: Operator, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ended = tillid(*arguments, "--out", "/dev/full")
    assert (ended.code, ended.problem["type"]) == (8, "/problems/unwritten")
    told = ended.problem["detail"]
    assert told.endswith("but /dev/full does not take it: No space left on device.")
    if arguments[1:2] == ("cross",):  # it can be fetched
        place = told.split()[1]
        assert place in ended.problem["way_out"]
        out = tmp_path / "cross.pem"
        assert tillid("cert", "export", place, "--out", out).code == 0
        assert x509.load_pem_x509_certificate(out.read_bytes()).issuer == (
            office.parts.issuers.get("root").subject
        )


def test_a_certificate_is_found_by_its_der(tillid: Operator, desk: Path) -> None:
    assert tillid(*ISSUE, "--csr", "web.csr", "--out", "web.pem").code == 0
    issued = x509.load_pem_x509_certificate((desk / "web.pem").read_bytes())
    (desk / "web.der").write_bytes(issued.public_bytes(Encoding.DER))
    assert tillid("cert", "show", "web.der").result["status"] == "issued"
    assert tillid("cert", "status", "web.der").code == 0
    assert tillid("cert", "export", "web.der", "--out", "again.pem").code == 0
    revoked = tillid("cert", "revoke", "web.der", "--reason", "superseded", "--yes")
    assert revoked.result["status"] == "revoked"
    assert tillid("cert", "status", "web.der").code == 9


def test_a_pin_in_a_uri_is_not_said_again(tillid: Operator) -> None:
    code, out, err = tillid.told("hsm", "login", "pkcs11:token=tillid-issuing?pin-value=271828")
    assert (code, out) == (2, "")
    assert "pin-source" in err
    assert "271828" not in err
