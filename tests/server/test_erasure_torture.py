"""An erasure dies at every step, and again while it recovers; real directories, CRL and OCSP."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from cryptography.x509.ocsp import OCSPCertStatus
from sqlalchemy import delete

from audit.log import verify_log
from gdpr_erasure.erasures import ErasureState
from hsm.labels import AUDIT_KEY
from publish_ldap.directory import Directory
from records.audit_log import audit_log
from records.database import Database
from records.errors import RuleBroken
from records.tables import publication
from server.assembly import AUDIT_ORIGIN
from server.clock import utc_now
from server.erasure_nights import look_after
from tests.support.canaries import canaries, found_in, found_in_rows
from tests.support.directory_certificates import an_entry
from tests.support.erasure_town import Asked, ErasureTown, an_erasure_town, shown
from tests.support.postgres import AUDITOR, a_postgres
from tests.support.softhsm import SoftHsm

_STEPS = (
    *("erase.frozen", "erase.revoked", "erase.visible", "erase.withdrawn", "erase.told"),
    *("erase.notified", "erase.deleted", "erase.rechecked"),
    *("seal.rooted", "seal.rewrapped", "seal.snapshotted", "seal.destroyed", "seal.pruned"),
    *("seal.recorded", "erase.sealed", "erase.done"),
)
DEATHS = {
    "everywhere": _STEPS,
    "at-every-other-step": _STEPS[1::2],
    "after-the-deletion": ("erase.destroyed", "seal.rewrapped", "seal.pruned"),
    "twice-in-one-place": ("seal.rooted", "seal.rooted", "seal.snapshotted", "seal.snapshotted"),
}
"""Where a case dies, one after the other: each recovery dies as well, but the last."""
RECIPIENTS = {"TILLID_ERASURE__RECIPIENTS": "payroll"}


@pytest.fixture(scope="module")
def town(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErasureTown]:
    folder = tmp_path_factory.mktemp("torture")
    with an_erasure_town(softhsm, folder, **RECIPIENTS) as made:
        yield made


@pytest.mark.parametrize("deaths", DEATHS.values(), ids=DEATHS)
def test_an_erasure_that_dies_again_and_again_is_right_at_each_moment_and_ends_once(
    town: ErasureTown, deaths: tuple[str, ...]
) -> None:
    of = town.asked()
    town.crashes = [*deaths]

    died = town.until_done(of)

    assert died == [*deaths]
    assert town.case(of).state is ErasureState.DONE
    town.check_receipt(of)
    assert [shown(each, of.der) for each in town.directories] == [0, 0, 0]
    assert town.ocsp_status(of) is OCSPCertStatus.REVOKED


def test_no_file_of_sqlite_holds_anything_of_an_erased_person_in_plain(town: ErasureTown) -> None:
    of = town.asked()
    town.until_done(of)

    assert town.case(of).state is ErasureState.DONE
    state = town.parts.settings.state
    require_no_trace(town, of, [path for path in state.glob("*.sqlite*") if path.is_file()])


def require_no_trace(town: ErasureTown, of: Asked, files: list[Path]) -> None:
    """Nothing of the person is in the files, where what names nobody is found by the same look."""
    wanted = canaries(of.der)

    assert found_in(files, {"case": of.case.encode()}) == {"case"}
    assert found_in(files, wanted) == set()
    assert found_in_rows(town.parts.database, wanted) == set()


def test_a_directory_that_is_down_holds_up_the_destruction_and_nothing_else(
    town: ErasureTown,
) -> None:
    of = town.asked()
    town.town.south.stop()
    for _ in range(5):
        town.carry_on(of)
    try:
        assert town.ocsp_status(of) is OCSPCertStatus.REVOKED
        assert town.crl_lists(of)
        assert shown(town.town.north, of.der) == 0
        assert town.case(of).state is ErasureState.VISIBLE
        with pytest.raises(RuleBroken, match="PKI05"), town.parts.database.write() as tx:
            tx.execute(delete(publication).where(publication.c.serial == of.serial.hex))
    finally:
        town.town.south.start()

    assert town.until_done(of) == []
    assert town.case(of).state is ErasureState.DONE
    town.check_receipt(of)


def test_what_another_hand_publishes_again_is_found_and_taken_out(town: ErasureTown) -> None:
    of = town.asked()
    town.until_done(of)
    with Directory(town.town.south.settings("south")) as directory:
        directory.add_certificate(an_entry(), of.der)
    assert shown(town.town.south, of.der) == 1

    assert look_after(town.parts, utc_now()) == 1

    assert shown(town.town.south, of.der) == 0
    assert look_after(town.parts, utc_now()) == 0
    with audit_log(town.parts.database) as log:
        told = [
            entry.header for entry in log.entries(0) if b"directory.republished" in entry.header
        ]
    assert len(told) == 1


def test_an_erasure_on_postgresql_dies_at_its_hardest_steps_and_ends_once(
    softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("torture-postgresql")
    with ExitStack() as stack:
        # A server of its own: its log of changes tells of nobody else.
        postgres = stack.enter_context(a_postgres())
        url, owner = postgres.create_for_service("torture")
        addresses = {"TILLID_DATABASE__URL": url, "TILLID_DATABASE__OWNER_URL": owner}
        town = stack.enter_context(an_erasure_town(softhsm, folder, **addresses))
        hardest = ["erase.revoked", "erase.deleted", "seal.rewrapped", "seal.destroyed"]
        of = town.asked()
        town.crashes = [*hardest]
        assert town.until_done(of) == hardest
        assert town.case(of).state is ErasureState.DONE
        town.check_receipt(of)
        key = town.parts.tokens.service_key(AUDIT_KEY).public_key()
        with closing(Database(postgres.url("torture", AUDITOR))) as read, audit_log(read) as log:
            verify_log(log, key, AUDIT_ORIGIN)
        postgres.administer("CHECKPOINT")
        data = postgres.folder / "data"
        files = [path for part in ("base", "pg_wal") for path in (data / part).rglob("*")]
        require_no_trace(town, of, [path for path in files if path.is_file()])
