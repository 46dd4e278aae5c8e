"""The saga's world in memory: a store that refuses what a database would, and scripted looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec

from audit.events import Event, seal_event
from audit.heads import Checkpoint, sign_head
from ca.identifiers import IssuerName, SerialNumber
from gdpr_erasure.erasures import (
    PERSONS,
    STEPS,
    Approval,
    AuditProof,
    DirectorySeen,
    Erasure,
    ErasureRules,
    ErasureState,
    NewErasure,
    Notice,
    Observation,
    Place,
    SealEvidence,
    Told,
    month_after,
)
from gdpr_erasure.errors import Conflict
from gdpr_erasure.record_classes import RecordClass
from gdpr_erasure.retention import Assessment, Item, RetentionPolicy
from gdpr_erasure.saga import ERASE_ALL, Saga, approve_erasure, request_erasure

NOW = datetime(2026, 11, 22, 8, 30, 0, 500_000, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
ORIGIN = "tillid/audit"
ISSUING = IssuerName("issuing")
NAME = "Nancy Ann Test Berggren"
SUBJECT = "subject-0123456789abcdef"
OFFICERS = ("officer-0123456789abcdef", "officer-fedcba9876543210")


@dataclass
class MemoryErasures:
    """One data subject and at most one case."""

    good: set[Place] = field(default_factory=set)
    revoked: set[Place] = field(default_factory=set)
    making: bool = False
    published: bool = False
    held: bool = False
    sealed: bool = True
    recipients: tuple[str, ...] = ()
    items: list[Item] = field(
        default_factory=lambda: [Item(RecordClass.CERTIFICATE_BODY, NOW.date())]
    )
    cases: dict[str, Erasure] = field(default_factory=dict)
    approved: set[tuple[str, str]] = field(default_factory=set)
    observed: list[tuple[Place, str]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    destroyed: set[Place] | None = None
    retired: bool = False
    frozen: bool = False
    told_to: list[str] = field(default_factory=list)

    def inventory(self, subject_id: str) -> tuple[Item, ...]:
        assert subject_id == SUBJECT
        return tuple(self.items)

    def open_erasure(self, new: NewErasure, of: Assessment, now: datetime) -> Erasure:
        case = Erasure(
            "E-1",
            ErasureState.REQUESTED,
            new.subject_id,
            tuple(sorted(self.revoked)),
            {},
            of,
            now,
            now,
            month_after(now),
            holder=new.holder,
        )
        return self.cases.setdefault(case.id, case)

    def erasure(self, case_id: str) -> Erasure:
        places = self.destroyed if self.destroyed is not None else self.good | self.revoked
        case = self.cases[case_id]
        gone = {ErasureState.RECHECKED, ErasureState.SEALED, ErasureState.DONE}
        return replace(case, places=() if case.state in gone else tuple(sorted(places)))

    def approve(self, case: Erasure, by: Approval, begins_at: datetime, now: datetime) -> Erasure:
        self.approved.add((by.officer_id, by.sha256))
        count = sum(sha == case.assessment.sha256 for _, sha in self.approved)
        if count >= PERSONS:
            return self._move(case, now, state=ErasureState.APPROVED, begins_at=begins_at)
        return self._move(case, now, approvals=count)

    def reassess(self, case: Erasure, of: Assessment, now: datetime) -> Erasure:
        return self._move(case, now, state=ErasureState.REQUESTED, assessment=of)

    def cancel(self, case: Erasure, actor: str, now: datetime) -> Erasure:
        assert actor in OFFICERS
        return self._move(case, now, state=ErasureState.CANCELLED, subject_id=None)

    def freeze(self, case: Erasure, kept: Assessment, now: datetime) -> Erasure:
        self.frozen = True
        return self._move(case, now, state=ErasureState.FROZEN, assessment=kept)

    def revoke(self, case: Erasure, now: datetime) -> Erasure | None:
        assert self.frozen
        if self.making:
            return None
        self.revoked |= self.good
        self.good = set()
        seen = {"revoked": {"certificates": len(self.revoked), "last": now.isoformat()}}
        return self.advance(case, ErasureState.REVOKED, seen, now)

    def advance(
        self, case: Erasure, state: ErasureState, evidence: Mapping[str, object], now: datetime
    ) -> Erasure:
        return self._move(case, now, state=state, evidence={**case.evidence, **evidence})

    def observe(self, place: Place, seen: Observation) -> None:
        self.observed.append((place, seen.channel))

    def directories(self, case: Erasure) -> tuple[DirectorySeen, ...]:
        assert case.state is ErasureState.VISIBLE
        return (DirectorySeen("main", "open" if self.published else "clean", NOW),)

    def notices(self, case: Erasure) -> tuple[Notice, ...]:
        waiting = [name for name in self.recipients if name not in self.notes]
        return tuple(Notice(case.id, name, case.places) for name in waiting)

    def told(self, notice: Notice, how: Told, now: datetime) -> None:
        assert now >= NOW
        self.notes[notice.recipient] = how.outcome

    def told_of(self, case: Erasure) -> Mapping[str, int]:
        assert case.state is ErasureState.WITHDRAWN
        return {each: list(self.notes.values()).count(each) for each in set(self.notes.values())}

    def destroy(self, case: Erasure, now: datetime) -> Erasure | None:
        # What the guards of the database ask for before a delete (PKI01, PKI04, PKI05, PKI34).
        if self.held:
            return None
        assert not self.good
        assert not self.published
        assert self.frozen
        assert set(self.recipients) == set(self.notes)
        channels = ("crl",) if self.retired else ("crl", "ocsp")
        for place in self.revoked:
            assert {(place, channel) for channel in channels} <= set(self.observed)
        self.destroyed = set(self.revoked)
        evidence = {**case.evidence, "destroyed": {"certificates": len(self.revoked)}}
        left = bool(case.assessment.kept(now.date()))
        return self._move(
            case,
            now,
            state=ErasureState.DESTROYED,
            subject_id=SUBJECT if left else None,
            epoch=None,
            destroyed_event=0,
            evidence=evidence,
        )

    def note_epoch(self, case: Erasure, epoch: int) -> Erasure:
        self.cases[case.id] = replace(self.cases[case.id], epoch=epoch)
        return self.erasure(case.id)

    def proof(self, case: Erasure) -> AuditProof | None:
        if not self.sealed:
            return None
        entry = seal_event(Event("erasure.destroyed", "system:erasure", case.id, {}), 0, NOW)
        head = sign_head(KEY, Checkpoint(ORIGIN, 1, entry.leaf_hash, NOW, bytes(32)))
        return AuditProof(entry.header, 0, (), head.text)

    def finish(self, case: Erasure, receipt: str, now: datetime) -> Erasure:
        state = ErasureState.DONE if case.subject_id is None else ErasureState.SCHEDULED
        return self._move(case, now, state=state, receipts=(*case.receipts, receipt))

    # The notifier and the vault, as far as a script needs them.
    def notify(self, notice: Notice) -> Told | None:
        self.told_to.append(notice.recipient)
        return None if notice.recipient == "slow" else Told("delivered")

    def _move(self, case: Erasure, now: datetime, **changes: object) -> Erasure:
        there = self.cases[case.id]
        if there.state is not case.state:
            raise Conflict(case.id, "further already")
        further = changes.get("state", there.state)
        assert further is there.state or further in STEPS[there.state]
        self.cases[case.id] = replace(there, updated_at=now, **changes)  # type: ignore[arg-type]
        return self.erasure(case.id)


@dataclass
class MemoryVault:
    """Epochs in memory; `seal` ends one, and its keys with it."""

    epoch: int = 4
    token_serials: tuple[str, ...] = ("a1", "b2")
    seals: list[SealEvidence] = field(default_factory=list)
    by_itself: bool = True

    def current_epoch(self) -> int:
        return self.epoch

    def sealed_since(self, epoch: int) -> SealEvidence | None:
        if self.by_itself and self.epoch == epoch:
            self.seal(NOW)
        return next((seal for seal in self.seals if seal.epoch > epoch), None)

    def seal(self, now: datetime) -> None:
        self.epoch += 1
        self.seals.append(SealEvidence(self.epoch, self.token_serials, now))


@dataclass
class ScriptedProbe:
    """What relying parties would see: which places each channel shows, and which CRL."""

    crl: set[Place] = field(default_factory=set)
    ocsp: set[Place] = field(default_factory=set)
    this_update: datetime = NOW - timedelta(minutes=1)
    number: int = 1
    answers: int = 0
    last: bool = False

    def revoked_in_crl(self, place: Place, since: datetime) -> Observation | None:
        if place not in self.crl or (self.this_update < since and not self.last):
            return None
        digest = sha256(b"crl %d" % self.number).digest()
        return Observation("crl", digest, NOW, self.number, last=self.last)

    def revoked_in_ocsp(self, place: Place) -> Observation | None:
        if place not in self.ocsp:
            return None
        self.answers += 1
        return Observation("ocsp", sha256(b"answer %d" % self.answers).digest(), NOW)

    def renew(self, at: datetime) -> None:
        self.this_update, self.number = at.replace(microsecond=0), self.number + 1


def a_place() -> Place:
    return ISSUING, SerialNumber.random()


@dataclass
class Scene:
    """A case, its store, its probe and its vault."""

    store: MemoryErasures
    probe: ScriptedProbe = field(default_factory=ScriptedProbe)
    vault: MemoryVault = field(default_factory=MemoryVault)
    policies: tuple[RetentionPolicy, ...] = ERASE_ALL
    rules: ErasureRules = field(default_factory=ErasureRules)
    now: datetime = NOW

    @classmethod
    def approved(cls, *revoked: Place, **parts: object) -> "Scene":
        """Asked for, and approved by two persons."""
        scene = cls(MemoryErasures(revoked=set(revoked)), **parts)  # type: ignore[arg-type]
        scene.ask()
        for officer in OFFICERS:
            scene.approve(officer)
        return scene

    def ask(self) -> Erasure:
        return request_erasure(self.store, self.policies, NewErasure(SUBJECT, holder="ab"), NOW)

    def approve(self, officer: str) -> Erasure:
        sha256_ = self.case.assessment.sha256
        rules = (self.policies, self.rules)
        return approve_erasure(self.store, rules, "E-1", Approval(officer, sha256_), self.now)

    @property
    def case(self) -> Erasure:
        return self.store.erasure("E-1")

    @property
    def saga(self) -> Saga:
        parts = (self.store, self.probe, KEY, self.vault, self.store)
        return Saga(*parts, self.policies, self.rules)

    def carry_on(self) -> ErasureState:
        self.now += timedelta(seconds=1)
        return self.saga.carry_on(self.case, lambda: self.now).state

    def show(self) -> None:
        self.probe.crl = self.probe.ocsp = set(self.store.revoked)

    def to_done(self) -> str:
        """Everything is seen; gives the newest receipt."""
        self.show()
        self.carry_on()
        self.show()
        self.carry_on()
        self.probe.renew(self.now)
        self.carry_on()
        receipt = self.case.receipt
        assert receipt is not None
        return receipt
