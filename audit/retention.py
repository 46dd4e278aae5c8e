"""How long the two classes of the log are kept, and what goes when their time is over.

Personal payloads and administrative headers are of two classes (NSIS guidance section 4.1.4): each
has a period of whole calendar years after the year of its event. A payload never outlives its
header, which commits to it. Of a dropped header the leaf hash stays, so the tree is the same.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from audit.errors import Break, ChainBroken, HeaderMalformed
from audit.events import Detail, Entry, Event, Header, parse_header
from audit.payloads import DROPPED

RETAINED = "audit.retained"


@dataclass(frozen=True, slots=True)
class RetentionPeriods:
    """Whole calendar years after the year of the event.

    Raises:
        ValueError: a payload would outlive its header.
    """

    personal: int
    administrative: int

    def __post_init__(self) -> None:
        if not 0 <= self.personal <= self.administrative:
            raise ValueError("payloads are kept no longer than the headers that commit to them")


@dataclass(frozen=True, slots=True)
class Retention:
    """What one retention event drops, or a plan of it."""

    payloads_below: int
    """Entries before this number keep no payload."""
    headers_below: int
    """Entries before this number keep no header, only the leaf hash."""
    payloads: int
    """How many payloads that were there go."""
    headers: int
    """How many headers that were there go."""
    carried: int
    """Payloads missing before `headers_below` that no event before it declared."""

    @property
    def is_nothing(self) -> bool:
        """Whether nothing goes."""
        return not self.payloads and not self.headers

    def event(self, actor: str) -> Event:
        """The event that declares it."""
        details: dict[str, Detail] = {
            "payloads_below": self.payloads_below,
            "headers_below": self.headers_below,
            DROPPED: self.payloads,
            "headers_dropped": self.headers,
            "carried": self.carried,
        }
        return Event(RETAINED, actor, "audit", details)


def kept_since(now: datetime, years: int) -> datetime:
    """What is older than this has had its calendar year and the years after it.

    An event of any day of 2024 is kept for 5 years until the end of 2029.
    """
    return datetime(max(now.astimezone(UTC).year - years, 1), 1, 1, tzinfo=UTC)


def declared_drop(entry: Entry) -> tuple[int, int]:
    """Below which number a retention event drops headers, and what it carries.

    Raises:
        ChainBroken: the entry is no such event.
    """
    try:
        header = parse_header(entry.header)
        below, carried = (header.event.details[key] for key in ("headers_below", "carried"))
    except (HeaderMalformed, KeyError) as error:
        raise ChainBroken(entry.sequence, Break.HEADER_GONE) from error
    if header.event.type != RETAINED or type(below) is not int or type(carried) is not int:
        raise ChainBroken(entry.sequence, Break.HEADER_GONE)
    if header.sequence != entry.sequence or not 0 <= below <= entry.sequence or carried < 0:
        raise ChainBroken(entry.sequence, Break.HEADER_GONE)
    return below, carried


def balance_of(header: Header) -> int:
    """Payloads that the event had, less those that it declares gone."""
    declared = header.event.details.get(DROPPED)
    had = 0 if header.commitment is None else header.commitment.count
    return had - (declared if type(declared) is int else 0)
