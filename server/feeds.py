"""What an organisation's own system says of its people becomes associations (NSIS 5; ASC-S8b).

The records are signed by the seal that the management designated, so whoever carries them here
needs no certificate. They are the organisation's consent; each person gives their own.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives import hashes

import ca.errors
from audit.events import Detail
from ca.signed_data import verify_detached
from ra.associations import Association, AssociationState, Side
from ra.case import Basis
from ra.feeds import FeedRecords, feed_refused, hear
from ra.legal_persons import CvrNumber
from ra.package import package_hash
from records.associations import NewAssociation
from server.assembly import Assembly
from server.associations import assess_association
from server.subscribers import feed_of


def take_records(
    parts: Assembly,
    company: CvrNumber,
    signed: tuple[bytes, bytes],
    read: Callable[[bytes], FeedRecords],
    now: datetime,
) -> tuple[Association, ...]:
    """Propose who is new, let begin who has agreed, end who is in the list no more.

    `signed` are records and signature; they are read only once the signature is the seal's. Gives
    the associations that the system carries then. The list counts once; what a crash leaves undone,
    the next one does.

    Raises:
        NotFound: there is no such organisation or application; nothing is changed.
        MalformedField: the records are not of their form.
        Refused: ASC-S8b, unless the designated seal signed exactly these records.
    """
    octets, signature = signed
    of = parts.mandates.organisation(company)
    found = feed_of(parts, company, now)
    if found is None or _signer(octets, signature) != found.certificate:
        raise feed_refused("signature")
    records = read(octets)
    feed = hear(found.feed, records, company, now)
    people = {parts.applications.get(each).subject_id for each in records.people}
    after = replace(found.mandate, feed=feed, updated_at=now)
    told: dict[str, Detail] = {"records_sha256": package_hash(octets), "count": len(people)}
    parts.mandates.note(found.mandate, after, "fed", told, now)
    for each in _carried(parts, company):
        if each.subject_id not in people or not _as_told(each, records):
            parts.associations.end(each, Side.ORGANISATION.value, now)
    carried = {each.subject_id: each for each in _carried(parts, company)}
    for person in sorted(people):
        if person in carried:
            _begin(parts, carried[person], now)
        else:
            told_of = (records.kind, Basis.AUTHORITATIVE_SYSTEM, records.level)
            new = NewAssociation(of.id, person, *told_of, of.subject_id)
            parts.associations.propose(new, now)
    return _carried(parts, company)


def _signer(octets: bytes, signature: bytes) -> str:
    """The fingerprint of who signed exactly these octets."""
    try:
        signer = verify_detached(signature, octets)
    except ca.errors.MalformedRequest:
        raise feed_refused("signature") from None
    return signer.fingerprint(hashes.SHA256()).hex()


def _carried(parts: Assembly, company: CvrNumber) -> tuple[Association, ...]:
    """What the system said before, as far as it has not ended."""
    own = parts.mandates.organisation(company).subject_id
    return tuple(
        each
        for each in parts.associations.of_organisation(company)
        if each.proposed_by == own and each.state is not AssociationState.ENDED
    )


def _as_told(of: Association, records: FeedRecords) -> bool:
    return (of.kind, of.asked_level) == (records.kind, records.level)


def _begin(parts: Assembly, of: Association, now: datetime) -> None:
    """Let it begin once the person agreed and it is worth its level; until then it waits."""
    if of.state is not AssociationState.PROPOSED:
        return
    levels, findings = assess_association(parts, of, now)
    if not findings:
        parts.associations.activate(of, levels, now)
