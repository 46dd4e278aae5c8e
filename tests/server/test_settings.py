from pathlib import Path

import pydantic
import pytest

from server.settings import SECTIONS
from server.settings_keys import keys, keys_in, value_of
from server.settings_sources import Origin, load_settings
from server.settings_types import DatabaseUrl, is_loopback
from tests.support.settings_files import load


def test_without_a_file_every_key_has_a_default(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert settings.state == tmp_path / ".state"
    assert settings.public.url == "http://127.0.0.1:8080"
    assert settings.staff.url == "https://127.0.0.1:8443"
    assert settings.database.url.reveal() == f"sqlite:///{tmp_path}/.state/tillid.sqlite"
    assert settings.hsm.softhsm_directory == tmp_path / ".state/softhsm"
    assert settings.hsm.pin_directory == tmp_path / ".state/softhsm/pins"
    assert settings.registers.adapter == "none"


def test_loading_creates_nothing(tmp_path: Path) -> None:
    load_settings({}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "[public]\nport = 81\nworkers = 2\n",
        {"TILLID_PUBLIC__PORT": "82", "TILLID_JOBS__TICK_SECONDS": "2"},
    )
    public = loaded.settings.public
    assert (public.port, public.workers, public.url) == (82, 2, "http://127.0.0.1:82")
    assert loaded.settings.jobs.tick_seconds == 2
    assert loaded.origin("public.port") is Origin.ENVIRONMENT
    assert loaded.origin("public.workers") is Origin.FILE
    assert loaded.origin("public.host") is Origin.DEFAULT


def test_the_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[serial]\nnode = 7\n")
    assert load_settings({"TILLID_CONFIG": "other.toml"}, tmp_path).serial.node == 7


def test_an_empty_name_of_a_directory_or_file_is_no_name(tmp_path: Path) -> None:
    settings = load_settings({"TILLID_STATE": "", "TILLID_CONFIG": ""}, tmp_path)
    assert settings.state == tmp_path / ".state"


def test_relative_paths_lie_below_the_state_directory(tmp_path: Path) -> None:
    loaded = load(tmp_path, '[hsm]\nmodule = "lib.so"\n[database]\nurl = "sqlite:///a/b.db"\n')
    assert loaded.settings.hsm.module == tmp_path / "state/lib.so"
    assert loaded.settings.database.url.reveal() == f"sqlite:///{tmp_path}/state/a/b.db"


def test_an_empty_softhsm_directory_means_another_module(tmp_path: Path) -> None:
    environment = {"TILLID_HSM__SOFTHSM_DIRECTORY": ""}
    assert load(tmp_path, "", environment).settings.hsm.softhsm_directory is None


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    with pytest.raises(pydantic.ValidationError):
        settings.public.port = 1


def test_a_remote_listener_has_to_be_meant(tmp_path: Path) -> None:
    loaded = load(tmp_path, '[public]\nallow_remote = true\nhost = "0.0.0.0"\n')
    assert loaded.settings.public.host == "0.0.0.0"  # noqa: S104 - the point of the test


def test_an_ipv6_host_stands_in_brackets_in_its_url(tmp_path: Path) -> None:
    assert load(tmp_path, '[staff]\nhost = "::1"\n').settings.staff.url == "https://[::1]:8443"


def test_a_url_loses_the_slashes_at_its_end(tmp_path: Path) -> None:
    loaded = load(tmp_path, '[public]\nurl = "http://pki.example/x//"\n')
    assert loaded.settings.public.url == "http://pki.example/x"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False), ("a.b", False)],
)
def test_only_this_machine_is_loopback(host: str, expected: bool) -> None:  # noqa: FBT001 - a case
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://user:canary@host/name",
        "postgresql+psycopg://user:can/ary@canary@host/name",
        "postgresql+psycopg://host/name?password=canary&x=1",
        "postgresql+psycopg://host/name?x=1&sslPassword=canary",
    ],
)
def test_a_database_url_prints_without_its_password(tmp_path: Path, url: str) -> None:
    settings = load(tmp_path, "", {"TILLID_DATABASE__URL": url}).settings
    assert settings.database.url.reveal() == url
    shown = {key.name: value_of(settings, key) for key in keys_in(settings)}
    for text in (repr(settings), str(settings.database.url), str(shown)):
        assert "canary" not in text
        assert "host/name" in text


def test_a_database_url_without_a_password_prints_as_it_is() -> None:
    assert str(DatabaseUrl("sqlite:////a/b?x=1")) == "sqlite:////a/b?x=1"


def test_every_key_is_described_and_has_a_kind_and_a_default() -> None:
    described = keys()
    fixed = [key for key in described if key.section in SECTIONS]
    assert len(fixed) == sum(len(section.model_fields) for section in SECTIONS.values())
    for key in described:
        assert key.description.endswith(".")
        assert key.kind
        section = key.section.upper().replace(".", "__")
        assert key.environment == f"TILLID_{section}__{key.key.upper()}"


def test_every_default_may_be_written_into_the_file(tmp_path: Path) -> None:
    lines = []
    for section, model in SECTIONS.items():
        lines.append(f"[{section}]")
        for key in keys():
            if key.section == section and key.key in model.model_fields:
                value = key.default
                quoted = f'"{value}"' if isinstance(value, str) else str(value).lower()
                lines.append(f"{key.key} = {quoted}")
    (tmp_path / "same").mkdir()
    written = load(tmp_path / "same", "\n".join(lines)).settings
    assert written == load(tmp_path / "same").settings
