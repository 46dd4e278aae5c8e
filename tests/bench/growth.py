"""Many certificates in a database, put there as rows: only their number matters."""

from sqlalchemy import func, select, text

from records.database import Database
from records.tables import certificate
from server.clock import utc_now

_CHUNK = 25_000
_PREFIXES = 1 << 32
# Serials and digests begin with a number that rises through the whole of its range, so that rows go
# into every index in its order, which is fast, and lie in it as evenly as random ones.
_INTEND = text(
    """
    WITH RECURSIVE row (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM row WHERE i + 1 < :end)
    INSERT INTO certificate (issuer, serial, status, profile, profile_sha256, not_before, not_after,
        spki_sha256, sealed_tbs, intended_at)
    SELECT 'issuing', '01' || printf('%08x', i * :step) || lower(hex(randomblob(13))), 'intent',
        'tls-server', :digest, :now, :now, printf('%08x', i * :step) || lower(hex(randomblob(28))),
        randomblob(600), :now
    FROM row
    """
)
_ISSUE = text(
    """
    UPDATE certificate SET status = 'issued', sealed_der = randomblob(700),
        fingerprint = spki_sha256, issued_at = :now
    WHERE issuer = 'issuing' AND status = 'intent'
        AND serial >= '01' || printf('%08x', :first * :step)
        AND serial < '01' || printf('%08x', :end * :step)
    """
)


def load_certificates(database: Database, wanted: int) -> None:
    """Fill SQLite up to `wanted` issued certificates, under all its guards."""
    with database.read() as tx:
        there = tx.execute(select(func.count()).select_from(certificate)).scalar_one()
    missing = wanted - there
    for first in range(0, missing, _CHUNK):
        place = {
            "first": first,
            "end": min(first + _CHUNK, missing),
            "step": _PREFIXES // (missing + 1),
            "now": int(utc_now().timestamp() * 1_000_000),
        }
        with database.write() as tx:
            tx.execute(_INTEND, {**place, "digest": "0" * 64})
            tx.execute(_ISSUE, place)
