"""`tillid hsm` and `tillid doctor` on a whole installation, as processes of their own."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import ObjectClass

from ca.key_quality import spki_sha256
from hsm.errors import TokenNotFound
from hsm.module import load_module
from hsm.pins import new_pin_file
from hsm.softhsm import SoftHsmStore
from server.assembly import Assembly
from server.clock import utc_now
from server.doctor import examine
from server.own_certificates import ensure_staff_listener
from server.service import jobs_by_hand
from tests.support.command_line import tillid
from tests.support.imported_keys import put_key
from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm


@dataclass(frozen=True)
class Site:
    """An installation and how its command line is run."""

    parts: Assembly
    environment: Mapping[str, str]

    def run(self, *arguments: str, **other: str) -> tuple[int, dict[str, object]]:
        done = tillid(
            *arguments,
            "--json",
            directory=self.parts.settings.state,
            environment={**self.environment, **other},
        )
        answer = json.loads(done.stdout)
        assert done.stderr == ""
        return done.returncode, answer["result"]


@pytest.fixture(scope="module")
def site(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    state = tmp_path_factory.mktemp("verbs") / "state"
    environment = {
        "TILLID_STATE": str(state),
        "TILLID_HSM__SOFTHSM_DIRECTORY": str(softhsm.store.directory),
        "TILLID_REGISTERS__ADAPTER": "fake",
    }
    with an_installation(softhsm, state) as parts:
        jobs_by_hand(parts, ("own-certificates", "renew-crls", "seal-audit-log"))
        ensure_staff_listener(parts, utc_now())
        parts.vault.keys.make()
        parts.vault.seal(utc_now())
        yield Site(parts, environment)


def test_every_token_is_listed_with_its_keys(site: Site) -> None:
    code, result = site.run("hsm", "list")
    tokens = {each["token"]: each for each in result["tokens"]}  # type: ignore[attr-defined]
    assert code == 0
    assert list(tokens) == ["tillid-root", "tillid-issuing", "tillid-service"]
    (key,) = [key for key in tokens["tillid-issuing"]["keys"] if key["label"] == "issuing-ca"]
    demanded = ["CKA_SENSITIVE", "CKA_NEVER_EXTRACTABLE", "CKA_LOCAL"]
    assert key == {"label": "issuing-ca", "type": "EC", "attributes": demanded}


def test_a_token_that_is_not_there_is_listed_as_that(site: Site) -> None:
    code, result = site.run("hsm", "list", TILLID_HSM__ROOT_TOKEN="in-the-safe")
    assert code == 0
    assert {"token": "in-the-safe", "present": False, "keys": []} in result["tokens"]  # type: ignore[operator]


def test_every_key_is_used_once_and_stays_inside(site: Site) -> None:
    code, result = site.run("hsm", "verify")
    assert (code, result["faults"]) == (0, [])
    assert int(str(result["keys"])) >= 5


def test_a_root_in_the_safe_is_no_fault_and_a_missing_service_token_is_one(site: Site) -> None:
    code, _ = site.run("hsm", "verify", TILLID_HSM__ROOT_TOKEN="in-the-safe")
    assert code == 0
    code, result = site.run("hsm", "verify", TILLID_HSM__SERVICE_TOKEN="stolen")
    assert code == 9
    assert [fault["token"] for fault in result["faults"]] == ["stolen"]  # type: ignore[attr-defined]


def test_a_key_of_a_standby_may_have_been_brought_in(site: Site, softhsm: SoftHsm) -> None:
    standby = softhsm.token("verify-standby")
    put_key(standby, "issuing-ca", ec.generate_private_key(ec.SECP256R1()))
    used = {"TILLID_HSM__ISSUING_STANDBY": "verify-standby"}
    code, result = site.run("hsm", "verify", **used)
    assert (code, result["faults"]) == (0, [])
    code, result = site.run("hsm", "verify", TILLID_HSM__SERVICE_TOKEN="verify-standby")
    assert code == 9
    assert "CKA_NEVER_EXTRACTABLE" in str(result["faults"])


def test_a_login_says_where_the_pin_was_read_and_never_the_pin(
    site: Site, softhsm: SoftHsm
) -> None:
    code, result = site.run("hsm", "login")
    pin_file = softhsm.store.location("tillid-root").pin_file
    assert code == 0
    assert {"token": "tillid-root", "pin_from": str(pin_file), "fault": ""} in result["logins"]  # type: ignore[operator]
    assert pin_file.read_text() not in json.dumps(result)


def test_a_wrong_pin_is_a_no(site: Site, softhsm: SoftHsm) -> None:
    pin_file = softhsm.store.create_token("login-wrong").pin_file
    pin_file.write_text("not the PIN")
    code, result = site.run("hsm", "login", "login-wrong")
    assert code == 9
    assert "the token rejected the PIN" in str(result["logins"])
    assert "not the PIN" not in str(result["logins"])


def test_a_healthy_installation_is_told_so(site: Site) -> None:
    code, result = site.run("doctor")
    assert [finding for finding in result["findings"] if not finding["ok"]] == []  # type: ignore[attr-defined]
    assert (code, result["healthy"]) == (0, True)


@pytest.mark.parametrize("length", [0, 100])
def test_a_torn_token_object_is_found_and_put_back(
    site: Site, softhsm: SoftHsm, tmp_path: Path, length: int
) -> None:
    store = shutil.copytree(softhsm.store.directory, tmp_path / "softhsm")
    (copy,) = (store / "token-objects" / "tillid-issuing").iterdir()
    os.truncate(store / "tokens" / copy.name / "token.object", length)
    there = {"TILLID_HSM__SOFTHSM_DIRECTORY": str(store)}
    code, result = site.run("doctor", **there)
    assert code == 9
    assert "tillid-issuing" in str(result["findings"])
    assert site.run("doctor", "--fix", **there)[0] == 0
    assert site.run("doctor", **there)[0] == 0


@pytest.mark.parametrize(
    ("later", "failing"),
    [
        (timedelta(days=-2), {"clock"}),
        (timedelta(days=2), {"CRL issuing"}),
        (timedelta(days=3650), {"certificate, staff listener", "certificate, issuer issuing"}),
    ],
    ids=["clock set back", "CRL expired", "certificates expired"],
)
def test_what_time_breaks_is_found(site: Site, later: timedelta, failing: set[str]) -> None:
    findings = examine(site.parts.settings, utc_now() + later)
    assert failing <= {finding.check for finding in findings if not finding.ok}


def test_a_database_that_is_not_there_is_found(site: Site) -> None:
    code, result = site.run("doctor", TILLID_DATABASE__URL="sqlite:///nothing.sqlite")
    assert code == 9
    assert "database" in {f["check"] for f in result["findings"] if not f["ok"]}  # type: ignore[attr-defined]


def test_the_job_records_which_tokens_sign(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert jobs_by_hand(site.parts, ("check-tokens",)) == {"check-tokens": 0}
    assert set(site.parts.tokens.check_health().values()) == {None}
    gone = TokenNotFound("tillid-service")
    monkeypatch.setattr(type(site.parts.tokens), "_illness", lambda *_: gone)
    assert jobs_by_hand(site.parts, ("check-tokens",)) == {"check-tokens": 2}


def test_a_token_is_made_once_and_never_over_its_keys(site: Site, softhsm: SoftHsm) -> None:
    code, result = site.run("hsm", "init", "by-verb")
    assert (code, result["made"]) == (0, True)
    assert Path(str(result["pin_file"])).stat().st_mode & 0o077 == 0
    assert site.run("hsm", "init", "by-verb") == (0, {**result, "made": False})
    assert site.run("hsm", "init", "pkcs11:token=by-verb")[1]["made"] is False
    done = tillid(
        "hsm",
        "init",
        "tillid-issuing",
        directory=softhsm.store.directory,
        environment=site.environment,
    )
    assert done.returncode == 7
    assert "holds keys" in done.stderr


@pytest.mark.parametrize("name", ["Upper Case", "pkcs11:serial=1", "pkcs11:object=key"])
def test_a_token_is_not_made_under_a_name_that_is_none(site: Site, name: str) -> None:
    done = tillid(
        "hsm", "init", name, directory=site.parts.settings.state, environment=site.environment
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_pin_is_changed_under_a_process_that_is_logged_in(
    site: Site, softhsm: SoftHsm, tmp_path: Path
) -> None:
    store = SoftHsmStore(shutil.copytree(softhsm.store.directory, tmp_path / "softhsm"))
    there = {"TILLID_HSM__SOFTHSM_DIRECTORY": str(store.directory)}
    pin_file = store.location("tillid-service").pin_file
    old = pin_file.read_text()
    code, result = site.run("hsm", "rotate-pin", "tillid-service", **there)
    assert (code, result["pin_file"]) == (0, str(pin_file))
    assert pin_file.read_text() != old
    assert pin_file.read_text() not in json.dumps(result)
    assert site.run("hsm", "verify", **there)[0] == 0
    new_pin_file(pin_file).write_text("begun")
    code, result = site.run("doctor", **there)
    assert code == 9
    assert "rotate-pin tillid-service" in str(result["findings"])
    assert site.run("hsm", "rotate-pin", "tillid-service", **there)[0] == 0
    assert not new_pin_file(pin_file).exists()


def test_what_the_tokens_say_is_signed_and_can_be_verified(site: Site, tmp_path: Path) -> None:
    kept, public = tmp_path / "statement.txt", tmp_path / "audit.pem"
    code, result = site.run("hsm", "attest", "--out", str(kept))
    assert code == 0
    assert kept.read_text() == result["statement"]
    public.write_text(str(result["audit_key"]))
    tokens = {each["label"]: each for each in result["document"]["tokens"]}  # type: ignore[index]
    (key,) = [each for each in tokens["tillid-issuing"]["keys"] if each["label"] == "issuing-ca"]
    issuing = site.parts.issuing_record().certificate
    assert issuing is not None
    assert key["public_key_sha256"] == spki_sha256(issuing.public_key())  # type: ignore[arg-type]
    assert key["made_by"] == "CKM_EC_KEY_PAIR_GEN"
    assert key["flags"] == {
        "local": True,
        "sensitive": True,
        "always_sensitive": True,
        "extractable": False,
        "never_extractable": True,
    }
    assert "no attestation" in tokens["tillid-issuing"]["maker_attestation"]
    assert len(tokens["tillid-issuing"]["module"]["sha256"]) == 64
    code, result = site.run("hsm", "attest", "--verify", str(kept))
    assert (code, result["differences"]) == (0, [])
    assert site.run("hsm", "attest", "--verify", str(kept), "--key", str(public))[0] == 0


def test_a_key_that_is_gone_since_is_a_no(site: Site, softhsm: SoftHsm, tmp_path: Path) -> None:
    kept = tmp_path / "statement.txt"
    token = softhsm.token("attested")
    token.generate_ec_key("short-lived", ec.SECP256R1())
    assert site.run("hsm", "attest", "attested", "--out", str(kept))[0] == 0
    slot = load_module(token.location.module).token("attested")
    with slot.open(rw=True) as session:
        session.get_key(label="short-lived", object_class=ObjectClass.PRIVATE_KEY).destroy()
    code, result = site.run("hsm", "attest", "--verify", str(kept))
    assert code == 9
    assert result["differences"] == ["Token attested: key short-lived is gone or has changed."]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"local":true', '"local":null', 1),
        lambda text: text.replace("tillid token", "another", 1),
        lambda text: text[:-20] + "\n",
        lambda _: "",
        lambda _: "[" * 100_000 + "\nAAAA\n",
    ],
)
def test_a_statement_that_was_changed_is_refused(
    site: Site, tmp_path: Path, change: Callable[[str], str]
) -> None:
    _, result = site.run("hsm", "attest", "tillid-service")
    kept = tmp_path / "statement.txt"
    kept.write_text(change(str(result["statement"])))
    done = tillid(
        "hsm", "attest", "--verify", str(kept), directory=tmp_path, environment=site.environment
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--key", "FILE"], ["--verify", "FILE", "tillid-root"], ["--verify", "FILE", "--out", "x"]],
)
def test_options_that_do_not_go_together_are_refused(
    site: Site, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "FILE").write_text("")
    done = tillid("hsm", "attest", *arguments, directory=tmp_path, environment=site.environment)
    assert done.returncode == 2
