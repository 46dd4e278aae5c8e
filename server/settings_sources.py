"""Where settings come from: defaults, then tillid.toml, then the environment.

Every fault of every source is found before anything is refused, so that one run shows them all.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from server.errors import SettingsFault, SettingsRefused
from server.settings import DIRECTORIES, SECTIONS, DirectorySection, Settings
from server.state import state_directory

_PREFIX = "TILLID_"
_OTHER_NAMES = frozenset({"TILLID_STATE", "TILLID_CONFIG", "TILLID_FAILPOINT"})
_FILE_CEILING = 1 << 20
_EXPLAIN = "`tillid config explain` lists every key."


class Origin(StrEnum):
    """Which source a value was taken from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, the file that was read (None: there is none), and where each key came from."""

    settings: Settings
    file: Path | None
    origins: Mapping[str, Origin]
    """By `section.key`; a key that is missing here has its default."""

    def origin(self, key: str) -> Origin:
        """Where the value of `section.key` came from."""
        return self.origins.get(key, Origin.DEFAULT)


@dataclass(frozen=True, slots=True)
class _Given:
    """One value as it was written, before it is checked."""

    section: str
    key: str
    value: object
    origin: Origin
    source: str


_Finding = _Given | SettingsFault


def load_settings(environment: Mapping[str, str], working_directory: Path) -> Settings:
    """The settings for an environment; relative TILLID_ paths are below the working directory.

    Raises:
        SettingsRefused: with every fault of the file and of the environment.
    """
    return trace_settings(environment, working_directory).settings


def trace_settings(environment: Mapping[str, str], working_directory: Path) -> LoadedSettings:
    """As `load_settings`, with where each value came from."""
    state = state_directory(environment, working_directory)
    file = _file(environment, state, working_directory)
    findings = [*(_from_file(file) if file else ()), *_from_environment(environment)]
    faults = [finding for finding in findings if isinstance(finding, SettingsFault)]
    given = {
        (finding.section, finding.key): finding
        for finding in findings
        if isinstance(finding, _Given)
    }
    tables: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    directories: dict[str, dict[str, object]] = {}
    for (section, key), finding in given.items():
        _, of_directories, name = section.partition(f"{DIRECTORIES}.")
        table = directories.setdefault(name, {}) if of_directories else tables[section]
        table[key] = finding.value
    tables[DIRECTORIES] = {**directories}
    try:
        settings = Settings.model_validate({"state": state, **tables}, context={"state": state})
    except ValidationError as error:
        found = (_fault(details, given) for details in error.errors(include_input=False))
        raise SettingsRefused((*faults, *(fault for fault in found if fault))) from None
    if faults:
        raise SettingsRefused(tuple(faults))
    origins = {f"{section}.{key}": finding.origin for (section, key), finding in given.items()}
    return LoadedSettings(settings, file, origins)


def environment_name(section: str, key: str) -> str:
    """The environment variable that overrides a key."""
    return f"{_PREFIX}{section.replace('.', '__').replace('-', '_')}__{key}".upper()


def _file(environment: Mapping[str, str], state: Path, working_directory: Path) -> Path | None:
    if named := environment.get("TILLID_CONFIG"):
        return working_directory.absolute() / named
    default = state / "tillid.toml"
    return default if default.exists() else None


def _from_file(path: Path) -> Iterator[_Finding]:
    document = _document(path)
    if isinstance(document, SettingsFault):
        yield document
        return
    for section, table in _tables(document):
        if section.partition(".")[0] not in {*SECTIONS, DIRECTORIES}:
            yield _unknown(section, str(path), "is not a section", nearest(section, SECTIONS))
        elif not isinstance(table, dict):
            yield SettingsFault(
                section, str(path), "is a section, not a value", f"Write [{section}] on a line."
            )
        else:
            for key, value in table.items():
                yield _given(section, key, value, str(path))


def _tables(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The tables of the file by name, each directory's as `directories.NAME`."""
    for section, table in document.items():
        if section == DIRECTORIES and isinstance(table, dict):
            for name, each in table.items():
                yield f"{DIRECTORIES}.{name}", each
        else:
            yield section, table


def _given(section: str, key: str, value: object, source: str) -> _Finding:
    fields = (SECTIONS.get(section) or DirectorySection).model_fields
    if key in fields:
        return _Given(section, key, value, Origin.FILE, source)
    known = _all_keys() if section in SECTIONS else [f"{section}.{field}" for field in fields]
    near = nearest(f"{section}.{key}", known)
    return _unknown(f"{section}.{key}", source, "is not a key", near)


