"""The register of processors: who handles personal data for the controller (GDPR Art. 28, 30).

It is a TOML file with one table `[[processor]]` for each. `directory` names the directory of the
settings that it runs, if it runs one.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from server.errors import SettingsFault, SettingsRefused

_CEILING = 1 << 20
Line = Annotated[str, Field(min_length=1, max_length=200)]


class Processor(BaseModel):
    """One processor; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    name: Line
    role: Literal["hosting", "directory", "register", "identity", "mail", "support", "other"]
    purpose: Line
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}(, [A-Z]{2})*$")]
    """ISO 3166 codes of the countries where the data lies."""
    agreement: Line
    """Where the agreement of Art. 28(3) is found."""
    transfer_basis: str = ""
    """The basis of a transfer to a third country (Art. 45 to 49)."""
    directory: str = ""

    @property
    def third_countries(self) -> tuple[str, ...]:
        """The countries outside the EU and EEA."""
        return tuple(each for each in self.region.split(", ") if each not in EEA)

    @model_validator(mode="after")
    def _has_a_basis_abroad(self) -> "Processor":
        if self.third_countries and not self.transfer_basis.strip():
            raise ValueError("it lies outside the EU/EEA and gives no transfer_basis (Art. 44)")
        return self


EEA = frozenset(
    (
        *("AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT"),
        *("LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "IS", "LI", "NO"),
    )
)


class _Register(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    processor: tuple[Processor, ...] = ()


def read_processors(file: Path) -> tuple[Processor, ...]:
    """The register, in the order of the file; empty where there is no file.

    Raises: SettingsRefused naming each fault.
    """
    try:
        with file.open("rb") as stream:
            octets = stream.read(_CEILING + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _refused(file, [(file.name, f"cannot be read: {error.strerror}")]) from None
    if len(octets) > _CEILING:
        raise _refused(file, [(file.name, "is larger than 1 MiB")])
    try:
        found = tomllib.loads(octets.decode())
    except (ValueError, RecursionError) as error:
        raise _refused(file, [(file.name, f"is no TOML in UTF-8: {error}")]) from None
    try:
        # Lists of TOML are what strict reading calls something else than tuples.
        return _Register.model_validate({**found, **_tuple(found)}).processor
    except ValidationError as error:
        faults = [
            (".".join(map(str, each["loc"])) or file.name, each["msg"]) for each in error.errors()
        ]
        raise _refused(file, faults) from None


def without_processor(directories: Mapping[str, str], file: Path) -> list[str]:
    """The directories, given with who runs each, of which the register does not know that.

    Raises: SettingsRefused, where the register cannot be read.
    """
    register = read_processors(file) if directories else ()
    names = {each.name for each in register}
    run = {each.directory for each in register}
    return [of for of, processor in directories.items() if not {of} & run | {processor} & names]


def require_processors(directories: Mapping[str, str], file: Path) -> None:
    """Nothing goes to a directory whose processor is not in the register (GDPR Art. 28, 30).

    Raises: SettingsRefused naming each.
    """
    absent = without_processor(directories, file)
    if absent:
        said = f"names a processor that the register {file} does not have (GDPR Art. 28)"
        way_out = "Add a table [[processor]] for it: docs/privacy.md shows one."
        faults = [SettingsFault(f"directories.{of}", "tillid.toml", said, way_out) for of in absent]
        raise SettingsRefused(tuple(faults))


def _tuple(found: dict[str, object]) -> dict[str, object]:
    listed = found.get("processor")
    return {"processor": tuple(listed)} if isinstance(listed, list) else {}


def _refused(file: Path, faults: list[tuple[str, str]]) -> SettingsRefused:
    way_out = "Correct the register of processors: docs/privacy.md shows one."
    return SettingsRefused(
        tuple(SettingsFault(key, str(file), said, way_out) for key, said in faults)
    )
