"""The plan for 100 million certificates: from a few measured figures to sums, written as a page.

docs/scale.md holds the measured figures in a table and everything that follows from them; a test
reads the table and makes the page again.
"""

import re
from dataclasses import dataclass, fields
from math import ceil
from pathlib import Path

CERTIFICATES = 100_000_000
REVOKED_SHARE = 0.02
CHECKS_A_DAY = 10
"""How often a certificate is looked at, by everybody together (assumed)."""
CACHES = 20
"""Places of a content delivery network that keep answers of their own (assumed)."""
VALIDITY_HOURS = 15
"""thisUpdate to nextUpdate of OCSP answers; the responder takes less than 16."""
FILES = 3
"""Of a certificate: for SHA-1 as two kinds of client spell it, and for SHA-256."""
SHARD_OCTETS = 1_000_000
"""How large a CRL is to be that a client fetches."""
DAY = 86_400
_PAGE = Path(__file__).with_name("scale_page.md")


@dataclass(frozen=True)
class Measured:
    """What `./dev bench scale` measured here, in the unit of its row."""

    row_octets: float
    answer_row_octets: float
    answer_octets: float
    entry_octets: float
    produced_a_second: float
    files_a_second: float
    nginx_a_second: float


ROWS = {
    "row_octets": ("certificate with its indexes, PostgreSQL, not vacuumed", "octets"),
    "answer_row_octets": (
        "two OCSP answers made ahead with their index, PostgreSQL, not vacuumed",
        "octets",
    ),
    "answer_octets": ("one OCSP answer", "octets"),
    "entry_octets": ("CRL entry with a reason", "octets"),
    "produced_a_second": (
        "certificates whose two answers are signed in SoftHSM and kept, one process",
        "a second",
    ),
    "files_a_second": ("answer files written, one process", "a second"),
    "nginx_a_second": ("answers from files by one nginx worker, by its CPU time", "a second"),
}


def hit_rate(validity_hours: float) -> float:
    """Of the questions, how many a cache answers; they come at random times.

    One reaches the origin, and those that follow while its answer may be kept, for a quarter of
    its validity, do not.
    """
    asked = CHECKS_A_DAY / CACHES * validity_hours / 4 / 24
    return asked / (1 + asked)


def render(measured: Measured) -> str:
    """The whole page."""
    return _PAGE.read_text().format(table=_table(measured), **_sums(measured))


def read(page: str) -> Measured:
    """The measured figures of a page."""
    found = {}
    for name, (label, _) in ROWS.items():
        (value,) = re.findall(rf"^\| {re.escape(label)} \| ([0-9,]+) ", page, re.MULTILINE)
        found[name] = float(value.replace(",", ""))
    return Measured(**found)


def _table(measured: Measured) -> str:
    lines = ["| measured here | |", "|---|---|"]
    for each in fields(measured):
        label, unit = ROWS[each.name]
        lines.append(f"| {label} | {getattr(measured, each.name):,.0f} {unit} |")
    return "\n".join(lines)


def _sums(m: Measured) -> dict[str, str]:
    half_life = VALIDITY_HOURS / 2 * 3600
    rate = CERTIFICATES / half_life
    revoked = CERTIFICATES * REVOKED_SHARE
    complete = revoked * m.entry_octets
    shards = ceil(complete / SHARD_OCTETS)
    questions = CERTIFICATES * CHECKS_A_DAY / DAY
    hits = hit_rate(VALIDITY_HOURS)
    origin = questions * (1 - hits)
    stored = CERTIFICATES * (m.row_octets + m.answer_row_octets)
    fetched = CERTIFICATES * SHARD_OCTETS / DAY
    return {
        "certificates": f"{CERTIFICATES / 1e6:,.0f} million",
        "validity": f"{VALIDITY_HOURS} hours",
        "half_life": f"{VALIDITY_HOURS / 2:g} hours",
        "rate": f"{rate:,.0f}",
        "signatures": f"{2 * rate:,.0f}",
        "produced": f"{m.produced_a_second:,.0f}",
        "nodes": f"{ceil(rate / m.produced_a_second)}",
        "hour_rate": f"{CERTIFICATES / 1800:,.0f}",
        "rows_size": f"{CERTIFICATES * m.row_octets / 1e9:,.0f} GB",
        "answers_size": f"{CERTIFICATES * m.answer_row_octets / 1e9:,.0f} GB",
        "stored": f"{stored / 1e9:,.0f} GB",
        "written": f"{rate * m.answer_row_octets / 1e6:,.0f} MB/s",
        "issuers": f"{ceil(CERTIFICATES / 10_000_000)}",
        "revoked": f"{revoked / 1e6:,.0f} million",
        "share": f"{REVOKED_SHARE:.0%}",
        "entry": f"{m.entry_octets:,.0f}",
        "complete": f"{complete / 1e6:,.0f} MB",
        "shards": f"{shards}",
        "fetched": f"{fetched * 8 / 1e9:,.1f} Gbit/s",
        "checks": f"{CHECKS_A_DAY}",
        "caches": f"{CACHES}",
        "questions": f"{questions:,.0f}",
        "hits": f"{hits:.0%}",
        "origin": f"{origin:,.0f}",
        "nginx": f"{m.nginx_a_second:,.0f}",
        "answer": f"{m.answer_octets:,.0f}",
        "traffic": f"{questions * (m.answer_octets + 500) * 8 / 1e6:,.0f} Mbit/s",
        "files": f"{FILES * rate:,.0f}",
        "file_writers": f"{ceil(FILES * rate / m.files_a_second)}",
        "file_count": f"{FILES * CERTIFICATES / 1e6:,.0f} million",
    }
