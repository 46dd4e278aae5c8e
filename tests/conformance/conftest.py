"""One running public listener for all tests of this folder, and so one process for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.softhsm import SoftHsm
from tests.support.status_matrix import Party
from tests.support.status_town import Town, a_town
from tests.support.tls_servers import an_apache, an_nginx

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("one-listener"))


@pytest.fixture(scope="session")
def town(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
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
