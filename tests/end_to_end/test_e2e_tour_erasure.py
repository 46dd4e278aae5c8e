"""The tour of erasure as a user plays it, and what its files say of the person afterwards."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.chapters import APPLICANT, STAFF
from ra.fake_registers import persona_name
from ra.identity import CprNumber
from tests.support.command_line import ROOT, clean_environment
from tests.support.service import quiet_port

_SECONDS = 400
# Files of the people themselves, and the directory's, as they hold what was published.
_THEIRS = ("applicant.", "request.", "story.json", "slapd/", "cards/", "root.", "issuing.")


@dataclass(frozen=True)
class Played:
    """The installation of the tour, and what was told."""

    state: Path
    said: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    state = tmp_path_factory.mktemp("tour") / "state"
    environment = {
        "TILLID_STATE": str(state),
        "TILLID_PUBLIC__PORT": str(quiet_port()),
        "TILLID_STAFF__PORT": str(quiet_port()),
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "demo", "--once", "--tour", "erasure"],
        cwd=state.parent,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Played(state / "tour-erasure", done.stdout)


def test_the_tour_tells_what_held_the_erasure_up_and_why(played: Played) -> None:
    lines = [line.strip() for line in played.said.splitlines()]
    told = (
        "the case waits: what a directory may still show is not forgotten",
        "the database refuses: PKI05:",
        "the certificate was withdrawn from it, by itself",
        "the case waits before the destruction: the hold is honoured until it ends",
        "kept: proofing evidence. Kept through",
        "the case is scheduled, and goes on by itself when that time has ended",
        "stands, and the audit log tells of the destruction.",
        "The receipt does not stand: its signature.",
        "tillid backup restore: 1 revocation learned from the published CRL",
        "1 person was erased since the backup, and is closed off",
        "applicant.pem: revoked (verified)",
        "the erasure was carried on as case",
        "audit log whole:",
    )
    place = 0
    for sentence in told:
        found = [n for n, line in enumerate(lines) if n >= place and sentence in line]
        assert found, sentence
        place = found[0]


def canaries() -> dict[str, bytes]:
    given_name, surname = persona_name(CprNumber(APPLICANT))
    return {
        "the CPR number": APPLICANT.encode(),
        "the CPR number as people write it": f"{APPLICANT[:6]}-{APPLICANT[6:]}".encode(),
        "the surname": surname.encode(),
        "the given name": given_name.encode(),
        "the document's number": b"D23145890",
        **{role: name.encode() for role, name in STAFF.items()},
    }


def test_no_file_of_the_installation_names_the_person_or_an_officer(played: Played) -> None:
    looked_at, found = set(), []
    for path in played.state.rglob("*"):
        name = path.relative_to(played.state).as_posix().removeprefix("demo/")
        if path.is_file() and not name.startswith(_THEIRS):
            looked_at.add(name)
            octets = path.read_bytes().lower()
            found += [(name, of) for of, canary in canaries().items() if canary.lower() in octets]
    assert found == []
    expected = {"logs/serve.log", "receipt.txt", "old.backup", "tillid.sqlite", "keystore.sqlite"}
    assert expected <= looked_at
    assert any(name.startswith("tillid.sqlite.before-") for name in looked_at)
    assert any(name.startswith("metrics/") for name in looked_at)
    assert any(name.startswith("keystore-snapshots-2/") for name in looked_at)


def test_a_tour_that_there_is_not_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "demo", "--tour", "nothing"],
        cwd=tmp_path,
        env=clean_environment({"TILLID_STATE": str(tmp_path / "state")}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "name one of erasure" in done.stderr
    assert not any(tmp_path.iterdir())
