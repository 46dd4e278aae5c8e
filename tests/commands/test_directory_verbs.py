"""`tillid directory`: what an operator is told, and can do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ca.identifiers import IssuerName, SerialNumber
from commands.exit_codes import ExitCode
from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory
from records.officers import Role
from server.assembly import Assembly
from server.clock import utc_now
from tests.support.directory_certificates import Published, an_entry
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.set_aside import set_aside
from tests.support.slapd import ldapsearch, own_slapd
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer, certified

__all__ = ["own_slapd"]

SETTINGS = """
[directories.main]
url = "{slapd.url}"
base_dn = "{slapd.suffix}"
bind_dn = "{slapd.admin_dn}"
password_file = "{slapd.password_file}"
timeout_seconds = 1
processor = "this machine"
region = "EU"
"""


@pytest.fixture
def parts(softhsm: SoftHsm, own_slapd: PrivateSlapd, tmp_path: Path) -> Iterator[Assembly]:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "tillid.toml").write_text(SETTINGS.format(slapd=own_slapd))
    with an_installation(softhsm, state) as made:
        yield made


@pytest.fixture
def tillid(
    parts: Assembly,
    softhsm: SoftHsm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    return Operator(environment_of(softhsm, parts.settings.state), capsys, monkeypatch)


def a_person(parts: Assembly) -> SerialNumber:
    """Somebody with a certificate, who consented to its publication."""
    vetting = an_officer(parts, Role.REGISTRATION_OFFICER)
    approving = an_officer(parts, Role.APPROVING_OFFICER)
    application = certified(parts, vetting.officer, approving, published=True)
    (record,) = parts.certificates.find(application_id=application.id)
    return record.serial_number


def test_a_directory_is_published_compared_and_mended_by_hand(
    parts: Assembly, tillid: Operator, own_slapd: PrivateSlapd
) -> None:
    serial = a_person(parts)
    issuer = parts.issuers.get("issuing").subject
    assert tillid("directory", "queue").result["tasks"][0]["action"] == "publish"
    assert tillid("directory", "publish").code == ExitCode.DONE
    assert tillid("directory", "diff", "main").code == ExitCode.DONE
    (listed,) = tillid("directory", "list").result["directories"]
    assert (listed["processor"], listed["region"]) == ("this machine", "EU")

    with Directory(own_slapd.settings()) as other:
        other.remove_certificate(None, issuer, serial)
        other.add_certificate(an_entry(), Published(issuer=issuer).der)
    differs = tillid("directory", "diff")
    assert differs.code == ExitCode.CHECK_SAYS_NO
    (found,) = differs.result["directories"]
    assert {kind for kind, count in found["counts"].items() if count} == {"missing", "ended"}
    assert tillid("directory", "repair", "--dry-run").code == ExitCode.CHECK_SAYS_NO
    assert tillid("directory", "diff").code == ExitCode.CHECK_SAYS_NO

    mended = tillid("directory", "repair")
    assert (mended.code, mended.result["mended"]) == (ExitCode.DONE, 2)
    tillid("directory", "publish", "main")
    assert tillid("directory", "diff").code == ExitCode.DONE


def test_a_directory_that_is_added_later_gets_what_is_public_already(
    parts: Assembly, tillid: Operator, own_slapd: PrivateSlapd
) -> None:
    serial = a_person(parts)
    tillid("directory", "publish")
    later = SETTINGS.format(slapd=own_slapd).replace("main", "later")
    # Of the same server: what counts is what was asked of the directory by this name.
    with (parts.settings.state / "tillid.toml").open("a") as settings:
        settings.write(later)
    differs = tillid("directory", "diff", "later")
    assert (differs.code, differs.result["absent"]) == (ExitCode.CHECK_SAYS_NO, {"later": 1})
    planned = tillid("directory", "publish", "later", "--all", "--dry-run")
    assert planned.result == {"absent": {"later": 1}, "waiting": {"later": 0}}
    assert tillid("directory", "diff", "later").code == ExitCode.CHECK_SAYS_NO
    filled = tillid("directory", "publish", "later", "--all")
    assert (filled.code, filled.result["asked"]) == (ExitCode.DONE, {"later": 1})
    states = parts.publications.of_certificate(IssuerName("issuing"), serial)
    assert {one.directory: one.state for one in states} == {
        "main": "published",
        "later": "published",
    }
    assert tillid("directory", "publish", "later", "--all").result["asked"] == {"later": 0}
    assert tillid("directory", "diff", "later").code == ExitCode.DONE


def test_what_was_set_aside_is_told_tried_again_or_given_up(
    parts: Assembly, tillid: Operator
) -> None:
    a_person(parts)
    (task,) = (one.id for one in parts.directory_desk.waiting("main"))
    set_aside(parts.publications, task, utc_now())
    assert tillid("directory", "publish").code == ExitCode.PARTLY_DONE
    code, said, _ = tillid.told("directory", "queue", "--set-aside")
    assert code == ExitCode.DONE
    assert "objectClassViolation" in said
    assert tillid("directory", "retry", "main", str(task)).result == {"due": 1}
    assert tillid("directory", "queue", "--set-aside").result["tasks"] == []
    assert tillid("directory", "discard", "main", str(task)).code == ExitCode.DONE
    assert tillid("directory", "queue").result["tasks"][0]["action"] == "withdraw"
    assert tillid("directory", "discard", "main", str(task)).code == ExitCode.CONFLICT
    assert tillid("directory", "publish").code == ExitCode.DONE


MISSING = {
    ("diff", "south"): ExitCode.NOT_FOUND,
    ("publish", "south"): ExitCode.NOT_FOUND,
    ("retry", "south"): ExitCode.NOT_FOUND,
    ("retry", "main", "99"): ExitCode.NOT_FOUND,
    ("discard", "main", "99"): ExitCode.NOT_FOUND,
    ("discard", "main", "x"): ExitCode.USAGE,
}


def test_what_is_not_there_is_not_found(tillid: Operator) -> None:
    assert {each: tillid("directory", *each).code for each in MISSING} == MISSING


def test_a_directory_that_is_down_is_a_dependency_that_is_down(
    tillid: Operator, own_slapd: PrivateSlapd
) -> None:
    own_slapd.stop()
    assert tillid("directory", "diff").code == ExitCode.UNAVAILABLE


def seen(tillid: Operator) -> dict[str, bool]:
    findings = tillid("doctor").result["findings"]
    return {one["check"]: one["ok"] for one in findings if "director" in one["check"]}


def test_the_doctor_looks_at_directories(
    parts: Assembly, tillid: Operator, own_slapd: PrivateSlapd
) -> None:
    checks = ("processors of directories", "directory main", "queue of directory main")
    a_person(parts)
    (task,) = (one.id for one in parts.directory_desk.waiting("main"))
    set_aside(parts.publications, task, utc_now())
    before = ldapsearch(own_slapd, "(objectClass=*)", scope="base")
    assert seen(tillid) == dict(zip(checks, (True, True, False), strict=True))
    assert ldapsearch(own_slapd, "(objectClass=*)", scope="base") == before
    own_slapd.stop()
    parts.settings.controller.processors_file.unlink()
    assert seen(tillid) == dict(zip(checks, (False, False, False), strict=True))
    refused = tillid("directory", "list")
    assert refused.code == ExitCode.USAGE
