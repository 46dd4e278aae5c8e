"""Fixtures that several packages' tests share."""

import pytest

from hsm.softhsm import SoftHsmStore
from tests.support.softhsm import SoftHsm


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    store = SoftHsmStore(tmp_path_factory.mktemp("softhsm"))
    store.activate()
    return SoftHsm(store)
