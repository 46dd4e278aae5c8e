"""One workshop of prepared installations for each test process."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.workshop import Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with ExitStack() as stack:
        yield Workshop(tmp_path_factory.mktemp("workshop"), stack)
