"""`tillid status`: one look at what relying parties are told, and an exit code that says enough."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ca.identifiers import SerialNumber
from records.officers import Role
from records.visibility import Channel
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path / "state") as found:
        for job in ("own-certificates", "renew-crls", "ocsp-responses", "seal-audit-log"):
            run_job(job, found, Metrics.of_process())
        yield found


@pytest.fixture
def tillid(
    parts: Assembly,
    softhsm: SoftHsm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    return Operator(environment_of(softhsm, parts.settings.state), capsys, monkeypatch)


def test_when_all_is_well_it_ends_with_0_and_shows_every_issuer(tillid: Operator) -> None:
    ended = tillid("status")
    assert (ended.code, ended.result["alarms"]) == (0, [])
    rows = {row["issuer"]: row for row in ended.result["issuers"]}
    assert set(rows) == {"root", "issuing"}
    issuing = rows["issuing"]
    assert (issuing["state"], issuing["crl_number"], issuing["unseen"]) == ("active", 1, {})
    assert 0 <= issuing["crl_age"] < 60
    assert 0 <= issuing["ocsp_answers_age"] < 60
    assert ended.result["visible_seconds"] == {"crl": None, "ocsp": None, "directory": None}
    code, out, _ = tillid.told("status")
    assert (code, "No alarm is on." in out) == (0, True)


def test_a_change_that_is_not_seen_yet_waits(tillid: Operator, parts: Assembly) -> None:
    revoked(parts, timedelta(seconds=20))
    waiting = tillid("status")
    assert waiting.code == 0
    (issuing,) = (row for row in waiting.result["issuers"] if row["issuer"] == "issuing")
    assert issuing["unseen"] == {"crl": 1, "ocsp": 1}


def revoked(parts: Assembly, ago: timedelta) -> None:
    serial = SerialNumber(an_officer(parts, Role.AUDITOR).certificate.serial_number)
    issuer = parts.issuing_record().name
    parts.statuses.revoke(issuer, serial, Reason.SUPERSEDED, "system:operator", utc_now() - ago)


def test_an_alarm_ends_it_with_9_and_a_way_out(
    tillid: Operator, parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLID_ALARMS__PUBLICATION_SECONDS", "5")
    revoked(parts, timedelta(seconds=20))
    ended = tillid("status")
    assert ended.code == 9
    found = {(alarm["name"], alarm["subject"]) for alarm in ended.result["alarms"]}
    assert found == {
        ("PUBLICATION_OVERDUE", "crl.issuing"),
        ("PUBLICATION_OVERDUE", "ocsp.issuing"),
    }
    assert all(alarm["way_out"] for alarm in ended.result["alarms"])
    code, out, _ = tillid.told("status")
    assert (code, out.count("ALARM PUBLICATION_OVERDUE")) == (9, 2)


def test_the_seconds_to_visible_are_shown_for_the_time_that_is_asked_for(
    tillid: Operator, parts: Assembly
) -> None:
    revoked(parts, timedelta(seconds=4))
    unseen = parts.visible.unseen(parts.issuing_record().name, Channel.CRL)
    assert unseen is not None
    parts.visible.see(unseen, Channel.CRL, unseen.since + timedelta(seconds=3))
    found = tillid("status", "--hours", 1).result["visible_seconds"]
    assert found["crl"] == {"changes": 1, "p50": 3.0, "p99": 3.0, "worst": 3.0}
    assert found["ocsp"] is None
    assert "crl: 1 changes seen in 1 hours, p50 3.0 s" in tillid.told("status", "--hours", 1)[1]
