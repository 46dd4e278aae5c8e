"""Lists of certificates to revoke, read line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.identifiers import IssuerName, SerialNumber
from revocation.errors import SelectionFaulty
from revocation.selections import Selection, digest_of, read_list

ISSUING = IssuerName("issuing")


def test_a_list_has_one_certificate_a_line_and_remarks() -> None:
    lines = ["# lost", "", "issuing/01ab", "  02cd  # the second", "issuing/01AB"]
    assert read_list(lines, ISSUING) == {
        (ISSUING, SerialNumber(0x01AB)): 3,
        (ISSUING, SerialNumber(0x02CD)): 4,
    }


@pytest.mark.parametrize("line", ["junk", "issuing/", "/01ab", "a/b/01", "01ab 02cd", "-1", "é/01"])
def test_a_line_that_names_no_certificate_is_told_by_its_number(line: str) -> None:
    with pytest.raises(SelectionFaulty) as refused:
        read_list(["01ab", line, "02cd", line], ISSUING)
    assert [number for number, _ in refused.value.faults] == [2, 4]


def test_a_serial_alone_needs_an_issuer() -> None:
    with pytest.raises(SelectionFaulty):
        read_list(["01ab"])


@given(st.lists(st.text(max_size=60), max_size=20))
def test_no_text_breaks_the_reader(lines: list[str]) -> None:
    try:
        numbers = set(read_list(lines, ISSUING).values())
    except SelectionFaulty as refused:
        numbers = {number for number, _ in refused.faults}
    assert numbers <= set(range(1, len(lines) + 1))


def test_nothing_named_is_no_selection() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Selection()


def test_the_digest_is_of_the_lines_as_a_shell_would_take_it() -> None:
    # printf 'issuing/01ab\nissuing/02cd\n' | sha256sum
    assert digest_of([("issuing", "01ab"), ("issuing", "02cd")]) == (
        "3e99a870ea9fac1c4640f04fc4bb9fae6490c5148e70b6500b3ea6229e290e76"
    )
