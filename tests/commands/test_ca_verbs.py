"""`tillid ca`: the verbs by which an operator makes, renews, certifies and retires authorities."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from commands.exit_codes import ExitCode
from server.assembly import Assembly
from tests.support.hierarchy import ForeignRoot, a_request
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.softhsm import SoftHsm

TOKENS = {"TILLID_HSM__ROOT_TOKEN": "verbs-root", "TILLID_HSM__ISSUING_TOKEN": "verbs-issuing"}
NAMED = ("--organisation", "Tillid Test", "--common-name", "Servers CA")


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path / "state", **TOKENS) as made:
        yield made


@pytest.fixture
def tillid(
    parts: Assembly,
    softhsm: SoftHsm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    environment = environment_of(softhsm, parts.settings.state) | TOKENS
    return Operator(environment, capsys, monkeypatch)


def create(tillid: Operator, *more: object) -> dict[str, object]:
    given = ("--parent", "root", "--issue-profile", "tls-server", "--online", *NAMED)
    return tillid("ca", "create", "servers", *given, *more).result


def a_certificate(tillid: Operator, folder: Path, *more: object) -> x509.Certificate:
    request, out = folder / "web.csr", folder / "web.pem"
    a_request(request, "/CN=web.example")
    given = ("--profile", "tls-server", "--csr", request, "--host", "web.example", "--out", out)
    assert tillid("cert", "issue", *given, *more).code == 0
    return x509.load_pem_x509_certificate(out.read_bytes())


def test_a_further_authority_signs_when_it_is_named(tillid: Operator, tmp_path: Path) -> None:
    create(tillid)
    assert "Issuing CA" in a_certificate(tillid, tmp_path).issuer.rfc4514_string()
    named = a_certificate(tillid, tmp_path, "--issuer", "servers")
    assert "Servers CA" in named.issuer.rfc4514_string()
    listed = tillid("ca", "list").result["issuers"]
    assert [each["name"] for each in listed] == ["root", "issuing", "servers"]
    shown = tillid("ca", "show", "servers").result
    assert shown["profiles"] == ["tls-server"]
    assert shown["state"] == "active"
    code, said, _ = tillid.told("ca", "show", "servers")
    assert code == 0
    assert "It stands under root" in said
    assert "It may issue tls-server." in said


def test_an_authority_that_is_not_there_is_not_found(tillid: Operator, tmp_path: Path) -> None:
    a_request(tmp_path / "web.csr", "/CN=web.example")
    given = ("--profile", "tls-server", "--csr", tmp_path / "web.csr", "--host", "web.example")
    ended = tillid("cert", "issue", *given, "--out", tmp_path / "x.pem", "--issuer", "nobody")
    assert ended.code == ExitCode.NOT_FOUND
    assert not (tmp_path / "x.pem").exists()
    for verb in ("renew", "show"):
        assert tillid("ca", verb, "nobody").code == ExitCode.NOT_FOUND


def test_without_the_roots_token_the_verb_says_how_to_bring_it(tillid: Operator) -> None:
    for words in (
        ("ca", "create", "servers", "--parent", "root", *NAMED),
        ("ca", "rekey", "issuing", "--yes"),
        ("ca", "renew", "issuing"),
        ("ca", "create", "second", "--profile", "root", "--key", "EC-P384", *NAMED),
    ):
        ended = tillid(*words)
        assert ended.code == ExitCode.UNAVAILABLE
        assert "--online" in ended.problem["way_out"]
    assert len(tillid("ca", "list").result["issuers"]) == 2


def test_a_configuration_that_cannot_be_is_refused(tillid: Operator) -> None:
    create(tillid)
    for words, code in (
        (("--issue-profile", "nothing"), ExitCode.REFUSED),
        (("--crl-validity-hours", "4"), ExitCode.USAGE),
        (("--crl-validity-hours", "4", "--crl-margin-hours", "4"), ExitCode.USAGE),
        (("--issue-profile", "device", "--issue-profile", "device"), ExitCode.USAGE),
        (("--crl-colour", "red"), ExitCode.USAGE),
    ):
        assert tillid("ca", "configure", "servers", *words).code == code
    assert tillid("ca", "show", "servers").result["profiles"] == ["tls-server"]
    given = ("--issue-profile", "device", "--crl-validity-hours", "4", "--crl-margin-hours", "2")
    assert tillid("ca", "configure", "servers", *given).code == 0
    shown = tillid("ca", "show", "servers").result
    assert (shown["profiles"], shown["crl_validity_hours"]) == (["device"], 4)


def test_a_new_key_signs_from_then_on_and_the_old_one_can_be_retired(
    tillid: Operator, parts: Assembly, tmp_path: Path
) -> None:
    a_certificate(tillid, tmp_path)
    tillid("ca", "rekey", "issuing", "--online", "--yes")
    after = a_certificate(tillid, tmp_path)
    new = parts.issuers.get("issuing-2").certificate
    assert new is not None
    after.verify_directly_issued_by(new)
    refused = tillid("ca", "retire", "issuing", "--yes")
    assert refused.code == ExitCode.REFUSED
    assert refused.problem["rule"].startswith("issuer.retirement")
    done = tillid("ca", "retire", "issuing", "--revoke", "--yes").result["steps"]
    assert done[-1]["done"] == "key issuing-ca destroyed in verbs-issuing"
    shown = tillid("ca", "show", "issuing").result
    assert shown["state"] == "retired"
    assert shown["key_destroyed_at"]
    assert tillid("ca", "retire", "issuing", "--yes").code == 0


def test_a_retirement_is_confirmed_by_the_name(
    tillid: Operator, parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.prompt", lambda *_, **__: "yes")
    assert tillid.told("ca", "retire", "issuing", "--revoke")[0] != 0
    assert parts.issuers.get("issuing").state == "active"


def test_a_foreign_root_certifies_and_is_certified(tillid: Operator, tmp_path: Path) -> None:
    assert tillid("ca", "create", "partner", "--external", *NAMED).code == 0
    assert "waits for its certificate" in tillid.told("ca", "list")[1]
    request, made = tmp_path / "partner.csr", tmp_path / "partner.pem"
    assert tillid("ca", "request", "partner", "--out", request).code == 0
    foreign = ForeignRoot(tmp_path / "foreign").make()
    foreign.certify(request, made)
    words = ("ca", "install", "partner", "--certificate", made, "--yes")
    assert tillid(*words).code == ExitCode.REFUSED
    assert tillid(*words, "--chain", foreign.certificate).code == 0
    assert tillid(*words[:4], tmp_path / "none.pem", "--yes").code == ExitCode.NOT_FOUND
    assert tillid(*words[:4], request, "--yes").code == ExitCode.USAGE
    crossed = tmp_path / "cross.pem"
    given = ("--request", foreign.certificate, "--out", crossed)
    assert tillid("ca", "cross", "root", *given).code == ExitCode.UNAVAILABLE
    assert not crossed.exists()
    assert tillid("ca", "cross", "root", *given, "--online").code == 0
    assert b"BEGIN CERTIFICATE" in crossed.read_bytes()
    every = tmp_path / "every.pem"
    exported = tillid("ca", "export", "partner", "--out", every).result["certificates"]
    assert [each["kind"] for each in exported] == ["own"]


def test_a_roots_crl_is_made_when_its_token_is_brought(tillid: Operator, parts: Assembly) -> None:
    (under_root,) = parts.certificates.find(issuer="root", profile="issuing")
    place = f"root/{under_root.serial_number.hex}"
    tillid("cert", "revoke", place, "--reason", "superseded", "--yes")
    tillid("crl", "issue")
    numbers = [each["number"] for each in tillid("crl", "list").result["crls"]]
    assert numbers == [1, 1]
    assert tillid("crl", "issue", "--online").result["issued"] == 1
    numbers = [each["number"] for each in tillid("crl", "list").result["crls"]]
    assert numbers == [2, 1]
