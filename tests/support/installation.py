"""A whole installation in a temporary directory: real SoftHSM, real database, ceremony held."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from records.database import Database
from records.schema import migrate
from revocation.publication import CrlScope, Pace
from server.assembly import Assembly, assembled
from server.ceremony import hold_ceremony
from server.clock import utc_now
from server.crls import renew_crl
from server.settings_sources import load_settings
from server.watch import open_changes
from tests.support.softhsm import SoftHsm

ORGANISATION = "Tillid Test"
REGISTER = """
[[processor]]
name = "this machine"
role = "directory"
purpose = "Directories of tests"
region = "DK"
agreement = "Contract 1"
"""
"""Who runs the directories of tests."""


class Unpaced(Pace):
    """Tests ask for one CRL right after the other, however slow the machine is."""

    def may_begin(self, scope: CrlScope, monotonic: float) -> bool:
        del scope, monotonic
        return True


@contextmanager
def an_installation(softhsm: SoftHsm, state: Path, **environment: str) -> Iterator[Assembly]:
    """Settings, database, tokens, both issuers and their CRLs, so that they may issue.

    `environment` is given as TILLID_SECTION__KEY.
    """
    with before_its_first_crl(softhsm, state, **environment) as parts:
        record = parts.issuing_record()
        if parts.crls.latest(record.name) is None:
            renew_crl(parts, record, utc_now())
        yield parts


@contextmanager
def before_its_first_crl(softhsm: SoftHsm, state: Path, **environment: str) -> Iterator[Assembly]:
    """As `an_installation`, when the ceremony was held and no more."""
    state.mkdir(mode=0o700, exist_ok=True)
    given = state / "tillid.toml"
    if given.exists() and "[directories." in given.read_text():
        (state / "processors.toml").write_text(REGISTER)
    settings = load_settings(
        {
            "TILLID_STATE": str(state),
            "TILLID_HSM__SOFTHSM_DIRECTORY": str(softhsm.store.directory),
            "TILLID_REGISTERS__ADAPTER": "fake",
            **environment,
        },
        state,
    )
    database = Database(settings.database.owner.reveal())
    migrate(database)
    database.close()
    with assembled(settings) as parts:
        parts.crl_work.pace = Unpaced()
        for _ in hold_ceremony(parts, ORGANISATION, "DK", utc_now()):
            pass
        yield parts


def leave_nothing_to_watch(parts: Assembly) -> None:
    """Say of every change that it was seen: the watcher of a service would ask about it."""
    for _, channel, unseen in open_changes(parts):
        parts.visible.see(unseen, channel, utc_now())