def _document(path: Path) -> dict[str, object] | SettingsFault:
    source = str(path)
    try:
        with path.open("rb") as stream:
            octets = stream.read(_FILE_CEILING + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        return SettingsFault(
            path.name, source, f"cannot be read ({reason})", "Correct TILLID_CONFIG or the file."
        )
    if len(octets) > _FILE_CEILING:
        return SettingsFault(path.name, source, "is larger than 1 MiB", "Name the right file.")
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        return _syntax_fault(path, line, "is not UTF-8 text")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at line (\d+), .*\)$", str(error))
        line = int(at[1]) if at else text.count("\n") + 1
        return _syntax_fault(path, line, "is not TOML")
    except (ValueError, RecursionError):  # numbers of thousands of digits, lists in lists in lists
        return SettingsFault(
            path.name, source, "holds a value beyond all bounds", "Remove that value."
        )


def _syntax_fault(path: Path, line: int, problem: str) -> SettingsFault:
    return SettingsFault(
        path.name,
        f"{path}, line {line}",
        f"{problem} at line {line}",
        "Correct that line: [section], then key = value, with text in quotes.",
    )


def _from_environment(environment: Mapping[str, str]) -> Iterator[_Finding]:
    known = {
        environment_name(section, key): (section, key)
        for section, model in SECTIONS.items()
        for key in model.model_fields
    }
    for name, text in sorted(environment.items()):
        if not name.startswith(_PREFIX) or name in _OTHER_NAMES:
            continue
        directory = _of_directory(name)
        if directory is not None:
            known[name] = directory
        if name not in known:
            names = [other.removeprefix(_PREFIX) for other in (*known, *_OTHER_NAMES)]
            near = nearest(name.removeprefix(_PREFIX), names)
            meant = _PREFIX + near if near else ""
            yield _unknown(name, Origin.ENVIRONMENT, "is not a setting", meant)
            continue
        section, key = known[name]
        kind = (SECTIONS.get(section) or DirectorySection).model_fields[key].annotation
        value = _number_or_truth(text) if kind in (int, float, bool) else text
        yield _Given(section, key, value, Origin.ENVIRONMENT, Origin.ENVIRONMENT)


def _of_directory(name: str) -> tuple[str, str] | None:
    """Section and key of TILLID_DIRECTORIES__NAME__KEY; an underline is the hyphen of a name."""
    match name.lower().split("__"):
        case ["tillid_directories", directory, key] if key in DirectorySection.model_fields:
            return f"{DIRECTORIES}.{directory.replace('_', '-')}", key
    return None


def _number_or_truth(text: str) -> object:
    """What the text would mean in the file; text that means nothing there is refused as such."""
    if not re.fullmatch(r"[A-Za-z0-9_.+-]{1,64}", text):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def _all_keys() -> list[str]:
    return [f"{section}.{key}" for section, model in SECTIONS.items() for key in model.model_fields]


def nearest(name: str, names: Iterable[str]) -> str:
    """The one of the names that was probably meant; empty when none is near."""
    close = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.6)
    return close[0] if close else ""


def _unknown(name: str, source: str, problem: str, near: str) -> SettingsFault:
    way_out = f"Did you mean {near}? {_EXPLAIN}" if near else _EXPLAIN
    return SettingsFault(name, source, problem, way_out)


def _fault(details: ErrorDetails, given: Mapping[tuple[str, str], _Given]) -> SettingsFault | None:
    if details["type"] == "default_factory_not_called":
        return None  # follows from another fault of the same section
    of_directory = details["loc"][:1] == (DIRECTORIES,)
    key = ".".join(str(part) for part in details["loc"][: 3 if of_directory else 2]) or "settings"
    way_out = details.get("ctx", {}).get("way_out") or f"See `tillid config explain {key}`."
    problem = details["msg"].removeprefix("Input ")
    # What is wrong with two keys together names both.
    keys = [key] if details["loc"] else re.findall(r"\w+\.\w+", problem)
    written = [given.get((section, name)) for section, _, name in (k.rpartition(".") for k in keys)]
    sources = {each.source for each in written if each is not None}
    return SettingsFault(key, ", ".join(sorted(sources)) or Origin.DEFAULT, problem, way_out)
