"""`tillid hsm` and `tillid doctor` on a whole installation, as processes of their own."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from hsm.errors import TokenNotFound
from server.assembly import Assembly
from server.clock import utc_now
from server.doctor import examine
from server.own_certificates import ensure_staff_listener
from server.service import jobs_by_hand
from tests.support.command_line import tillid
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
    site.parts.tokens.wrapping_key()
    code, result = site.run("hsm", "verify")
    assert (code, result["faults"]) == (0, [])
    assert int(str(result["keys"])) >= 5


def test_a_root_in_the_safe_is_no_fault_and_a_missing_service_token_is_one(site: Site) -> None:
    code, _ = site.run("hsm", "verify", TILLID_HSM__ROOT_TOKEN="in-the-safe")
    assert code == 0
    code, result = site.run("hsm", "verify", TILLID_HSM__SERVICE_TOKEN="stolen")
    assert code == 9
    assert [fault["token"] for fault in result["faults"]] == ["stolen"]  # type: ignore[attr-defined]


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


def test_a_lost_token_object_is_found_and_put_back(
    site: Site, softhsm: SoftHsm, tmp_path: Path
) -> None:
    store = shutil.copytree(softhsm.store.directory, tmp_path / "softhsm")
    (copy,) = (store / "token-objects" / "tillid-issuing").iterdir()
    os.truncate(store / "tokens" / copy.name / "token.object", 0)
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
