"""`tillid config`: where each setting comes from, what it means, and whether all are right."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from server.settings_keys import Shown
    from server.settings_sources import LoadedSettings


@click.group
def group() -> None:
    """Settings: show where each value came from, explain the keys, check the file."""


def _traced() -> "LoadedSettings":
    from server.settings_sources import trace_settings

    return trace_settings(os.environ, Path.cwd())


def _written(value: "Shown") -> str:
    """As it is written in the file, without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@verb(group, example="tillid config show --json")
def show() -> Result:
    """Show every setting and where it came from."""
    from server.settings_keys import keys_in, value_of

    loaded = _traced()
    lines = [
        {
            "key": key.name,
            "value": value_of(loaded.settings, key),
            "origin": loaded.origin(key.name).value,
        }
        for key in keys_in(loaded.settings)
    ]
    file = str(loaded.file) if loaded.file else None
    return Result(
        value={"state": str(loaded.settings.state), "file": file, "settings": lines},
        sentences=(f"State directory: {loaded.settings.state}", f"File: {file or 'none'}"),
        table=Table(
            ("key", "value", "from"),
            tuple(tuple(_written(cell) for cell in line.values()) for line in lines),
        ),
    )


@verb(group, example="tillid config explain public.port")
@click.argument("key", required=False, metavar="[SECTION.KEY]")
def explain(key: str | None) -> Result:
    """Explain one setting, or list them all."""
    from server.settings_keys import keys
    from server.settings_sources import nearest

    known = {one.name: one for one in keys()}
    if key is not None and key not in known:
        near = nearest(key, known)
        hint = f" Did you mean {near}?" if near else ""
        raise click.UsageError(f"{key!r} is not a setting.{hint}", click.get_current_context())
    chosen = [known[key]] if key is not None else list(known.values())
    value = [
        {
            "key": one.name,
            "description": one.description,
            "type": one.kind,
            "default": one.default,
            "environment": one.environment,
        }
        for one in chosen
    ]
    if key is None:
        rows = tuple((one.name, one.kind, _written(one.default), one.description) for one in chosen)
        return Result({"settings": value}, table=Table(("key", "kind", "default", "meaning"), rows))
    (one,) = chosen
    return Result(
        {"settings": value},
        sentences=(
            f"{one.name}: {one.description}",
            f"Kind: {one.kind}. Default: {_written(one.default) or '(empty)'}",
            f"Environment: {one.environment}",
        ),
    )


@verb(group, example="tillid config check && tillid config show")
def check() -> Result:
    """Check the settings and list every fault."""
    from server.settings_keys import keys_in

    loaded = _traced()
    count = len(keys_in(loaded.settings))
    return Result(
        value={"settings": count, "given": len(loaded.origins)},
        sentences=(f"All {count} settings are right; {len(loaded.origins)} are not default.",),
    )
