"""Custodians: the PIN of a token, split so that any `threshold` of them can put it together.

The shares are those of SLIP-0039: twenty words of a list of 1024, no two of which begin with the
same four letters; three of them are check words. What is split is the text of the PIN, so that
any program for SLIP-0039 can put it together too.
"""

import hashlib
import hmac
import secrets
import string
from collections.abc import Iterable

from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.wordlist import WORDLIST

from ceremony.custody import Custody
from ceremony.errors import ShareRefused

WORDS = 20
"""The words of a share; a PIN of 128 bits, as text, takes so many."""

_PIN_LETTERS = 16
_ALPHABET = string.ascii_letters + string.digits
_TELLING = 4
_BY_START = {word[:_TELLING]: word for word in WORDLIST}


def new_pin() -> str:
    """A random PIN: 16 letters and digits, 95 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_PIN_LETTERS))


def officer_pin(pin: str, label: str) -> str:
    """The security officer's PIN of a token, which the same custodians can put together."""
    keyed = hmac.new(pin.encode(), f"security officer of {label}".encode(), hashlib.sha256)
    return keyed.hexdigest()[:_PIN_LETTERS]


def split_pin(pin: str, threshold: int, shares: int) -> tuple[Custody, tuple[str, ...]]:
    """The shares of a PIN of `new_pin`, each 20 words; any `threshold` (2 or more) restore it."""
    (group,) = generate_mnemonics(1, [(threshold, shares)], pin.encode())
    first = Share.from_mnemonic(group[0])
    return Custody(threshold, shares, first.identifier), tuple(group)


def read_share(typed: str, custody: Custody, others: Iterable[str]) -> str:
    """The share that was typed, whole words or their first four letters, checked.

    Raises:
        ShareRefused: a word is not of the list, the check words do not fit, it is of another
            set, or it is one of the others.
    """
    words = typed.lower().split()
    if len(words) != WORDS:
        raise ShareRefused(f"a share has {WORDS} words, and these are {len(words)}")
    for number, word in enumerate(words, 1):
        if word not in WORDLIST and (len(word) != _TELLING or word not in _BY_START):
            raise ShareRefused(f"word {number} is not a word that shares are made of")
    whole = " ".join(_BY_START[word[:_TELLING]] if word not in WORDLIST else word for word in words)
    try:
        share = Share.from_mnemonic(whole)
    except MnemonicError:
        raise ShareRefused("the check words do not fit: a word is wrong or misplaced") from None
    if share.identifier != custody.identifier or share.member_threshold != custody.threshold:
        raise ShareRefused("it is a share of another set, not of this token's PIN")
    if any(Share.from_mnemonic(other).index == share.index for other in others):
        raise ShareRefused("this share was given already")
    return whole


def join_pin(shares: Iterable[str]) -> str:
    """The PIN of exactly `threshold` shares. Raises: ShareRefused when they make none."""
    try:
        return str(combine_mnemonics(list(shares)).decode("ascii"))
    except (MnemonicError, UnicodeDecodeError):
        raise ShareRefused("these shares do not make a PIN together") from None
