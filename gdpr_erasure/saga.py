"""Erasure as a saga: revoke before delete, and look before going on.

    requested -> approved -> frozen -> visible -> withdrawn -> destroyed -> rechecked -> done

Each step can be repeated. A step is taken when what it waits for was seen from outside: the CRL
and OCSP as relying parties fetch them, and the directories by search. What was seen is kept with
the case as evidence, without a word about the person.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from ca.failpoints import reach
from ca.identifiers import IssuerName, SerialNumber
from ca.signatures import SigningKey
from gdpr_erasure.errors import Conflict, Refused
from gdpr_erasure.receipt import sign_receipt

Place = tuple[IssuerName, SerialNumber]


class ErasureState(StrEnum):
    """How far a case has come."""

    REQUESTED = "requested"
    APPROVED = "approved"
    FROZEN = "frozen"
    VISIBLE = "visible"
    WITHDRAWN = "withdrawn"
    DESTROYED = "destroyed"
    RECHECKED = "rechecked"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One case. `places` are the certificates concerned; empty once the case is rechecked.

    `subject_id` is None from the destruction on. `evidence` holds what was seen at each step.
    """

    id: str
    state: ErasureState
    subject_id: str | None
    places: tuple[Place, ...]
    evidence: Mapping[str, object]
    requested_at: datetime
    updated_at: datetime
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What was fetched from outside about one certificate; `sha256` of the octets fetched.

    A CRL is `last` when its issuer was retired: none follows it, and OCSP does not answer.
    """

    channel: str
    sha256: bytes
    at: datetime
    number: int | None = None
    last: bool = False


class ErasureStore(Protocol):
    """What the saga needs of the database; each call is one transaction."""

    def unrevoked(self, subject_id: str, now: datetime) -> tuple[Place, ...]:
        """Certificates of the subject that are neither revoked nor expired."""

    def open_erasure(self, subject_id: str, now: datetime) -> Erasure:
        """A new case, or the one that is open already."""

    def erasure(self, case_id: str) -> Erasure:
        """The case as it stands."""

    def open_erasures(self) -> tuple[Erasure, ...]:
        """Every case that was approved and is not done."""

    def advance(
        self, case: Erasure, state: ErasureState, evidence: Mapping[str, object], now: datetime
    ) -> Erasure:
        """Take the case one state on and add evidence; Conflict if it moved in the meantime.

        Freezing also stops every new certificate for the subject; recheck drops the places.
        """

    def approve(self, case: Erasure, officer_id: str, now: datetime) -> Erasure:
        """A security administrator approves the case."""

    def observe(self, place: Place, seen: Observation) -> None:
        """Keep that the certificate was seen revoked from outside."""

    def unpublished(self, case: Erasure) -> bool:
        """Whether every directory was seen without the subject's certificates."""

    def destroy(self, case: Erasure, now: datetime) -> Erasure:
        """Delete certificates, publications, application, keys and subject, in one transaction."""

    def finish(self, case: Erasure, receipt: str, now: datetime) -> Erasure:
        """Keep the receipt; the case is done."""


class StatusProbe(Protocol):
    """Looks at status as a relying party does, over the network."""

    def revoked_in_crl(self, place: Place, since: datetime) -> Observation | None:
        """The CRL that is served now, if made since then and listing the certificate."""

    def revoked_in_ocsp(self, place: Place) -> Observation | None:
        """The OCSP answer given now, if it says revoked."""


def request_erasure(store: ErasureStore, subject_id: str, now: datetime) -> Erasure:
    """The data subject asks for erasure.

    Raises:
        Refused: a certificate is still valid; relying parties would go on trusting it.
    """
    if store.unrevoked(subject_id, now):
        raise Refused(
            "PKI01",
            "a certificate is deleted only after it was revoked or has expired",
            "have the certificate revoked, then ask again",
        )
    return store.open_erasure(subject_id, now)


def approve_erasure(store: ErasureStore, case_id: str, officer_id: str, now: datetime) -> Erasure:
    """A security administrator lets a requested case begin; Conflict if it has begun."""
    case = store.erasure(case_id)
    if case.state is not ErasureState.REQUESTED:
        raise Conflict(case.id, case.state)
    return store.approve(case, officer_id, now)


@dataclass(frozen=True, slots=True)
class Saga:
    """Carries cases on: the store, the look from outside, and the key that signs receipts."""

    store: ErasureStore
    probe: StatusProbe
    key: SigningKey

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

    def _step_from(
        self, state: ErasureState
    ) -> Callable[[Erasure, datetime], Erasure | None] | None:
        """What comes next; None before the approval and at the end."""
        return {
            ErasureState.APPROVED: self._freeze,
            ErasureState.FROZEN: self._see_revoked,
            ErasureState.VISIBLE: self._see_withdrawn,
            ErasureState.WITHDRAWN: self._destroy,
            ErasureState.DESTROYED: self._see_revoked_again,
            ErasureState.RECHECKED: self._finish,
        }.get(state)

    def _freeze(self, case: Erasure, now: datetime) -> Erasure:
        return self.store.advance(case, ErasureState.FROZEN, {}, now)

    def _see_revoked(self, case: Erasure, now: datetime) -> Erasure | None:
        seen = self._look(case, earliest=datetime.min.replace(tzinfo=UTC))
        if seen is None:
            return None
        for place, observation in seen:
            self.store.observe(place, observation)
        return self.store.advance(case, ErasureState.VISIBLE, {"before": _told(case, seen)}, now)

    def _see_withdrawn(self, case: Erasure, now: datetime) -> Erasure | None:
        if not self.store.unpublished(case):
            return None
        return self.store.advance(case, ErasureState.WITHDRAWN, {}, now)

    def _destroy(self, case: Erasure, now: datetime) -> Erasure:
        return self.store.destroy(case, now)

    def _see_revoked_again(self, case: Erasure, now: datetime) -> Erasure | None:
        # Now it must be a CRL that was made from what remains.
        seen = self._look(case, earliest=case.updated_at.replace(microsecond=0))
        if seen is None or _seen_before(case, seen):
            return None
        return self.store.advance(case, ErasureState.RECHECKED, {"after": _told(case, seen)}, now)

    def _finish(self, case: Erasure, now: datetime) -> Erasure:
        return self.store.finish(case, sign_receipt(case.id, case.evidence, self.key, now), now)

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


def evidence_text(evidence: Mapping[str, object]) -> str:
    """Evidence as canonical JSON."""
    return json.dumps(evidence, sort_keys=True, separators=(",", ":"))
