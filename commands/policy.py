"""`tillid policy`: what identities are proven under, and what NSIS demands."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.files import read_octets
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from ra.policies import Policy


@click.group
def group() -> None:
    """Policies of identity proofing: list, show, check, compare; the requirements of NSIS."""


@verb(group, example="tillid policy list")
def _list() -> Result:
    """List the policies that are shipped, with their digests."""
    from ra.policies import policy_names, shipped_policy

    found = [(name, shipped_policy(name).sha256) for name in policy_names()]
    return Result(
        {"policies": [{"name": name, "sha256": digest} for name, digest in found]},
        table=Table(("Policy", "SHA-256"), tuple(found)),
    )


@verb(group, example="tillid policy show substantial-1")
@click.argument("policy")
def show(policy: str) -> Result:
    """Show a policy, by its name or its file."""
    found = _read(policy)
    words = _words(found)
    return Result(
        {"name": found.name, "sha256": found.sha256, "policy": words},
        (f"Policy {found.name}", f"SHA-256: {found.sha256}"),
        Table(("Key", "Value"), tuple(words.items())),
    )


@verb(group, example="tillid policy sources sources.toml")
@click.argument("file", type=click.Path(path_type=Path))
def sources(file: Path) -> Result:
    """Check a catalogue of approved sources and assessments, and list them."""
    from ra.source_catalogue import parse_catalogue

    found = parse_catalogue(read_octets(str(file)))
    rows = [(s.id, s.approved_by, str(s.valid_from), str(s.valid_until)) for s in found.sources]
    for kind in (found.equivalences, found.telephones):
        rows += [(e.subject, e.approved_by, str(e.valid_from), str(e.valid_until)) for e in kind]
    return Result(
        {
            "sources": [s.id for s in found.sources],
            "equal": [e.subject for e in found.equivalences],
            "telephones": {e.subject: e.criteria for e in found.telephones},
        },
        () if rows else ("The catalogue is empty, so nothing reaches Substantial.",),
        Table(("Source", "Approved by", "From", "Until"), tuple(rows)),
    )


@verb(group, example="tillid policy check counter-2.toml")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> Result:
    """Check a policy file: its form, and a reason for everything that it relaxes."""
    from ra.policies import parse_policy

    found = parse_policy(file.stem, read_octets(str(file)))
    relaxed = [each.requirement for each in found.relaxed]
    sentences = [f"{file} holds policy {found.name} without a fault."]
    sentences += [f"It relaxes {', '.join(relaxed)}."] if relaxed else []
    return Result(
        {"name": found.name, "sha256": found.sha256, "relaxed": relaxed}, tuple(sentences)
    )


@verb(group, example="tillid policy diff substantial-1 substantial-2.toml")
@click.argument("one")
@click.argument("other")
def diff(one: str, other: str) -> Result:
    """Say what differs between two policies; 9 when something does."""
    before, after = _words(_read(one)), _words(_read(other))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    rows = tuple((key, before.get(key, "-"), after.get(key, "-")) for key in keys)
    names = ("key", "before", "after")
    return Result(
        {"differences": [dict(zip(names, row, strict=True)) for row in rows]},
        () if rows else ("They say the same.",),
        Table(("Key", one, other), rows) if rows else None,
        ExitCode.CHECK_SAYS_NO if rows else ExitCode.DONE,
    )


@verb(group, example="tillid policy requirements")
@click.option("--markdown", is_flag=True, help="Write the page docs/nsis.md.")
def requirements(markdown: bool) -> Result:  # noqa: FBT001 - click's way
    """List the requirements of NSIS and how each of them is met."""
    import dataclasses

    from ra.requirement_page import how_met, requirement_page
    from ra.requirements import requirements as table

    rows = tuple(table().values())
    value = {
        "requirements": [
            dataclasses.asdict(each) | {"levels": [level.label for level in sorted(each.levels)]}
            for each in rows
        ]
    }
    if markdown:
        return Result(value, tuple(requirement_page().splitlines()))
    return Result(
        value,
        table=Table(
            ("Requirement", "From", "Demand", "Met"),
            tuple((each.id, min(each.levels).label, each.sentence, how_met(each)) for each in rows),
        ),
    )


def _words(policy: "Policy") -> dict[str, str]:
    from ra.policies import policy_words

    return policy_words(policy)


def _read(name: str) -> "Policy":
    """A shipped policy by its name, else the one in a file."""
    from ca.errors import NotFound
    from ra.policies import NAME, parse_policy, shipped_policy

    if not NAME.fullmatch(name):
        return parse_policy(Path(name).stem, read_octets(name))
    try:
        return shipped_policy(name)
    except KeyError:
        raise NotFound("policy", name) from None
