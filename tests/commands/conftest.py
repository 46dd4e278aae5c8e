"""An installation of its own for each test of imports."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.import_office import Office
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.softhsm import SoftHsm


@pytest.fixture
def office(
    softhsm: SoftHsm,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Office]:
    state = tmp_path / "state"
    with an_installation(softhsm, state) as parts:
        yield Office(parts, Operator(environment_of(softhsm, state), capsys, monkeypatch))
