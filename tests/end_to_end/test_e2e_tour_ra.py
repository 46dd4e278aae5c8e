"""The tour of the registration authority as a user plays it, and what is left of it."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.letters import _codes
from demo.tour_ra_refusals import NUMBERS, ORDINARY, _octets
from tests.support.command_line import ROOT, clean_environment
from tests.support.service import Service, quiet_port, until

_SECONDS = 590
_CODES = (
    "REG-IDN-S6b EVIDENCE_STATUS_UNKNOWN",
    "ASC-L7 ASSOCIATION_CONSENT_MISSING",
    "REG-IDL-S6a AUTHORISATION_NOT_VERIFIED",
    "REG-IDN-S6c IMPERSONATION_MEASURE_MISSING",
    "REG-IDN-H9a PHYSICAL_COMPARISON_MISSING",
    "ISS-DEL-H4b SEPARATION_OF_DUTIES",
    "ISS-DEL-H3 ACTIVATION_NOT_PERSONAL",
    "REG-IDL-H10 NO_ROUTE_AT_THIS_LEVEL",
    "REG-IDN-S6b PERSON_DECEASED",
    "REG-IDN-S6b PERSON_MISSING",
    "REG-IDN-S6b PERSON_NUMBER_SUPERSEDED",
    "REG-IDN-S6b PERSON_NUMBER_ANNULLED",
    "REG-IDN-S6b PERSON_NUMBER_NOT_ASSIGNED",
    "REG-IDN-L2 EVIDENCE_EXPIRED",
    "REG-IDN-L2 EVIDENCE_FORMAT_INVALID",
    "IDENTITY_MISMATCH",
    "ISS-DEL-S2f NO_REGISTERED_ADDRESS",
    "REG-APP-S4a TERMS_NOT_ACCEPTED",
    "REG-APP-S4c TERMS_NOT_FULLY_SHOWN",
    "REG-IDL-S6b SIGNING_RULE_NOT_SATISFIED",
    "REG-IDL-L3 LEGAL_PERSON_CEASED",
    "REG-IDL-L1 LEGAL_PERSON_NOT_FOUND",
    "REG-APP-L4 AGREEMENT_PART_MISSING",
    "ASC-S8b FEED_NOT_AUTHENTICATED",
)


@dataclass
class Tour:
    """Runs of the tour on one state directory."""

    folder: Path
    environment: dict[str, str]

    def begin(self) -> "tuple[subprocess.Popen[bytes], Path]":
        """Start a run in a session of its own, as a terminal does; gives where it says things."""
        output = self.folder / "output"
        with output.open("wb") as file:
            run = subprocess.Popen(
                [sys.executable, str(ROOT / "cli.py"), "demo", "--once", "--tour", "ra"],
                cwd=self.folder,
                env=clean_environment(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return run, output


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Tour:
    folder = tmp_path_factory.mktemp("tour-ra")
    environment = {
        "TILLID_STATE": str(folder / "state"),
        "TILLID_PUBLIC__PORT": str(quiet_port()),
        "TILLID_STAFF__PORT": str(quiet_port()),
    }
    return Tour(folder, environment)


def test_the_tour_is_played_and_left_in_the_middle_and_nothing_stays(tour: Tour) -> None:
    run, output = tour.begin()
    assert run.wait(_SECONDS) == 0, output.read_text()
    said = output.read_text()
    for name in ("low", "director", "high", "seal", "employee", "role", "foundation", "child"):
        assert f"{name}.pem: good (verified)" in said
    assert "next-seal.pem: good (verified)" in said
    assert "the old one: seal.pem: revoked (verified)" in said
    for name in ("bankrupt-seal", "bankrupt-role", "mortal"):
        assert f"{name}.pem: revoked (verified), cessationOfOperation" in said
    assert "the personal certificate stays: employee.pem: good (verified)" in said
    assert [code for code in _CODES if code not in said] == []
    assert "referred" in said
    assert "no CPR number in them" in said
    assert "audit log whole" in said
    canaries = [number.encode() for number in (*NUMBERS, ORDINARY.number)]
    canaries += [canary[:6] + b"-" + canary[6:] for canary in canaries]
    state = tour.folder / "state" / "tour-ra"
    files = [path for path in tour.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if any(each in _octets(path) for each in canaries)]
    # A person whose name and address are protected, who consented to no publication.
    assert not [path for path in files if b"Kirsten" in path.read_bytes()]
    names = {path.relative_to(state).parts[0] for path in files if state in path.parents}
    assert {"logs", "metrics", "public", "demo", "softhsm"} <= names

    # A second run begins anew, and Ctrl-C in the middle of it leaves nothing running.
    run, output = tour.begin()
    until("the directory", lambda: "directory: ldap://" in output.read_text(), 200)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(120) != 0
    left = Service(state, {}).processes() | Service(state.parent, {}).processes()
    assert left == set()


def test_a_letter_without_a_code_is_none() -> None:
    assert list(_codes(b"%PDF-1.7\nstream\nabc\nendstream")) == []
