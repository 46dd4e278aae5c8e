"""Fixtures that several packages' tests share."""

import pytest

from hsm.softhsm import SoftHsmStore
from tests.support.databases import database, databases, engine, postgres
from tests.support.pkcs11_shim import shim, shim_library
from tests.support.softhsm import SoftHsm

__all__ = ["database", "databases", "engine", "postgres", "shim", "shim_library", "softhsm"]


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    store = SoftHsmStore(tmp_path_factory.mktemp("softhsm"))
    store.activate()
    return SoftHsm(store)
