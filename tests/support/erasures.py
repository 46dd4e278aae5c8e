"""Erasure cases as far as a test needs them: opened, approved by two persons, ready to destroy."""

from collections.abc import Sequence
from datetime import datetime

from gdpr_erasure.erasures import Approval, Erasure, ErasureState, NewErasure
from gdpr_erasure.retention import RetentionPolicy
from gdpr_erasure.saga import ERASE_ALL, reassessed, request_erasure
from records.officers import Officer, Role
from tests.support.stores import Stores


def administrators(stores: Stores, now: datetime) -> tuple[Officer, Officer]:
    """Two security administrators, different persons."""
    role = Role.SECURITY_ADMINISTRATOR
    return stores.officer(role, now), stores.officer(role, now)


def requested(
    stores: Stores,
    subject_id: str,
    now: datetime,
    policies: Sequence[RetentionPolicy] = ERASE_ALL,
) -> Erasure:
    return request_erasure(stores.erasures, policies, NewErasure(subject_id), now)


def approved(stores: Stores, case: Erasure, by: Sequence[Officer], now: datetime) -> Erasure:
    """The case after an approval by each of the officers."""
    for officer in by:
        approval = Approval(officer.id, case.assessment.sha256)
        case = stores.erasures.approve(case, approval, now, now)
    return case


def frozen(
    stores: Stores,
    case: Erasure,
    by: Sequence[Officer],
    now: datetime,
    policies: Sequence[RetentionPolicy] = ERASE_ALL,
) -> Erasure:
    case = approved(stores, case, by, now)
    return stores.erasures.freeze(case, reassessed(stores.erasures, policies, case), now)


def advanced(stores: Stores, case: Erasure, now: datetime, *states: ErasureState) -> Erasure:
    for state in states:
        case = stores.erasures.advance(case, state, {str(state): True}, now)
    return case


TO_NOTIFIED = (
    ErasureState.REVOKED,
    ErasureState.VISIBLE,
    ErasureState.WITHDRAWN,
    ErasureState.NOTIFIED,
)


def ready(
    stores: Stores,
    subject_id: str,
    by: Sequence[Officer],
    now: datetime,
    policies: Sequence[RetentionPolicy] = ERASE_ALL,
) -> Erasure:
    """A case that only the destruction is missing of; the world was not looked at."""
    case = frozen(stores, requested(stores, subject_id, now, policies), by, now, policies)
    return advanced(stores, case, now, *TO_NOTIFIED)


def to_sealed(stores: Stores, case: Erasure, now: datetime) -> Erasure:
    return advanced(stores, case, now, ErasureState.RECHECKED, ErasureState.SEALED)
