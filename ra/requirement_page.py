"""The page docs/nsis.md, made from the rules themselves.

`tillid policy requirements --markdown` writes it; its prose is in `ra/requirement_page.md`.
"""

from collections import Counter
from collections.abc import Iterator
from importlib.resources import files

from ra.case_reader import described
from ra.requirements import How, Requirement, requirements


def requirement_page() -> str:
    """The whole page in Markdown."""
    rows = tuple(requirements().values())
    page = files("ra").joinpath("requirement_page.md").read_text(encoding="utf-8")
    made = {"@counts@": _counts(rows), "@table@": _table(rows), "@parts@": _parts()}
    for mark, lines in made.items():
        page = page.replace(mark, "\n".join(lines).strip("\n"))
    return page


def _counts(rows: tuple[Requirement, ...]) -> Iterator[str]:
    counts = Counter(each.met.how for each in rows)
    yield "| met | requirements |"
    yield "|---|---|"
    for how in How:
        yield f"| {how} | {counts[how]} |"


def _table(rows: tuple[Requirement, ...]) -> Iterator[str]:
    yield "| id | from | for | force | requirement | met | codes |"
    yield "|---|---|---|---|---|---|---|"
    for each in rows:
        codes = " ".join(f"`{error.code}`" for error in each.errors)
        level, applies = min(each.levels).label, " ".join(each.applies)
        text = f"{each.sentence} [{each.source}]"
        cells = (each.id, level, applies, each.force, text, how_met(each), codes)
        yield f"| {' | '.join(cells)} |"


def how_met(requirement: Requirement) -> str:
    """In a few words how a requirement is met, and by what."""
    met = requirement.met
    return f"{met.how}: {met.by}"


def _parts() -> Iterator[str]:
    for part, keys in described():
        yield f"\n`{part}`\n"
        yield "| key | values | default |"
        yield "|---|---|---|"
        for key, values, default in keys:
            yield f"| {key} | {values} | {default} |"
