"""A process killed in the token, before or after it signed, leaves no signature without a row.

The judge is the token's side: what the shim logged, not what the process believed.
"""

import random
import signal
import subprocess
import sys
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
from tests.support.pkcs11_shim import Shim
from tests.support.recorded_signatures import recorded_digests
from tests.support.vault import key_store_of

PROCESS = """
import sys
from pathlib import Path
from ca.identifiers import SerialNumber
from ca.issuance import issue, prepare
from hsm.softhsm import SoftHsmStore
from server.clock import utc_now
from tests.support.ca_builders import ACTOR, an_order
from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm
folder, module, wanted = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
store = SoftHsmStore(folder / "softhsm", module)
with an_installation(SoftHsm(store), folder / "state", TILLID_HSM__MODULE=str(module)) as parts:
    issuing, order = parts.issuing(), an_order("tls-server")
    for _ in range(wanted):
        now = utc_now()
        issued = issue(prepare(order, issuing, now), parts.certificates, ACTOR, now)
        print(SerialNumber(issued.serial_number).hex, flush=True)
"""


@dataclass(frozen=True)
class Site:
    """An installation whose tokens are behind a shim."""

    folder: Path
    shim: Shim

    def issue(self, wanted: int) -> "subprocess.CompletedProcess[str]":
        """Issue in a process of its own; it prints the serial of each certificate it has."""
        arguments = [str(self.folder), str(self.shim.module), str(wanted)]
        environment = {"PYTHONPATH": str(ROOT), **self.shim.environment}
        return subprocess.run(
            [sys.executable, "-c", PROCESS, *arguments],
            env=clean_environment(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def rows(self) -> list[tuple[str, str, bytes, bytes | None]]:
        """Serial, status, tbsCertificate and certificate of each row."""
        database = Database(f"sqlite:///{self.folder / 'state' / 'tillid.sqlite'}")
        columns = certificate.c.serial, certificate.c.status, certificate.c.sealed_tbs
        with database.read() as tx:
            found = tx.execute(select(*columns, certificate.c.sealed_der)).all()
        database.close()
        return [(row[0], row[1], row[2], row[3]) for row in found]

    def recorded(self) -> set[bytes]:
        """Digests of all that may have been signed."""
        database = Database(f"sqlite:///{self.folder / 'state' / 'tillid.sqlite'}")
        found = recorded_digests(database)
        database.close()
        return found

    def close_intents(self) -> list[str]:
        """What a restart does, a while later; the serials that it revoked."""
        database = Database(f"sqlite:///{self.folder / 'state' / 'tillid.sqlite'}")
        store = Certificates(database, PersonalData(key_store_of(database)))
        closed = resolve_open_intents(store, utc_now() + timedelta(minutes=1))
        database.close()
        return [serial.hex for _, serial in closed]


@pytest.fixture(scope="module")
def site(shim_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("killed")
    made = Site(folder, Shim.in_folder(shim_library, folder / "shim"))
    done = made.issue(0)
    assert (done.returncode, done.stderr) == (0, "")
    return made


def check_the_log_against_the_rows(site: Site) -> None:
    rows, recorded = site.rows(), site.recorded()
    assert [each.hex() for each in site.shim.inputs() if each not in recorded] == []
    for _, status, tbs, der in rows:
        if status == "issued":
            assert der is not None
            assert x509.load_der_x509_certificate(der).tbs_certificate_bytes == tbs


def kill_and_restart(site: Site, when: str, number: int) -> None:
    signed_before = len(site.shim.inputs())
    site.shim.obey(f"C_Sign {number} {number} {when} 0")
    done = site.issue(number + 2)
    site.shim.obey()
    assert done.returncode == -signal.SIGKILL, done.stderr
    handed_out = done.stdout.split()
    assert len(handed_out) == number - 1
    signed = len(site.shim.inputs()) - signed_before
    assert signed == (number - 1 if when == "before" else number)
    check_the_log_against_the_rows(site)
    (orphan,) = [serial for serial, status, _, _ in site.rows() if status == "intent"]
    assert site.close_intents() == [orphan]
    states = {serial: status for serial, status, _, _ in site.rows()}
    assert states[orphan] == "revoked"
    assert "intent" not in states.values()
    assert all(states[serial] == "issued" for serial in handed_out)
    assert site.close_intents() == []


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_a_signature_leaves_one_intent_which_the_restart_revokes(
    site: Site, when: str
) -> None:
    kill_and_restart(site, when, 2)


@pytest.mark.slow
def test_ten_kills_at_random_leave_no_signature_without_a_row(site: Site) -> None:
    chance = random.Random(20260301)  # noqa: S311 - a test that can be run again
    for _ in range(10):
        kill_and_restart(site, chance.choice(["before", "after"]), chance.randint(1, 12))
    done = site.issue(1)
    assert done.returncode == 0
    check_the_log_against_the_rows(site)
