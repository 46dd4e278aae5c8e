"""Custodians' shares: any so many make the PIN, and a slip of the pen is told as what it is."""

import itertools
from collections.abc import Callable

import pytest
from shamir_mnemonic import combine_mnemonics

from ceremony.custodians import WORDS, join_pin, new_pin, officer_pin, read_share, split_pin
from ceremony.custody import Custody
from ceremony.errors import ShareRefused

PIN = "aB3dE6gH9jK2mN5p"


def test_any_two_of_three_custodians_make_the_pin_in_any_order() -> None:
    _, shares = split_pin(PIN, 2, 3)
    for pair in itertools.permutations(shares, 2):
        assert join_pin(pair) == PIN


def test_a_share_is_twenty_words_that_any_slip39_program_reads() -> None:
    _, shares = split_pin(PIN, 3, 5)
    assert {len(share.split()) for share in shares} == {WORDS}
    assert combine_mnemonics(shares[:3]).decode() == PIN


def test_one_share_fewer_makes_nothing() -> None:
    _, shares = split_pin(PIN, 3, 5)
    with pytest.raises(ShareRefused, match="do not make a PIN"):
        join_pin(shares[:2])


def test_the_first_four_letters_of_each_word_do() -> None:
    custody, shares = split_pin(PIN, 2, 3)
    typed = "  ".join(word[:4].upper() for word in shares[0].split())
    assert read_share(typed, custody, []) == shares[0]


def test_pins_are_random_and_the_officers_pin_follows_from_the_users() -> None:
    assert new_pin() != new_pin()
    assert len(new_pin()) == len(officer_pin(PIN, "root")) == 16
    assert officer_pin(PIN, "root") != officer_pin(PIN, "other")
    assert officer_pin(PIN, "root") == officer_pin(PIN, "root")


def swapped(share: str) -> str:
    first, second, *others = share.split()
    return " ".join([second, first, *others])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda s: s.rsplit(" ", 1)[0], "has 20 words, and these are 19"),
        (lambda s: s.replace(s.split()[4], "xyzzy"), "word 5 is not a word"),
        (swapped, "the check words do not fit"),
    ],
)
def test_a_mistyped_share_is_told_in_one_sentence(
    spoil: Callable[[str], str], sentence: str
) -> None:
    custody, shares = split_pin(PIN, 2, 3)
    with pytest.raises(ShareRefused, match=sentence):
        read_share(spoil(shares[1]), custody, [])


def test_a_share_of_another_set_is_not_taken() -> None:
    custody, shares = split_pin(PIN, 2, 3)
    other = Custody(2, 3, custody.identifier ^ 1)
    with pytest.raises(ShareRefused, match="another set"):
        read_share(shares[0], other, [])


def test_a_share_is_not_taken_twice() -> None:
    custody, shares = split_pin(PIN, 2, 3)
    with pytest.raises(ShareRefused, match="given already"):
        read_share(shares[0], custody, [shares[0]])


def test_no_refusal_quotes_what_was_typed() -> None:
    custody, shares = split_pin(PIN, 2, 3)
    said = []
    for typed in (swapped(shares[0]), f"{shares[0]} extra", "secretword " * 20):
        with pytest.raises(ShareRefused) as refused:
            read_share(typed, custody, [])
        said.append(str(refused.value))
    assert said == [
        "the check words do not fit: a word is wrong or misplaced",
        "a share has 20 words, and these are 21",
        "word 1 is not a word that shares are made of",
    ]


def test_what_is_known_of_a_split_comes_back_as_it_was() -> None:
    custody, _ = split_pin(PIN, 2, 3)
    assert Custody.parse(custody.encode()) == custody
