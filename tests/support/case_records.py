"""Cases in the records, taken step by step through the stores."""

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gdpr_erasure.case_identity import IdentityProof, ProofMethod
from gdpr_erasure.cases import (
    Actor,
    Case,
    CaseKind,
    CaseState,
    CaseText,
    assign,
    prove_identity,
    step,
    submit,
)
from gdpr_erasure.person_file import Collection, Record
from ra.levels import AssuranceLevel
from records.case_contents import CaseFile
from records.case_deliveries import Delivery
from records.officers import Officer, Role
from tests.support.stores import Stores

SECRET = "the requester's own secret"
PACKAGE = b"the package that was approved"
ENVELOPE = b"the same, encrypted to its receiver"
COLLECTOR = "certificates"
FOUND = Collection(COLLECTOR, (Record("certificate", "01", ()),))
DAYS = timedelta(days=32)


def actor_of(officer: Officer) -> Actor:
    return Actor(officer.id, officer.person_id)


def sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


@dataclass
class CaseRoom:
    """Stores with a case manager, a registration officer and three approvers."""

    stores: Stores
    now: datetime

    def __post_init__(self) -> None:
        self.manager, self.other_manager = (self._officer(Role.CASE_MANAGER) for _ in range(2))
        self.verifier = self._officer(Role.REGISTRATION_OFFICER)
        self.approvers = [self._officer(Role.CASE_APPROVER) for _ in range(3)]

    def _officer(self, role: Role) -> Actor:
        return actor_of(self.stores.officer(role, self.now))

    def received(self, subject_id: str | None, kind: CaseKind = CaseKind.ACCESS) -> Case:
        """Taken in by the manager; from somebody unknown when there is no subject."""
        new = Case(
            id=f"K{os.urandom(4).hex().upper()}",
            kind=kind,
            state=CaseState.RECEIVED,
            subject_id=subject_id,
            language="da",
            scopes=frozenset(),
            received_at=self.now,
            updated_at=self.now,
            opened_by=None if subject_id is None else self.other_manager,
        )
        return self.stores.cases.open(new, CaseText(request="Alt om mig"), SECRET, self.now)

    def assessing(self, subject_id: str, case: Case | None = None) -> Case:
        """Assigned to the manager, and proved at a desk."""
        case = case or self.received(subject_id)
        case = self.move(case, assign(case, self.manager, self.now))
        proof = IdentityProof(
            ProofMethod.DESK, AssuranceLevel.SUBSTANTIAL, self.now, self.verifier.person_id
        )
        return self.proved(case, subject_id, proof)

    def mine(self, subject_id: str) -> Case:
        """Received, and assigned to the manager."""
        case = self.received(subject_id)
        return self.move(case, assign(case, self.manager, self.now))

    def proved(self, case: Case, subject_id: str, proof: IdentityProof) -> Case:
        between = case
        if case.state is CaseState.RECEIVED:
            between = step(case, CaseState.IDENTIFYING, self.now)
        after = prove_identity(between, subject_id, proof, AssuranceLevel.LOW)
        text = CaseText(request="Alt om mig", evidence="pas, bord 4")
        return self.stores.cases.prove((case, after), text, self.verifier.officer_id, self.now)

    def gathered(self, subject_id: str) -> Case:
        """Assessing, with one part and one file."""
        case = self.assessing(subject_id)
        self.stores.case_contents.expect(case, [COLLECTOR], self.now)
        self.collect(case)
        self.add_file(case)
        return case

    def collect(self, case: Case) -> None:
        self.stores.case_contents.record(case, COLLECTOR, FOUND, self.manager.officer_id, self.now)

    def add_file(
        self, case: Case, content: bytes = b"et brev", added_by: str | None = None
    ) -> CaseFile:
        kept = CaseFile(
            0,
            len(content),
            sha256(content),
            for_requester=True,
            added_by=added_by or self.manager.officer_id,
            at=self.now,
        )
        return self.stores.case_contents.add_file(case, ("brev.txt", content), kept, self.now)

    def submitted(self, subject_id: str, added_by: str | None = None) -> Case:
        case = self.gathered(subject_id)
        if added_by is not None:
            self.add_file(case, b"et brev til", added_by)
        after = submit(case, sha256(PACKAGE), (), self.now)
        return self.stores.cases.submit((case, after), PACKAGE, self.manager.officer_id, self.now)

    def approve(self, case: Case, number: int) -> Case:
        who = self.approvers[number]
        return self.stores.cases.approve(case, who, str(case.package_sha256), self.now)

    def approved(self, subject_id: str) -> Case:
        return self.approve(self.approve(self.submitted(subject_id), 0), 1)

    def deliver(self, case: Case, package: bytes = PACKAGE) -> Case:
        made = Delivery(
            case.id,
            sha256(package),
            sha256(ENVELOPE),
            "certificate",
            AssuranceLevel.SUBSTANTIAL,
            self.now,
            self.now + DAYS,
        )
        return self.stores.deliveries.deliver(
            case, ENVELOPE, made, self.manager.officer_id, self.now
        )

    def move(self, before: Case, after: Case, kind: str = "moved") -> Case:
        event = kind, self.manager.officer_id
        return self.stores.cases.move((before, after), event, self.now)

    def cancelled(self, case: Case) -> Case:
        return self.move(case, replace(step(case, CaseState.CANCELLED, self.now)))
