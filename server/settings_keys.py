"""The settings described one by one, for people: meaning, kind, default, environment variable."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from server.settings import DIRECTORIES, SECTIONS, DatabaseUrl, DirectorySection, Settings
from server.settings_sources import environment_name, load_settings

Shown = str | int | float | bool

_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the settings."""

    section: str
    key: str
    description: str
    kind: str
    """What its values are, in words."""
    default: Shown
    """Its value when no source gives one; paths below the state directory are relative to it."""

    @property
    def name(self) -> str:
        """As it is written everywhere: section.key."""
        return f"{self.section}.{self.key}"

    @property
    def environment(self) -> str:
        """The environment variable that overrides it."""
        return environment_name(self.section, self.key)


def keys() -> list[Key]:
    """Every key, in the order of the sections."""
    state = Path("/STATE")
    defaults = load_settings({"TILLID_STATE": str(state)}, state)
    found = []
    for section, model in SECTIONS.items():
        schema = model.model_json_schema()["properties"]
        for key, field in model.model_fields.items():
            default = _shown(getattr(getattr(defaults, section), key))
            if isinstance(default, str):
                default = default.replace(f"{state}/", "")
            found.append(Key(section, key, field.description or "", _kind(schema[key]), default))
    return [*found, *_of_directories(["NAME"])]


def keys_in(settings: Settings) -> list[Key]:
    """Every key, with those of each directory that the settings have."""
    fixed = [key for key in keys() if key.section in SECTIONS]
    return [*fixed, *_of_directories(settings.directories)]


def _of_directories(names: Iterable[str]) -> list[Key]:
    schema = DirectorySection.model_json_schema()["properties"]
    fields = DirectorySection.model_fields.items()
    return [
        Key(
            f"{DIRECTORIES}.{name}",
            key,
            field.description or "",
            _kind(schema[key]),
            "" if field.is_required() else _shown(field.default),
        )
        for name in names
        for key, field in fields
        if field.description
    ]


def value_of(settings: Settings, key: Key) -> Shown:
    """The value of a key as it may be shown: a password in it is hidden."""
    _, of_directories, name = key.section.partition(f"{DIRECTORIES}.")
    section = settings.directories[name] if of_directories else getattr(settings, key.section)
    return _shown(getattr(section, key.key))


def _shown(value: object) -> Shown:
    if isinstance(value, str | int | float):
        return value
    if value is None or isinstance(value, Path | DatabaseUrl):
        return "" if value is None else str(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    raise TypeError(f"a setting of the kind {type(value).__name__} cannot be shown yet")


def _kind(schema: Mapping[str, object]) -> str:
    match schema:
        case {"enum": [*choices]}:
            return " or ".join(str(choice) for choice in choices)
        case {"anyOf": _}:
            return "path, or empty"
        case {"type": "array"}:
            return "list of texts"
        case {"format": "path"}:
            return "path"
        case {"minimum": low, "maximum": high, "type": str(kind)}:
            return f"{_KINDS[kind]}, {low} to {high}"
        case {"type": str(kind)}:
            return _KINDS[kind]
        case _:
            raise TypeError("a setting of this kind has no words yet")
