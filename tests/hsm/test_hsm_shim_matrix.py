"""Every gap of issuance, on both databases: killed, refused, or the signature lost.

The judge is the token's side, what the shim logged of C_Sign, against the rows of the database: no
signature without a row that was there first, no certificate handed out that is not recorded, and
after the restart no intent that is open.
"""

import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import select

from ca.issuance import resolve_open_intents
from records.certificates import Certificates
from records.database import Database
from records.personal_data import PersonalData
from records.tables import certificate
from server.clock import utc_now
from tests.support.command_line import ROOT, clean_environment
from tests.support.databases import ENGINES
from tests.support.pkcs11_shim import DEVICE_ERROR, Shim
from tests.support.postgres import PrivatePostgres
from tests.support.recorded_signatures import recorded_digests
from tests.support.vault import key_store_of

PROCESS = """
import sys
from pathlib import Path
from ca.errors import SigningFailed
from ca.identifiers import SerialNumber
from ca.issuance import issue_all, prepare
from hsm.errors import HsmError
from hsm.softhsm import SoftHsmStore
from server.clock import utc_now
from tests.support.ca_builders import ACTOR, an_order
from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm
folder, module, database, wanted, size = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
settings = {"TILLID_HSM__MODULE": str(module), "TILLID_DATABASE__URL": database}
store = SoftHsmStore(folder / "softhsm", module)
with an_installation(SoftHsm(store), folder / "state", **settings) as parts:
    issuing = parts.issuing()
    for _ in range(int(wanted)):
        now = utc_now()
        batch = [prepare(an_order("tls-server"), issuing, now) for _ in range(int(size))]
        for outcome in issue_all(batch, parts.certificates, ACTOR, now):
            if isinstance(outcome, (HsmError, SigningFailed)):
                print("failed", flush=True)
            else:
                print(SerialNumber(outcome.serial_number).hex, flush=True)
"""
STEPS = ("intended", "linted", "signed", "verified", "recorded")
WANTED = 3
SIZE = 4
FAULTS = {
    "refused": f"return {DEVICE_ERROR:#x}",
    "lost": f"lose {DEVICE_ERROR:#x}",
    "killed before": "before 0",
    "killed after": "after 0",
}


@dataclass(frozen=True)
class Site:
    """An installation whose tokens are behind a shim."""

    folder: Path
    shim: Shim
    url: str

    def issue(
        self, wanted: int, failpoint: str = "", size: int = 1
    ) -> "subprocess.CompletedProcess[str]":
        """Issue in a process of its own; it prints the serial of each certificate it has.

        `wanted` counts the batches, and each holds `size` certificates.
        """
        environment = {"PYTHONPATH": str(ROOT), **self.shim.environment}
        if failpoint:
            environment["TILLID_FAILPOINT"] = failpoint
        arguments = [str(self.folder), str(self.shim.module), self.url, str(wanted), str(size)]
        return subprocess.run(
            [sys.executable, "-c", PROCESS, *arguments],
            env=clean_environment(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def states(self) -> dict[str, str]:
        """Status by serial; each row that is issued holds what its intent said."""
        return {serial: status for serial, status, _, _ in self._rows()}

    def check(self, handed_out: list[str]) -> None:
        """Judge the signatures and the certificates that were handed out by the rows."""
        rows = self._rows()
        with closing(Database(self.url)) as database:
            recorded = recorded_digests(database)
        assert [each.hex() for each in self.shim.inputs() if each not in recorded] == []
        issued = {}
        for serial, status, tbs, der in rows:
            if status == "issued":
                issued[serial] = x509.load_der_x509_certificate(der)
                assert issued[serial].tbs_certificate_bytes == tbs
        assert set(handed_out) <= set(issued)

    def restart(self) -> None:
        """What a start does with intents, a while later."""
        with closing(Database(self.url)) as database:
            nobody = PersonalData(key_store_of(database))
            later = utc_now() + timedelta(minutes=1)
            resolve_open_intents(Certificates(database, nobody), later)

    def _rows(self) -> list[tuple[str, str, bytes, bytes]]:
        columns = certificate.c.serial, certificate.c.status, certificate.c.sealed_tbs
        with closing(Database(self.url)) as database, database.read() as tx:
            found = tx.execute(select(*columns, certificate.c.sealed_der)).all()
        return [(row[0], row[1], row[2], row[3] or b"") for row in found]


@pytest.fixture(scope="module", params=ENGINES)
def site(
    request: pytest.FixtureRequest,
    postgres: PrivatePostgres,
    shim_library: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    folder = tmp_path_factory.mktemp("matrix")
    url = f"sqlite:///{folder / 'matrix.db'}"
    if request.param == "postgresql":
        url = postgres.create("matrix")
    made = Site(folder, Shim.in_folder(shim_library, folder / "shim"), url)
    done = made.issue(0)
    assert (done.returncode, done.stderr) == (0, "")
    return made


def check_after_restart(site: Site, handed_out: list[str], before: set[str]) -> dict[str, str]:
    """The states of the serials that are new, once a restart has closed the intents."""
    site.check(handed_out)
    site.restart()
    site.check(handed_out)
    states = site.states()
    assert "intent" not in states.values()
    assert {states[serial] for serial in handed_out} <= {"issued"}
    return {serial: status for serial, status in states.items() if serial not in before}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_between_two_steps_leaves_no_signature_without_a_row(site: Site, step: str) -> None:
    before = set(site.states())
    done = site.issue(WANTED, f"issue.{step}@tls-server:kill")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, ""), done.stderr
    (state,) = check_after_restart(site, [], before).values()
    assert state == ("issued" if step == "recorded" else "revoked")


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_a_signature_costs_that_certificate_alone(site: Site, fault: str) -> None:
    number = 2
    before, signed = set(site.states()), len(site.shim.inputs())
    site.shim.obey(f"C_Sign {number} {number} {FAULTS[fault]}")
    done = site.issue(WANTED)
    site.shim.obey()
    killed = fault.startswith("killed")
    assert done.returncode == (-signal.SIGKILL if killed else 0), done.stderr
    said = done.stdout.split()
    handed_out = [word for word in said if word != "failed"]
    assert len(handed_out) == (number - 1 if killed else WANTED - 1)
    reached = number if killed else WANTED
    never_signed = fault in {"refused", "killed before"}
    assert len(site.shim.inputs()) - signed == reached - never_signed
    new = check_after_restart(site, handed_out, before)
    assert sorted(new.values()) == ["issued"] * len(handed_out) + ["revoked"]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_between_two_steps_of_a_batch_hands_out_nothing(site: Site, step: str) -> None:
    before = set(site.states())
    done = site.issue(1, f"issue.{step}@tls-server:kill", SIZE)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, ""), done.stderr
    new = check_after_restart(site, [], before)
    assert [*new.values()] == ["issued" if step == "recorded" else "revoked"] * SIZE


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, SIZE + 1))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_signature_of_a_batch_leaves_none_without_a_row(
    site: Site, fault: str, number: int
) -> None:
    before = set(site.states())
    site.shim.obey(f"C_Sign {number} {number} {FAULTS[fault]}")
    done = site.issue(1, size=SIZE)
    site.shim.obey()
    killed = fault.startswith("killed")
    assert done.returncode == (-signal.SIGKILL if killed else 0), done.stderr
    handed_out = [word for word in done.stdout.split() if word != "failed"]
    assert len(handed_out) == (0 if killed else SIZE - 1)
    new = check_after_restart(site, handed_out, before)
    assert sorted(new.values()) == ["issued"] * len(handed_out) + ["revoked"] * (
        SIZE - len(handed_out)
    )
