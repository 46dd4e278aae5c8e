"""docs/relying-parties.md is the matrix in words, made from the very table that is tested.

`.venv/bin/python tests/conformance/clients/test_client_table.py` writes it anew.
"""

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from tests.support.status_matrix import BY_NAME, STATES, Channel, Client  # noqa: E402

PAGE = ROOT / "docs" / "relying-parties.md"
_HEAD = """# Relying parties

What `./dev test` asks about certificates in every state, by programs as Debian 12 has them, of one
running service (`tests/conformance/clients/`). The last column is what it makes of a
certificate that our key signed and no record knows.

| client | hears by | tells the reason | in no record |
|---|---|---|---|
"""


def clients() -> list[Client]:
    modules = sorted(path.stem for path in Path(__file__).parent.glob("test_client_*.py"))
    found = [import_module(name) for name in modules if name != "test_client_table"]
    return [client for module in found for client in module.CLIENTS]


def page() -> str:
    rows = "".join(f"| {' | '.join(_row(client))} |\n" for client in clients())
    states = ", ".join(state.name for state in STATES)
    return f"{_HEAD}{rows}\nStates: {states}.\n"


def _row(client: Client) -> tuple[str, ...]:
    unissued = BY_NAME["unissued"]
    verdict = client.known_as.get(
        unissued.name, unissued.verdict(client.channel, by_path=client.by_path)
    )
    return f"`{client.name}`", client.channel.value, "yes" if client.words else "no", verdict.value


def test_the_page_says_what_is_tested() -> None:
    assert PAGE.read_text() == page()


def test_every_channel_has_clients() -> None:
    assert {client.channel for client in clients()} == {*Channel}


if __name__ == "__main__":
    PAGE.write_text(page())
