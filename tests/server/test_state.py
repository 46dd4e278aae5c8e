from pathlib import Path

import pytest

from server.errors import StateRefused
from server.state import make_state_directory, state_directory


def test_the_state_directory_is_absolute(tmp_path: Path) -> None:
    assert state_directory({}, tmp_path) == tmp_path / ".state"
    assert state_directory({"TILLID_STATE": "here"}, tmp_path) == tmp_path / "here"
    assert state_directory({"TILLID_STATE": "/there"}, tmp_path) == Path("/there")


def test_the_state_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    make_state_directory(path)
    make_state_directory(path)
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_state_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "open"
    path.mkdir(mode=0o755)
    with pytest.raises(StateRefused) as refused:
        make_state_directory(path)
    assert refused.value.way_out == f"Run: chmod 700 '{path}'"


@pytest.mark.parametrize("name", ["file", "file/below", "nul\0"])
def test_a_state_directory_that_cannot_be_made_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateRefused):
        make_state_directory(tmp_path / name)
