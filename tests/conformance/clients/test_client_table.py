"""docs/relying-parties.md is the matrix in words, made from the very table that is tested.

`.venv/bin/python tests/conformance/clients/test_client_table.py` writes it anew.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from tests.support.shard_town import SPREAD  # noqa: E402
from tests.support.status_matrix import BY_NAME, STATES, Channel, Client  # noqa: E402

PAGE = ROOT / "docs" / "relying-parties.md"
_HEAD = """# Relying parties

What `./dev test` asks about certificates in every state, by programs as Debian 12 has them, of one
running service (`tests/conformance/clients/`). The last column is what it makes of a
certificate that our key signed and no record knows.

| client | hears by | tells the reason | in no record |
|---|---|---|---|
"""
_SHARDS = """
## Shards and deltas

Of an authority whose certificates name shards of its CRL (`--crl-shards`), and whose complete CRL
has a delta (`--crl-deltas`). `returned` was on hold, and `revoked-later` good, in the complete CRL
from before. Whoever keeps CRLs with `certtool`, NSS or strongSwan gives them the complete one
alone, which goes on; and `pyhanko-certvalidator` the delta too: it wants the one that the complete
CRL names, and fetches none, since certificates do not name it.
"""


def clients() -> list[Client]:
    modules = sorted(path.stem for path in Path(__file__).parent.glob("test_client_*.py"))
    found = [import_module(name) for name in modules if name != "test_client_table"]
    return [client for module in found for client in module.CLIENTS]


def page() -> str:
    rows = "".join(f"| {' | '.join(_row(client))} |\n" for client in clients())
    states = ", ".join(state.name for state in STATES)
    return f"{_HEAD}{rows}\nStates: {states}.\n{_SHARDS}{''.join(_groups())}"


def _groups() -> Iterator[str]:
    """One table for each kind of list that clients have."""
    head = ("client", *(state.name for state in SPREAD))
    groups: dict[str, tuple[Client, ...]] = import_module("test_shards_and_deltas").GROUPS
    for given, asked in groups.items():
        yield f"\nWith {given}:\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}\n"
        for client in asked:
            said = (client.known_as.get(state.name, state.status) for state in SPREAD)
            yield f"| `{client.name}` | {' | '.join(said)} |\n"


def _row(client: Client) -> tuple[str, ...]:
    unissued = BY_NAME["unissued"]
    verdict = client.known_as.get(
        unissued.name, unissued.verdict(client.channel, by_path=client.by_path)
    )
    return f"`{client.name}`", client.channel.value, "yes" if client.words else "no", verdict.value


def test_the_page_says_what_is_tested() -> None:
    assert PAGE.read_text() == page()


def test_every_channel_has_clients() -> None:
    spread = import_module("test_shards_and_deltas").GROUPS.values()
    asked = [*clients(), *(client for group in spread for client in group)]
    assert {client.channel for client in asked} == {*Channel}


if __name__ == "__main__":
    PAGE.write_text(page())
