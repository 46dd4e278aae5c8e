"""Fixtures that several packages' tests share."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from hsm.softhsm import SoftHsmStore
from tests.support.databases import database, databases, engine, postgres
from tests.support.pkcs11_shim import shim, shim_library
from tests.support.softhsm import SoftHsm

_TOGETHER = ("tests/conformance/",)
"""Folders whose tests share a part that takes long to make, and so one process."""

__all__ = ["database", "databases", "engine", "postgres", "shim", "shim_library", "softhsm"]


class _Scheduling(LoadScopeScheduling):
    """Tests of such a folder go to one process, every other to whichever is free.

    The groups of pytest-xdist 3.8 itself are lost under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Scheduling | None:
    return _Scheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    store = SoftHsmStore(tmp_path_factory.mktemp("softhsm"))
    store.activate()
    return SoftHsm(store)
