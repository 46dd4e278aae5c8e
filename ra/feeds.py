"""Feeds: an organisation's own system says who belongs to it, in signed records (NSIS 5; ASC-S8b).

The management designates one seal of the organisation, which signs for the system. Each of its
records is a whole list: who is in it no more belongs no more.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ra.associations import AssociationKind
from ra.errors import Refused
from ra.legal_persons import CvrNumber
from ra.levels import AssuranceLevel
from ra.requirements import finding

_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Feed:
    """The seal that signs for an organisation's system: SHA-256 fingerprint, in hexadecimal."""

    certificate: str | None
    """None: no seal does any more."""
    designated_at: datetime
    told_at: datetime | None = None
    """When the latest records were made, as they say."""


@dataclass(frozen=True, slots=True)
class FeedRecords:
    """Everybody who belongs to an organisation by its system, by the ids of their applications."""

    company: CvrNumber
    made_at: datetime
    kind: AssociationKind
    level: AssuranceLevel
    people: tuple[str, ...]


def feed_refused(*concerns: str) -> Refused:
    """That a feed is not designated, or its records are not authenticated (ASC-S8b)."""
    return Refused((finding("ASC-S8b", "FEED_NOT_AUTHENTICATED", concerns),))


def hear(feed: Feed, records: FeedRecords, company: CvrNumber, now: datetime) -> Feed:
    """The feed after these records, of which the seal's signature was verified.

    Raises: Refused when they are another organisation's, from the future, or no newer than the
    designation or than records heard before.
    """
    since = feed.designated_at if feed.told_at is None else max(feed.designated_at, feed.told_at)
    if records.company != company:
        raise feed_refused("cvr")
    if not since < records.made_at <= now + _CLOCKS_DIFFER:
        raise feed_refused("made_at")
    return replace(feed, told_at=records.made_at)
