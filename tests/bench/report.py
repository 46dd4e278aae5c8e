"""Tables that the benches write into docs/performance.md, each between its own two marks."""

from tests.support.command_line import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
_HEAD = """# Performance

Every table here is written by the command that measures it, into a section between two marks; it
is measured anew by running the command on a machine that does nothing else. What ran in one table
ran in turns, so its ratios mean something; the same figure of two tables, or of two machines, does
not. A share that is to be reached stands beside what was found, and one that is short says what
limits it.
"""


def write_section(name: str, text: str) -> None:
    """Put the text in place of what the bench of that name wrote before."""
    begin = f"<!-- written by ./dev bench {name} -->"
    end = f"<!-- end of ./dev bench {name} -->"
    old = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else _HEAD
    if begin not in old:
        old += f"\n{begin}\n{end}\n"
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(end)
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
