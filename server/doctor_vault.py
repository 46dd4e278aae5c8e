"""What an operator would look at in the key store; no token is opened."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from records.database import Database
from records.errors import DatabaseUnavailable, SnapshotFailed
from records.key_epochs import epoch_state
from records.key_snapshots import facts_in
from records.key_store import KeyStore
from records.sealing import Vault
from server.settings import Settings
from server.tokens import Tokens
from server.vault import key_store_of, vault_of


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    sentence: str
    way_out: str = ""


def examine_vault(settings: Settings, records: Database) -> Iterator[Finding]:
    """Look at the key store, how far its seal is, and its snapshots."""
    keys = key_store_of(settings, Tokens(settings.hsm))
    with closing(keys.database):
        try:
            keys.database.check_durable()
            yield _epoch(keys)
            yield from _snapshots(vault_of(settings, records, keys))
        except DatabaseUnavailable as error:
            way_out = "Put its newest snapshot in its place, or correct keystore.url."
            yield Finding("key store", ok=False, sentence=f"{error.why}.", way_out=way_out)


def _epoch(keys: KeyStore) -> Finding:
    state = epoch_state(keys)
    if state is None:
        return Finding("key store", ok=True, sentence="It holds no key yet.")
    number, left = state.facts.epoch, sorted(name for name, _ in state.roots_left)
    if left:
        return Finding(
            "key store",
            ok=False,
            sentence=f"Older roots than that of epoch {number} are left in {', '.join(left)}.",
            way_out="Bring the token back, then run: tillid key seal --now; if it is lost for"
            " good: tillid key write-off TOKEN",
        )
    said = f"Epoch {number} wraps {state.facts.keys} keys; no older root is left."
    return Finding("key store", ok=True, sentence=said)


def _snapshots(vault: Vault) -> Iterator[Finding]:
    current = vault.keys.facts()
    if current is None:
        return
    newest = {path.parent: path for path in vault.snapshots.newest()}
    for folder in vault.snapshots.folders:
        said, ok = _snapshot(newest.get(folder), current.epoch)
        way_out = "" if ok else "Run: tillid key seal --now"
        yield Finding(f"snapshot in {folder.name}", ok, said, way_out)


def _snapshot(path: Path | None, epoch: int) -> tuple[str, bool]:
    if path is None:
        return "There is none.", False
    try:
        facts = facts_in(path)
    except SnapshotFailed as error:
        return f"{error}.", False
    if facts.epoch != epoch:
        return f"It is of epoch {facts.epoch}, and epoch {epoch} is in force.", False
    return f"It holds {facts.keys} keys of epoch {epoch}.", True
