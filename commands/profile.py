"""`tillid profile`: the certificate profiles."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from ca.profiles import Profile


@click.group
def group() -> None:
    """Certificate profiles: list, show, check and compare them."""


@verb(group, example="tillid profile list")
def _list() -> Result:
    """List the profiles that certificates are issued under."""
    from ca.profiles import load_profile, profile_names

    found = [load_profile(name) for name in profile_names()]
    return Result(
        {"profiles": [{"name": p.name, "description": p.description} for p in found]},
        table=Table(("Profile", "What it is for"), tuple((p.name, p.description) for p in found)),
    )


@verb(group, example="tillid profile show tls-server")
@click.argument("name")
def show(name: str) -> Result:
    """Show in sentences what a certificate of one profile holds."""
    from ca.profile_words import example, sentences
    from ca.profiles import load_profile

    profile = load_profile(name)
    words, names = sentences(profile), example(profile)
    return Result(
        asdict(profile) | {"words": words, "example": asdict(names)},
        (
            *words.values(),
            f"An example: {names.subject}",
            f"Refused: {names.counter_subject} -- {names.reason}.",
            f"Octets of the file, SHA-256: {profile.sha256}",
        ),
    )


@verb(group, example="tillid profile check staff.toml")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> Result:
    """Check a profile file; every fault is told with its line."""
    profile = _read(file)
    facts = {"name": profile.name, "sha256": profile.sha256}
    return Result(facts, (f"{file} holds profile {profile.name} without a fault.",))


@verb(group, example="tillid profile diff staff staff.toml")
@click.argument("before")
@click.argument("after")
def diff(before: str, after: str) -> Result:
    """Say what changes for holders between two profiles, by name or file ending in .toml."""
    from ca.profile_words import differences

    old, new = _named(before), _named(after)
    found = differences(old, new)
    same = "Nothing changes for holders."
    return Result(
        {"before": old.sha256, "after": new.sha256, "differences": found},
        tuple(found) or (same,),
    )


def _named(place: str) -> "Profile":
    from ca.profiles import load_profile

    return _read(Path(place)) if place.endswith(".toml") else load_profile(place)


def _read(file: Path) -> "Profile":
    from ca.profiles import parse_profile
    from commands.files import read_text

    return parse_profile(read_text(file).encode(), file.name)
