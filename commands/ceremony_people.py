"""The people of a ceremony, at the terminal of this process.

They are asked on /dev/tty, so standard output stays the answer of the verb. What a custodian sees
is on the terminal's other screen, which is wiped before anybody else looks.
"""

import os
import secrets
import termios
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from ceremony.errors import NoTerminal
from commands.output import printable

_OTHER_SCREEN, _OWN_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
_WIPE = "\x1b[H\x1b[2J\x1b[3J"
_COLUMNS = 4
_ASKED_BACK = 3
_LONGEST = 100


class TerminalPeople:
    """Implements `ceremony.people.People`."""

    def __init__(self, descriptor: int) -> None:
        """Use `open`."""
        self._descriptor = descriptor

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Self]:
        """The terminal that this process was started from. Raises: NoTerminal."""
        try:
            descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError:
            raise NoTerminal from None
        try:
            yield cls(descriptor)
        finally:
            os.close(descriptor)

    def tell(self, *lines: str) -> None:
        """Say something."""
        self._write("".join(f"{printable(line)}\n" for line in lines))

    def ask(self, question: str, *, optional: bool = False) -> str:
        """A line that somebody types; empty only if optional."""
        while True:
            self._write(f"{question} ")
            typed = unicodedata.normalize("NFC", " ".join(self._line().split()))
            if typed.isprintable() and len(typed) <= _LONGEST and (typed or optional):
                return typed
            self.tell(f"Type 1 to {_LONGEST} letters.")

    def identify(self, question: str, names: Sequence[str]) -> str:
        """The one of the names that somebody types, whatever the case of its letters."""
        known = {name.casefold(): name for name in names}
        while True:
            typed = self.ask(question).casefold()
            if typed in known:
                return known[typed]
            self.tell(f"  That is none of: {', '.join(names)}.")

    def before_step(self) -> list[str]:
        """Wait for Enter; before it, any number of deviations can be written down."""
        found: list[str] = []
        while True:
            question = "  Enter: do it. Anything else you type is written down as a deviation:"
            typed = self.ask(question, optional=True)
            if not typed:
                return found
            found.append(typed)

    def hand_out(self, custodian: str, heading: str, share: str) -> None:
        """Show a share on a screen of its own until some of its words are typed back."""
        self.ask(f"{custodian} alone looks at the screen now. Enter:", optional=True)
        words = share.split()
        complaint = ""
        with self._other_screen():
            while True:
                self._write(_WIPE)
                self.tell(heading, complaint, "", *_in_columns(words), "")
                self.tell("Write the words down with their numbers. Then press Enter.")
                self._line()
                self._write(_WIPE)
                if self._typed_back(words):
                    return
                complaint = "A word was not the right one. Compare what you wrote down."

    def take_share(self, heading: str, complaint: str) -> str:
        """What a custodian types, on a screen of its own."""
        with self._other_screen():
            self._write(_WIPE)
            self.tell(heading, *([complaint] if complaint else []), "")
            self.tell("Type its words in order, with spaces; their first four letters do.")
            typed = ""
            while not typed:
                typed = self._line()
            return typed

    def secret(self, question: str) -> str:
        """A line that is not shown while it is typed."""
        self._write(f"{question} ")
        kept = termios.tcgetattr(self._descriptor)
        silent = list(kept)
        silent[3] &= ~termios.ECHO
        termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, silent)
        try:
            return self._line()
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, kept)
            self._write("\n")

    def _typed_back(self, words: list[str]) -> bool:
        numbers = sorted(secrets.SystemRandom().sample(range(len(words)), _ASKED_BACK))
        for number in numbers:
            self._write(f"Word {number + 1}: ")
            if self._line().lower() != words[number]:
                return False
        return True

    @contextmanager
    def _other_screen(self) -> Iterator[None]:
        self._write(_OTHER_SCREEN)
        try:
            yield
        finally:
            self._write(_WIPE + _OWN_SCREEN)

    def _line(self) -> str:
        octets = b""
        while not octets.endswith(b"\n"):
            read = os.read(self._descriptor, 4096)
            if not read:
                raise KeyboardInterrupt  # Ctrl-D: nobody types any more
            octets += read
        return octets.decode("utf-8", "replace").strip()

    def _write(self, text: str) -> None:
        octets = text.encode()
        while octets:
            octets = octets[os.write(self._descriptor, octets) :]


def _in_columns(words: list[str]) -> list[str]:
    cells = [f"{number:2}. {word:12}" for number, word in enumerate(words, 1)]
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    return ["".join(row).rstrip() for row in rows]
