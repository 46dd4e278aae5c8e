"""Rehearsing a ceremony: all of it, with tokens and a database that are thrown away."""

import shutil
from dataclasses import replace
from pathlib import Path

from ceremony.conduct import Papers, hold
from ceremony.errors import Unwritable
from ceremony.people import People
from ceremony.script import (
    MakeToken,
    OpenParent,
    ScriptRead,
    Split,
    read_binding,
    rehearsed,
)
from ceremony.transcript import Written
from records.database import Database
from records.schema import migrate
from server.assembly import assembled
from server.ceremony import site_of
from server.clock import utc_now
from server.rehearsal_authorities import foreign_authority, make_parents
from server.settings_sources import load_settings


def rehearse(read: ScriptRead, folder: Path, out: Path, people: People) -> Written:
    """Hold the ceremony in `folder`, which the caller throws away, and keep the papers in `out`.

    Raises: as `ceremony.conduct.hold`.
    """
    _make(out)
    settings = load_settings({"TILLID_STATE": str(folder)}, folder)
    database = Database(settings.database.url.reveal())
    try:
        migrate(database)
    finally:
        database.close()
    script = rehearsed(read.script)
    binding = read_binding(_binding(read).encode(), "the binding of rehearsals")
    papers = Papers(replace(read, script=script), binding, rehearsal=True)
    with assembled(settings) as parts:
        site = replace(site_of(parts), foreign=lambda pem: foreign_authority(pem, utc_now()))
        site.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_parents(script, binding.binding, site, people)
        written = hold(papers, site, people)
    try:
        for file in written.files:
            shutil.copy(file, out)
    except OSError as error:
        raise Unwritable(out, error.strerror or "it cannot be written") from error
    return replace(written, folder=out)


def _make(out: Path) -> None:
    """The folder for the papers, before anybody has come for nothing."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(out, error.strerror or "it cannot be made") from error


def _binding(read: ScriptRead) -> str:
    """Tokens of SoftHSM, with custodians wherever the script splits a PIN or finds a token."""
    steps = read.script.step
    split = {step.token for step in steps if isinstance(step, Split | OpenParent)}
    named = [step.token for step in steps if isinstance(step, MakeToken | OpenParent)]
    tokens = list(dict.fromkeys(named))
    return "\n".join(
        f'[token.{token}]\nlabel = "rehearsal-{number}"\n'
        f'pin = "{"custodians" if token in split else "file"}"\n'
        for number, token in enumerate(tokens, 1)
    )
