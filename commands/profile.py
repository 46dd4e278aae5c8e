"""`tillid profile`: the certificate profiles."""

from dataclasses import asdict

import click

from commands.output import Result, Table, verb


@click.group
def group() -> None:
    """Certificate profiles: list and show them."""


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
    """Show what a certificate of one profile holds."""
    from ca.profiles import load_profile

    facts = asdict(load_profile(name))
    return Result(facts, tuple(f"{key}: {_words(value)}" for key, value in facts.items()))


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
