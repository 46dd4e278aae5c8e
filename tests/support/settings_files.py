"""Builds settings from the text of a file and an environment."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from server.errors import SettingsFault, SettingsRefused
from server.settings_sources import LoadedSettings, trace_settings


def load(
    directory: Path, text: str | bytes = "", environment: Mapping[str, str] | None = None
) -> LoadedSettings:
    """Load the settings of an installation whose tillid.toml has this text."""
    state = directory / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    octets = text if isinstance(text, bytes) else text.encode()
    (state / "tillid.toml").write_bytes(octets)
    return trace_settings({"TILLID_STATE": str(state), **(environment or {})}, directory)


def faults(
    directory: Path, text: str | bytes = "", environment: Mapping[str, str] | None = None
) -> dict[str, SettingsFault]:
    """The faults of such settings by key."""
    with pytest.raises(SettingsRefused) as refused:
        load(directory, text, environment)
    return {fault.key: fault for fault in refused.value.faults}
