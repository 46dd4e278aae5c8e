"""Renewals in a database in the middle of its life."""

from dataclasses import replace
from datetime import datetime

from ra.applications import Application
from ra.case import CodeChannel
from ra.levels import AssuranceLevel
from ra.renewals import Basis, Loss, Renewal
from records.holder_notices import HolderNotices
from records.officers import Role
from tests.support.renewal_examples import SAYS
from tests.support.stores import SECRET, Person, Stores, a_person, approval_by, submitted, verified


def renewing(person: Person, basis: Basis, now: datetime) -> Application:
    """An application of the person, submitted and not stored, that renews the certificate."""
    application = submitted()
    issuer, serial = person.place
    renewal = Renewal(
        application=person.application.id,
        issuer=issuer,
        serial=serial.hex,
        basis=basis,
        level=AssuranceLevel.SUBSTANTIAL,
        at=now,
        proven_at=now,
        stands=True,
        register=SAYS,
        register_at=now,
        loss=None if basis is Basis.RENEWAL else Loss.UNUSABLE,
    )
    applicant = replace(application.applicant, subject_id=person.subject_id)
    return replace(application, applicant=applicant, renewal=renewal)


def renewed(stores: Stores, person: Person, now: datetime) -> Application:
    """An application that renews the person's certificate, vetted and approved."""
    first = stores.officer(Role.REGISTRATION_OFFICER, now)
    second = stores.officer(Role.APPROVING_OFFICER, now)
    found = approval_by(second, verified(stores, first, renewing(person, Basis.RENEWAL, now)))
    stores.applications.approve(stores.applications.get(found.application.id), found, now)
    return stores.applications.get(found.application.id)


def renewal_story(stores: Stores, names: dict[str, object], now: datetime) -> None:
    """One renewal approved; and a held, a good and another certificate, with applications."""
    first, held, bare = (a_person(stores, now) for _ in range(3))
    approved = renewed(stores, first, now)
    again = replace(renewing(first, Basis.RENEWAL, now), renewal=None)
    stores.applications.add(again, SECRET, now)
    plain = renewing(bare, Basis.RENEWAL, now)
    stores.applications.add(replace(plain, renewal=None), SECRET, now)
    stores.statuses.hold(*held.place, "system:operator", now)
    of_held = replace(renewing(held, Basis.RENEWAL, now), renewal=None)
    stores.applications.add(of_held, SECRET, now)
    notices = HolderNotices(stores.database)
    told = next(each for each in notices.due(1000, now) if each.application_id == approved.id)
    notices.end(told, CodeChannel.EMAIL, now)
    names |= {
        "renewed_application": approved.id,
        "renewed_serial": first.place[1].hex,
        "again_application": again.id,
        "bare_application": plain.id,
        "bare_serial": bare.place[1].hex,
        "suspended_application": of_held.id,
        "suspended_serial": held.place[1].hex,
    }
