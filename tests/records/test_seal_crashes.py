"""A seal that dies at any point, and again at any point while it is carried on."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ca.failpoints import VARIABLE
from hsm.errors import KeyNotFound
from records.database import Database
from records.errors import Erased
from records.key_snapshots import probe
from server.clock import utc_now
from tests.support.databases import ENGINES, Databases
from tests.support.vault import VaultSite, a_vault

POINTS = (
    "seal.rooted",
    "seal.rewrapped",
    "seal.snapshotted",
    "seal.destroyed@vault-a",
    "seal.destroyed@vault-b",
    "seal.pruned",
    "seal.recorded",
)
PAIRS = [(point, later) for n, point in enumerate(POINTS) for later in POINTS[n : n + 2]]
"""The recovery dies at the same point, and at the one after it."""


def die_sealing(site: VaultSite, point: str) -> bool:
    """Seal in a process of its own that is killed at the point; False when it came to its end."""
    child = os.fork()
    if child == 0:
        os.environ[VARIABLE] = f"{point}:kill"
        urls = [each.engine.url.render_as_string(hide_password=False) for each in site.databases]
        records, keys = (Database(url) for url in urls)
        try:
            VaultSite(records, keys, site.folder).vault.seal(utc_now())
        except BaseException:  # noqa: BLE001 - the process ends here, whatever it was
            sys.excepthook(*sys.exc_info())
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def looks_whole(site: VaultSite, living: str) -> None:
    """At any moment the living open, and every place that has a snapshot has one that opens."""
    site.store.forget_unwrapped()
    assert site.opens(living)
    newest = site.vault.snapshots.newest()
    assert len(newest) == 2
    assert all(probe(path, site.roots) for path in newest)


@pytest.fixture
def site(databases: Databases, engine: str, tmp_path: Path) -> Iterator[VaultSite]:
    with a_vault(databases, engine, tmp_path) as made:
        made.people(1)
        made.vault.seal(utc_now())
        yield made


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seal_that_died_anywhere_is_carried_on_and_ends_as_if_it_had_not(site: VaultSite) -> None:
    for number, (first, second) in enumerate(PAIRS, 1):
        name = f"doomed-{number}"
        site.people(1, named=name)
        epoch = site.vault.current_epoch()
        kept = site.copy_of_snapshot()
        site.erase(name)

        assert die_sealing(site, first), first
        looks_whole(site, "subject-0")
        if die_sealing(site, second):
            looks_whole(site, "subject-0")
        site.vault.seal(utc_now())

        looks_whole(site, "subject-0")
        assert all(roots.epochs(site.name) == {site.vault.current_epoch()} for roots in site.roots)
        assert site.vault.sealed_since(epoch) is not None
        assert site.vault.doomed.pending() == []
        assert site.events().count("vault.sealed") == site.vault.current_epoch() - 1
        assert site.vault.snapshots.are_pruned(site.vault.current_epoch())
        with pytest.raises(Erased):
            site.open(name)
        with pytest.raises(KeyNotFound):
            probe(kept, site.roots)
