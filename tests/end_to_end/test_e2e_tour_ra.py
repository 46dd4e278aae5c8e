"""`tillid demo --tour ra` as a user runs it: who gets a credential, and no number is told of."""

import subprocess
import sys
from pathlib import Path

from tests.support.command_line import ROOT, clean_environment
from tests.support.service import quiet_port

_SECONDS = 240
GRANTED = ("0707614285", "0108589995", "2103009996")
REFUSED = {
    "0107729995": "PERSON_DECEASED",
    "1509819996": "PERSON_MISSING",
    "0201609996": "PERSON_NUMBER_SUPERSEDED",
    "0201919990": "PERSON_NUMBER_SUPERSEDED",
    "0504909989": "PERSON_NUMBER_ANNULLED",
    "0504909995": "PERSON_NUMBER_NOT_ASSIGNED",
    "1502779995": "REGISTER_NO_ANSWER",
}
HIGH, IMPOSTED = "2512489996", "2911829996"


def test_the_tour_tells_who_gets_a_credential_and_no_number_is_kept_or_told(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    environment = {
        "TILLID_STATE": str(state),
        "TILLID_PUBLIC__PORT": str(quiet_port()),
        "TILLID_STAFF__PORT": str(quiet_port()),
    }
    ran = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "demo", "--once", "--tour", "ra"],
        cwd=tmp_path,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    said = ran.stdout + ran.stderr

    assert ran.returncode == 0, said
    assert said.count("the approving officer signs the package; certificate issuing/") == len(
        GRANTED
    )
    for code in REFUSED.values():
        assert code in said, said
    assert "one person tries to dismiss it alone: refused, DTR05" in said
    assert "it is done: revoked, and relying parties are told cessationOfOperation" in said
    check_no_number(state, said)


def check_no_number(state: Path, said: str) -> None:
    """Neither in what was said nor in any file: logs, database, directory, CRLs, certificates."""
    numbers = [*GRANTED, *REFUSED, HIGH, IMPOSTED]
    files = [path for path in state.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert {".log", ".sqlite", ".crl", ".mdb", ".pem"} <= kinds, kinds
    for number in numbers:
        assert number not in said
        for written in (number, f"{number[:6]}-{number[6:]}"):
            assert [path for path in files if written.encode() in path.read_bytes()] == []
