"""What counts as a question to the HTTP store (RFC 4387 section 2.1)."""

import base64
from hashlib import sha1

import pytest

from server.public_store import read_query

KNOWN = frozenset({"certHash", "sHash"})
HASH = sha1(b"+/", usedforsecurity=False).digest()
TEXT = base64.b64encode(HASH).decode()


@pytest.mark.parametrize(
    "text", [TEXT, TEXT.rstrip("="), TEXT.replace("+", "%2B").replace("/", "%2F")]
)
def test_a_hash_may_be_written_with_and_without_padding_and_escapes(text: str) -> None:
    assert read_query(f"certHash={text}", KNOWN) == ("certHash", HASH)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "certHash",
        "certHash=",
        f"name={TEXT}",
        f"certHash={TEXT}&sHash={TEXT}",
        "certHash=AAAA",
        "certHash=" + "A" * 43,
        "certHash=" + "!" * 27,
        "certHash=" + "A" * 10_000,
        "certHash=%00%ff",
        "certHash=Ø",
    ],
)
def test_anything_else_is_no_question(query: str) -> None:
    assert read_query(query, KNOWN) is None
