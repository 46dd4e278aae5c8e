"""One running public listener for all tests of this folder; `tests/conftest.py` groups them."""

import os
from collections.abc import Iterator

import pytest

from tests.support.softhsm import SoftHsm
from tests.support.status_matrix import Party
from tests.support.status_town import Town, a_town
from tests.support.tls_servers import an_apache, an_nginx


@pytest.fixture(scope="session")
def town(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    if "PYTEST_XDIST_WORKER" in os.environ:  # the folder above is that of all processes
        (tmp_path_factory.getbasetemp().parent / "one-listener").touch(exist_ok=False)
    with a_town(softhsm, tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.fixture(scope="session")
def party(town: Town) -> Party:
    return town.party


@pytest.fixture(scope="session")
def nginx(party: Party) -> Iterator[Party]:
    with an_nginx(party) as served:
        yield served


@pytest.fixture(scope="session")
def apache(party: Party) -> Iterator[Party]:
    with an_apache(party) as served:
        yield served
