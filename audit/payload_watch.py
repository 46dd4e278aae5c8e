"""What a verification asks of payloads: each where its header says, and none gone in silence.

A payload that ended is declared by a later event, by number alone: which person's it was, nobody
may find out. So the count of what is missing must be, before each declaration and at the end, what
the declarations say.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from audit.errors import Break, ChainBroken, PayloadAltered, PayloadKeyGone
from audit.events import Commitment, Header
from audit.payloads import DROPPED, Derivation, SealedPayload, check_openings, open_payload


@dataclass(slots=True)
class PayloadWatch:
    """Follows the entries of one verification, in order, with the payloads that are there."""

    rows: Iterator[SealedPayload]
    """The payloads from the first entry that is followed on, by sequence number and place."""
    derivation: Callable[[str], Derivation] | None = None
    """The data key of a subject whose key is there; None to look at nothing that needs keys."""
    whole: bool = True
    """Whether the log is followed from its beginning; else earlier payloads may be declared."""
    present: int = 0
    """How many payloads stand."""
    missing: int = 0
    declared: int = 0
    _row: SealedPayload | None = None
    _open: list[tuple[int, int]] = field(default_factory=list)
    """Where payloads are missing that no event declared yet, and how many; latest last."""

    def begin(self, sequence: int, carried: int) -> None:
        """Of the entries before this one the headers are dropped; what they leave is carried."""
        self._row = next(self.rows, None)
        if self._row is not None and self._row.sequence < sequence:
            raise ChainBroken(self._row.sequence, Break.PAYLOAD_ADDED)
        if carried:
            self._open.append((sequence - 1, carried))
            self.missing += carried

    def follow(self, header: Header) -> None:
        """The next entry.

        Raises:
            ChainBroken: a payload is altered, added, left behind, or declared too often.
        """
        here = header.sequence
        found = self._found(here, header.commitment)
        expected = 0 if header.commitment is None else header.commitment.count
        if found < expected:
            self._open.append((here, expected - found))
            self.missing += expected - found
        declared = header.event.details.get(DROPPED)
        if type(declared) is int:
            self._declare(here, declared)

    def close(self) -> None:
        """After the last entry.

        Raises:
            ChainBroken: a payload is gone that no event declares, or stands after the last entry.
        """
        if self._row is not None:
            raise ChainBroken(self._row.sequence, Break.PAYLOAD_ADDED)
        if self._open:
            raise ChainBroken(self._open[-1][0], Break.PAYLOAD_GONE)

    def _found(self, here: int, commitment: Commitment | None) -> int:
        found, number = 0, -1
        while (row := self._row) is not None and row.sequence <= here:
            if commitment is None or row.sequence < here or row.number <= number:
                raise ChainBroken(row.sequence, Break.PAYLOAD_ADDED)
            self._check(row, commitment)
            found, number = found + 1, row.number
            self._row = next(self.rows, None)
        self.present += found
        return found

    def _check(self, row: SealedPayload, commitment: Commitment) -> None:
        if row.number >= commitment.count:
            raise ChainBroken(row.sequence, Break.PAYLOAD_ADDED)
        if not row.has_key:
            raise ChainBroken(row.sequence, Break.PAYLOAD_KEY_GONE)
        try:
            if self.derivation is None:
                check_openings(commitment, row)
            else:
                open_payload(commitment, row, self.derivation(row.subject_id))
        except PayloadKeyGone as error:
            raise ChainBroken(row.sequence, Break.PAYLOAD_KEY_GONE) from error
        except PayloadAltered as error:
            raise ChainBroken(row.sequence, Break.PAYLOAD_ALTERED) from error

    def _declare(self, here: int, declared: int) -> None:
        self.declared += declared
        while declared and self._open:
            position, count = self._open.pop()
            if count > declared:
                self._open.append((position, count - declared))
            declared -= min(count, declared)
        if declared and self.whole:
            raise ChainBroken(here, Break.PAYLOAD_DECLARED)
