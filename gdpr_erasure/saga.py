"""Erasure as a saga: revoke before delete, and look before going on.

    requested -> approved -> frozen -> revoked -> visible -> withdrawn -> notified -> destroyed
      -> rechecked -> sealed -> done, or scheduled -> destroyed -> ... while a duty keeps something

Each step can be repeated. A step is taken when what it waits for was seen from outside: the CRL
and OCSP as relying parties fetch them, the directories by search, the tokens by their epoch. What
was seen is kept with the case as evidence, without a word about the person.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ca.failpoints import reach
from ca.signatures import SigningKey
from gdpr_erasure.erasures import (
    Approval,
    Erasure,
    ErasureRules,
    ErasureState,
    ErasureStore,
    KeyVault,
    NewErasure,
    Notifier,
    Observation,
    Place,
    StatusProbe,
    directories_told,
    evidence_text,
    month_after,
)
from gdpr_erasure.errors import Conflict, Refused
from gdpr_erasure.policies import EraseNow
from gdpr_erasure.receipt import sign_receipt
from gdpr_erasure.retention import Assessment, Context, RetentionPolicy, assess, strictest

__all__ = ["Erasure", "ErasureState", "Observation", "Place", "Saga", "month_after"]

_S = ErasureState
ERASE_ALL: tuple[RetentionPolicy, ...] = (EraseNow(),)
Step = Callable[[Erasure, datetime], Erasure | None]


def request_erasure(
    store: ErasureStore, policies: Sequence[RetentionPolicy], new: NewErasure, now: datetime
) -> Erasure:
    """Open a case with the rulings on all that is kept; the one that is open already is given.

    Nothing is revoked, and nothing else happens, before two persons approved.
    """
    items = store.inventory(new.subject_id)
    context = Context(now.astimezone(UTC).date(), new.trigger)
    return store.open_erasure(new, assess(items, policies, context), now)


def reassessed(
    store: ErasureStore, policies: Sequence[RetentionPolicy], case: Erasure
) -> Assessment:
    """The rulings as they would be made now, as of the day of the request."""
    items = store.inventory(str(case.subject_id))
    return assess(items, policies, Context(case.requested_at.date(), case.trigger))


def approve_erasure(
    store: ErasureStore,
    rules: tuple[Sequence[RetentionPolicy], ErasureRules],
    case_id: str,
    by: Approval,
    now: datetime,
) -> Erasure:
    """A security administrator approves the rulings; the second person lets the case begin.

    Raises:
        Conflict: the case has begun or was cancelled.
        Refused: the digest is another, what is kept has changed, or a policy did not rule.
    """
    policies, of = rules
    case = store.erasure(case_id)
    if case.state is not _S.REQUESTED:
        raise Conflict(case.id, case.state)
    fresh = reassessed(store, policies, case)
    if fresh.sha256 != case.assessment.sha256:
        case = store.reassess(case, fresh, now)
    if by.sha256 != case.assessment.sha256:
        raise Refused(
            "ERA06",
            "the approval is not of the rulings on what is kept about the person now",
            f"look at the case again and approve {case.assessment.sha256}",
        )
    _require_rulings(case.assessment)
    return store.approve(case, by, now + timedelta(hours=of.cooling_off_hours), now)


def _require_rulings(of: Assessment) -> None:
    if of.failed:
        raise Refused(
            "ERA10",
            "a retention policy did not rule: " + ", ".join(of.failed),
            "have the policy mended, or take it out of retention.policies, and ask again",
        )


def cancel_erasure(store: ErasureStore, case_id: str, actor: str, now: datetime) -> Erasure:
    """End a case before it is frozen; Conflict afterwards."""
    case = store.erasure(case_id)
    if case.state not in {_S.REQUESTED, _S.APPROVED}:
        raise Conflict(case.id, case.state)
    return store.cancel(case, actor, now)


@dataclass(frozen=True, slots=True)
class Saga:
    """Carries cases on: the store, the look from outside, the vault, and the key for receipts."""

    store: ErasureStore
    probe: StatusProbe
    key: SigningKey
    vault: KeyVault
    notifier: Notifier
    policies: tuple[RetentionPolicy, ...] = ERASE_ALL
    rules: ErasureRules = field(default_factory=ErasureRules)

    def carry_on(self, case: Erasure, clock: Callable[[], datetime]) -> Erasure:
        """Take a case as far as it can go now; it stays where something is still to be seen.

        The clock (UTC) is read at each step: a deletion is never dated before what was seen.
        """
        while step := self._step_from(case.state):
            further = step(case, clock())
            if further is None:
                break
            reach(f"erase.{further.state}")
            case = further
        return case

    def _step_from(self, state: ErasureState) -> Step | None:
        """What comes next; None before the approval and at the end."""
        return {
            _S.APPROVED: self._freeze,
            _S.FROZEN: self._revoke,
            _S.REVOKED: self._see_revoked,
            _S.VISIBLE: self._see_withdrawn,
            _S.WITHDRAWN: self._notify,
            _S.NOTIFIED: self._destroy,
            _S.DESTROYED: self._see_revoked_again,
            _S.RECHECKED: self._see_sealed,
            _S.SEALED: self._finish,
            _S.SCHEDULED: self._destroy_the_rest,
        }.get(state)

    def _freeze(self, case: Erasure, now: datetime) -> Erasure | None:
        if case.begins_at is not None and now < case.begins_at:
            return None
        fresh = reassessed(self.store, self.policies, case)
        if fresh.sha256 != case.assessment.sha256:
            return self.store.reassess(case, fresh, now)
        # Periods run from the end of validity, which is today rather than the day of the request.
        items = self.store.inventory(str(case.subject_id))
        today = assess(items, self.policies, Context(now.date(), case.trigger))
        _require_rulings(today)
        return self.store.freeze(case, strictest(case.assessment, today), now)

    def _revoke(self, case: Erasure, now: datetime) -> Erasure | None:
        return self.store.revoke(case, now)

    def _see_revoked(self, case: Erasure, now: datetime) -> Erasure | None:
        if now < self._caches_end(case):
            return None
        seen = self._look(case, earliest=datetime.min.replace(tzinfo=UTC))
        if seen is None:
            return None
        for place, observation in seen:
            self.store.observe(place, observation)
        return self.store.advance(case, _S.VISIBLE, {"before": _told(case, seen)}, now)

    def _caches_end(self, case: Erasure) -> datetime:
        """Until when a cache may still give an answer from before the last revocation."""
        told = case.evidence.get("revoked")
        last = told.get("last") if isinstance(told, dict) else None
        if last is None:
            return datetime.min.replace(tzinfo=UTC)
        kept = timedelta(minutes=self.rules.cached_answer_minutes)
        return datetime.fromisoformat(str(last)) + kept

    def _see_withdrawn(self, case: Erasure, now: datetime) -> Erasure | None:
        seen = self.store.directories(case)
        if any(each.holds_up for each in seen):
            return None
        return self.store.advance(case, _S.WITHDRAWN, {"directories": directories_told(seen)}, now)

    def _notify(self, case: Erasure, now: datetime) -> Erasure | None:
        waits = False
        for notice in self.store.notices(case):
            told = self.notifier.notify(notice)
            if told is None:
                waits = True
            else:
                self.store.told(notice, told, now)
                reach("erase.told")
        if waits:
            return None
        counts = dict(self.store.told_of(case))
        return self.store.advance(case, _S.NOTIFIED, {"notified": counts}, now)

    def _destroy(self, case: Erasure, now: datetime) -> Erasure | None:
        after = self.store.destroy(case, now)
        if after is None:
            return None
        reach("erase.deleted")
        return self._with_epoch(after)

    def _with_epoch(self, case: Erasure) -> Erasure:
        """The case with the epoch that has to end, asked for after the deletion was committed.

        Asked before, a seal could begin in between, without the keys of this case, and be taken
        for theirs.
        """
        if case.epoch is not None:
            return case
        return self.store.note_epoch(case, self.vault.current_epoch())

    def _destroy_the_rest(self, case: Erasure, now: datetime) -> Erasure | None:
        if case.assessment.kept(now.date()):
            return None
        return self._destroy(case, now)

    def _see_revoked_again(self, case: Erasure, now: datetime) -> Erasure | None:
        case = self._with_epoch(case)
        # Now it must be a CRL that was made from what remains.
        seen = self._look(case, earliest=case.updated_at.replace(microsecond=0))
        if seen is None or _seen_before(case, seen):
            return None
        return self.store.advance(case, _S.RECHECKED, {"after": _told(case, seen)}, now)

    def _see_sealed(self, case: Erasure, now: datetime) -> Erasure | None:
        seal = self.vault.sealed_since(case.epoch or 0)
        if seal is None:
            return None
        told = {
            "destroyed": case.epoch,
            "now": seal.epoch,
            "tokens": list(seal.token_serials),
            "at": seal.at.isoformat(),
        }
        return self.store.advance(case, _S.SEALED, {"epochs": told}, now)

    def _finish(self, case: Erasure, now: datetime) -> Erasure | None:
        proof = self.store.proof(case)
        if proof is None:
            return None
        return self.store.finish(case, sign_receipt(case, proof, self.key, now), now)

    def _look(self, case: Erasure, earliest: datetime) -> list[tuple[Place, Observation]] | None:
        """What CRL and OCSP say of every certificate, or None unless all of it is revoked."""
        seen = []
        for place in case.places:
            crl = self.probe.revoked_in_crl(place, earliest)
            ocsp = self.probe.revoked_in_ocsp(place) if crl and not crl.last else None
            if crl is None or (ocsp is None and not crl.last):
                return None
            seen += [(place, each) for each in (crl, ocsp) if each is not None]
        return seen


def _seen_before(case: Erasure, seen: list[tuple[Place, Observation]]) -> bool:
    """Whether one of these octets was seen already: times in CRLs are whole seconds, too coarse."""
    before = evidence_text(case.evidence)
    return any(found.sha256.hex() in before for _, found in seen if not found.last)


def _told(case: Erasure, seen: list[tuple[Place, Observation]]) -> dict[str, object]:
    """What was seen, as the receipt tells it: no serial numbers, they would link it to someone."""
    observations = [
        {
            "channel": observation.channel,
            "number": observation.number,
            "sha256": observation.sha256.hex(),
            "at": observation.at.isoformat(),
        }
        for _, observation in seen
    ]
    return {"certificates": len(case.places), "seen": observations}
