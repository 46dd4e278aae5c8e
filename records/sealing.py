"""The seal: after it, no copy of the key store from before opens a key that was destroyed.

    doomed keys -> a new root in every token -> one transaction of the key store, in which they are
    deleted and everything else is wrapped anew -> snapshots of that, each opened and tried -> the
    old root destroyed in every token and seen to be gone -> older snapshots removed -> recorded

Each step looks at what is there and does what is missing, so a seal that died anywhere, or that a
token kept waiting, is carried on by the next run; a flag alone decides nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from audit.events import Event
from ca.failpoints import reach
from gdpr_erasure.erasures import SealEvidence
from hsm.errors import HsmError
from records.database import Database
from records.doomed_keys import DoomedKeys, Seal
from records.errors import Conflict, DatabaseUnavailable
from records.key_epochs import (
    EpochState,
    absent,
    complete,
    epoch_state,
    root_gone,
    sweep_until,
    write_off,
)
from records.key_sealing import begin_epoch
from records.key_snapshots import Snapshots
from records.key_store import FIRST_EPOCH, KeyStore
from records.key_wrapping import new_key

UNUSED_FOR = timedelta(hours=1)
"""Age from which a key that nobody refers to is swept."""


@dataclass(frozen=True, slots=True)
class SealOutcome:
    """What a run did, and how far the seal is."""

    epoch: int
    """The epoch in force; 0 while there is no key."""
    began: bool = False
    """Whether this run began it."""
    waiting_for: tuple[str, ...] = ()
    """Tokens that were not seen without their older roots."""
    snapshots: int = 0
    """Written by this run."""

    @property
    def complete(self) -> bool:
        """Whether no root of an earlier epoch is left."""
        return not self.waiting_for


class Vault:
    """The key store, the records that refer to it, and the folders of its snapshots."""

    def __init__(self, records: Database, keys: KeyStore, snapshots: Snapshots) -> None:
        """Join the three; nothing is opened yet."""
        self.keys = keys
        self.snapshots = snapshots
        self.doomed = DoomedKeys(records)

    def current_epoch(self) -> int:
        """The epoch whose root wraps the key store now; 0 before the first key.

        Asked after a deletion of keys was committed, it is the number for `sealed_since`: a seal
        that is under way is waited for, and every later one takes those keys.
        """
        return self.keys.current_epoch()

    def sealed_since(self, epoch: int) -> SealEvidence | None:
        """The newest seal that began after that epoch and is complete; None until there is one."""
        return self.doomed.sealed_since(epoch)

    def drop_doomed(self) -> int:
        """Delete doomed keys from the store, without the seal that makes old copies of them die."""
        pending = self.doomed.pending()
        return self.keys.drop(pending) if pending else 0

    def is_due(self) -> bool:
        """Whether a key died since the last seal, or a seal has not come to its end."""
        state = epoch_state(self.keys)
        return state is not None and (state.facts.completed_at is None or self._wants_epoch())

    def is_awaited(self) -> bool:
        """Whether an erasure waits for a seal that did not begin yet."""
        return self.doomed.is_awaited(self.current_epoch())

    def is_complete(self) -> bool:
        """Whether the seal that began the epoch in force came to its end."""
        state = epoch_state(self.keys)
        return state is None or state.facts.completed_at is not None

    def seal(self, now: datetime, *, rotate: bool = False) -> SealOutcome:
        """Carry an unfinished seal on, then seal if a key was doomed, or in any case to rotate.

        Raises:
            Conflict: another process is at it.
            HsmError: a token is not there that has to make a root.
            SnapshotFailed, DamagedData, DatabaseUnavailable.
        """
        with self.keys.sealing():
            self.drop_doomed()
            state = epoch_state(self.keys)
            if state is None:
                return SealOutcome(0)
            if state.facts.completed_at is None:
                outcome = self._finish(now)
                if not outcome.complete:
                    return outcome
            if not (rotate or self._wants_epoch()):
                return self._finish(now)
            self._begin(state.facts.epoch + 1)
            return replace(self._finish(now), began=True)

    def write_off(self, token: str, now: datetime) -> int:
        """Wait no longer for a token that is lost; how many of its roots were not seen to be gone.

        Raises: Conflict while the settings still name it.
        """
        if token in {each.name for each in self.keys.tokens}:
            raise Conflict(f"token {token}", "still named in the settings")
        if self.keys.facts() is None:
            return 0  # no key was ever made
        with self.keys.sealing():
            count = write_off(self.keys, token, now)
            if count:
                event = Event("vault.token_lost", "system:operator", f"token/{token}", {})
                self.doomed.tell(event, now)
        return count

    def sweep(self) -> int:
        """Delete keys that were made and never referred to; how many there were."""
        swept = 0
        for page in sweep_until(self.keys, UNUSED_FOR):
            unused = self.doomed.doom_unused(page)
            swept += self.keys.drop(unused, touch=False)
        return swept

    def _wants_epoch(self) -> bool:
        state = epoch_state(self.keys)
        if state is None:
            return False
        if state.facts.touched or self._is_new(state) or self.doomed.count() > 0:
            return True
        # An erasure whose keys died in a seal before it was asked what to wait for, or that had
        # none, is not to wait for somebody else's.
        return self.doomed.is_awaited(state.facts.epoch)

    def _is_new(self, state: EpochState) -> bool:
        """Whether the settings name a token that has no root of this epoch."""
        return not {token.name for token in self.keys.tokens} <= state.tokens

    def _begin(self, number: int) -> None:
        facts = self.keys.facts()
        if facts is None:
            raise DatabaseUnavailable("the key store is empty; there is nothing to seal")
        top = new_key()
        wrapped = self.keys.wrap_top(facts.name, number, top)
        reach("seal.rooted")
        begin_epoch(self.keys, number, top, wrapped, self.doomed.pending)
        reach("seal.rewrapped")

    def _finish(self, now: datetime) -> SealOutcome:
        """Snapshots, then the end of the older roots, then the record."""
        state = epoch_state(self.keys)
        if state is None:
            return SealOutcome(0)
        written, number = self.snapshots.ensure(self.keys, now), state.facts.epoch
        reach("seal.snapshotted")
        waiting = self._destroy_roots(state, now)
        if waiting:
            return SealOutcome(number, waiting_for=waiting, snapshots=written)
        self.snapshots.prune(number)
        reach("seal.pruned")
        self._record(number, now)
        return SealOutcome(number, snapshots=written)

    def _destroy_roots(self, state: EpochState, now: datetime) -> tuple[str, ...]:
        """Destroy older roots wherever they still are; the tokens not seen without theirs."""
        name, number = state.facts.name, state.facts.epoch
        clean: set[tuple[str, str]] = set()
        for token in self.keys.tokens:
            try:
                for old in sorted(each for each in token.epochs(name) if each < number):
                    token.destroy(name, old)
                    reach("seal.destroyed", token.name)
                if not any(each < number for each in token.epochs(name)):
                    clean.add((token.name, token.serial()))
            except HsmError:  # the next run tries again; until then the seal is not complete
                continue
        for token_name, serial in clean & state.roots_left:
            root_gone(self.keys, token_name, serial, number, now)
        return tuple(sorted({each for each, _ in state.roots_left - clean}))

    def _record(self, number: int, now: datetime) -> None:
        state = epoch_state(self.keys)
        if state is None:
            return
        pending = self.doomed.pending()
        if number > FIRST_EPOCH and (state.facts.completed_at is None or pending):
            ended = absent(self.keys, pending)
            seal = Seal(number, state.began_at, tuple(sorted(state.serials)))
            self.doomed.record(seal, ended, now)
            reach("seal.recorded")
        if state.facts.completed_at is None:
            complete(self.keys, number, now)
