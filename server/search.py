"""Finding people, and making the index of people anew."""

from collections.abc import Iterator

from hsm.errors import HsmError
from ra.applications import Application, ApplicationState
from records.errors import DatabaseUnavailable
from records.search_index import SearchBy, name_terms
from server.assembly import Assembly
from server.logs import get_logger

_MOST = 50


def terms_of(application: Application) -> tuple[tuple[SearchBy, str], ...]:
    """What the applicant is found by."""
    claim = application.applicant.claim
    found = name_terms(claim.given_name.value, claim.surname.value)
    if claim.cpr_number is not None:
        found = (*found, (SearchBy.CPR, claim.cpr_number.value))
    if claim.email is not None:
        found = (*found, (SearchBy.MAIL, claim.email.value))
    return found


def index_person(parts: Assembly, application: Application) -> None:
    """Let the applicant be found. What cannot be written now is there after the next reindex."""
    try:
        parts.search.add(application.subject_id, terms_of(application))
    except (HsmError, DatabaseUnavailable) as error:
        get_logger("search").warning("index.incomplete", exc_info=error)


def find_people(parts: Assembly, by: str, value: str) -> tuple[str, ...]:
    """The ids of the people with this value; by a serial number the records are asked."""
    if by == "serial":
        serial = value.replace(":", "").lower()
        found = parts.certificates.find(limit=_MOST, serial=serial)
        return tuple(sorted({str(each.subject_id) for each in found if each.subject_id}))
    return parts.search.find(SearchBy(by), value)


def reindex(parts: Assembly) -> int:
    """Make the index anew from everybody who is there; gives how many people it holds."""
    people: dict[str, tuple[tuple[SearchBy, str], ...]] = {}
    for subject_id, terms in _everybody(parts):
        people[subject_id] = (*people.get(subject_id, ()), *terms)
    return parts.search.rebuild(people)


def _everybody(parts: Assembly) -> Iterator[tuple[str, tuple[tuple[SearchBy, str], ...]]]:
    for application in parts.applications.in_state(*ApplicationState):
        yield application.subject_id, terms_of(application)
    for officer, name in parts.officers.all():
        yield officer.subject_id, ((SearchBy.NAME, name),)
