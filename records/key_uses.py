"""What is known about keys: which certificates they are in, and whether they are compromised."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Connection,
    Row,
    bindparam,
    cast,
    func,
    insert,
    select,
)

from ca.certificates import subject_of
from ca.key_uses import KeyUse, KeyUses
from records.tables import certificate, compromised_key

_KEYS: BindParameter[str] = bindparam("keys", expanding=True)
_CERTIFIED = select(
    certificate.c.spki_sha256,
    certificate.c.status,
    certificate.c.issued_at,
    certificate.c.subject_id,
    certificate.c.application_id,
    certificate.c.sealed_tbs,
).where(certificate.c.spki_sha256.in_(_KEYS))
_KEPT = select(compromised_key.c.spki_sha256).where(compromised_key.c.spki_sha256.in_(_KEYS))
_LOCKS = func.unnest(cast(bindparam("locks"), ARRAY(BigInteger))).column_valued("lock")
_WAIT = select(func.pg_advisory_xact_lock(_LOCKS))


def wait_for_keys(tx: Connection, keys: Collection[str]) -> None:
    """Orders for one key go one after the other; SQLite has one writer anyway."""
    if tx.dialect.name == "postgresql":
        # In one order for everybody, so that no two wait for each other.
        tx.execute(_WAIT, {"locks": sorted({int(key[:15], 16) for key in keys})})


def uses_of_keys(
    tx: Connection, keys: Collection[str], compromised: Collection[str]
) -> Mapping[str, KeyUses]:
    """What each key was certified for; `compromised` are digests beside the table's own."""
    certified: dict[str, list[KeyUse]] = {key: [] for key in keys}
    for row in tx.execute(_CERTIFIED, {"keys": list(keys)}):
        certified[row.spki_sha256].append(_key_use(row))
    kept = set(tx.execute(_KEPT, {"keys": list(keys)}).scalars())
    return {
        key: KeyUses(key in kept or key in compromised, tuple(uses))
        for key, uses in certified.items()
    }


def keep_compromised(tx: Connection, keys: Collection[str]) -> None:
    """Write keys down for good; two certificates of one may be revoked one after the other."""
    wait_for_keys(tx, keys)
    kept = set(tx.execute(_KEPT, {"keys": list(keys)}).scalars())
    if new := sorted(set(keys) - kept):
        tx.execute(insert(compromised_key), [{"spki_sha256": key} for key in new])


def _key_use(row: Row[*tuple[Any, ...]]) -> KeyUse:
    """Whose a certificate is: no subject id, and its octets are in clear."""
    orphaned = row.status == "revoked" and row.issued_at is None
    holder = row.subject_id or subject_of(row.sealed_tbs).hex()
    return KeyUse(holder, row.application_id, may_exist=not orphaned)
