"""What is known about keys: which certificates they are in, and whether they are compromised."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    String,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    null,
    select,
    union_all,
)

from ca.certificates import subject_of
from ca.key_uses import KeyUse, KeyUses
from records.prepared import Prepared
from records.tables import certificate, compromised_key

_KEPT = "compromised"


def _uses(among: Any) -> Prepared:
    """Both tables in one statement; a row of the second has _KEPT for its status."""
    certified = select(
        certificate.c.spki_sha256,
        certificate.c.status,
        certificate.c.issued_at,
        certificate.c.subject_id,
        certificate.c.application_id,
        certificate.c.sealed_tbs,
    ).where(among(certificate.c.spki_sha256))
    key = compromised_key.c.spki_sha256
    nothing = (null(), null(), null(), null())
    kept = select(key, literal_column(f"'{_KEPT}'"), *nothing).where(among(key))
    return Prepared(union_all(certified, kept))


def _in_list(column: ColumnElement[str]) -> ColumnElement[bool]:
    values = func.json_each(bindparam("keys", type_=String)).table_valued("value")
    return column.in_(select(values.c.value))


def _in_array(column: ColumnElement[str]) -> ColumnElement[bool]:
    return column == func.any(bindparam("keys", type_=ARRAY(String)))


_USES = {"sqlite": _uses(_in_list), "postgresql": _uses(_in_array)}
_LOCKS = func.unnest(cast(bindparam("locks"), ARRAY(BigInteger))).column_valued("lock")
_WAIT = Prepared(select(func.pg_advisory_xact_lock(_LOCKS)))


def wait_for_keys(tx: Connection, keys: Collection[str]) -> None:
    """Orders for one key go one after the other; SQLite has one writer anyway."""
    if tx.dialect.name == "postgresql":
        # In one order for everybody, so that no two wait for each other.
        _WAIT.rows(tx, {"locks": sorted({int(key[:15], 16) for key in keys})})


def uses_of_keys(
    tx: Connection, keys: Collection[str], compromised: Collection[str]
) -> Mapping[str, KeyUses]:
    """What each key was certified for; `compromised` are digests beside the table's own."""
    certified: dict[str, list[KeyUse]] = {key: [] for key in keys}
    kept = set[str]()
    wanted = list(keys) if tx.dialect.name == "postgresql" else json.dumps(list(keys))
    for key, status, *rest in _USES[tx.dialect.name].rows(tx, {"keys": wanted}):
        if status == _KEPT:
            kept.add(key)
        else:
            certified[key].append(_key_use(status, *rest))
    return {
        key: KeyUses(key in kept or key in compromised, tuple(uses))
        for key, uses in certified.items()
    }


def keep_compromised(tx: Connection, key: str) -> None:
    """Write a key down for good; two of its certificates may be revoked one after the other."""
    wait_for_keys(tx, (key,))
    if not uses_of_keys(tx, (key,), ())[key].compromised:
        tx.execute(insert(compromised_key).values(spki_sha256=key))


def _key_use(
    status: str,
    issued_at: int | None,
    subject_id: str | None,
    application_id: str | None,
    sealed_tbs: bytes,
) -> KeyUse:
    """Whose a certificate is: no subject id, and its octets are in clear."""
    orphaned = status == "revoked" and issued_at is None
    holder = subject_id or subject_of(sealed_tbs).hex()
    return KeyUse(holder, application_id, may_exist=not orphaned)
