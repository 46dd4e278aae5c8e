"""API operations on people: find one, open the file of one, make the package for one.

Each opening is an event of the audit log before anything is read: who, why, and a reference; whom
it was about is not in the header.
"""

import secrets
from base64 import b64encode
from collections import Counter

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from audit.events import Event
from gdpr_erasure.person_file import Asking
from records.audit_log import append
from records.officers import Officer
from server.access import Act, acting_officer
from server.api_models import PersonOpeningBody, ReportBody, SearchBody, SubjectPath
from server.assembly import Assembly
from server.clock import utc_now
from server.packages import access_package, portability_package
from server.privacy_words import Language
from server.search import find_people


def register_subjects(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""

    @blueprint.post("/subjects/search", summary="Find people by CPR number, name, mail or serial")
    def search_people(body: SearchBody) -> Response:
        officer = acting_officer(parts, request, Act.SEE_PERSONS)
        reference = _noted(parts, officer, "searched", body.purpose)
        found = find_people(parts, body.by, body.value)
        return jsonify({"reference": reference, "subjects": list(found)})

    @blueprint.post("/subjects/<subject_id>/opening", summary="What there is about one person")
    def open_person(path: SubjectPath, body: PersonOpeningBody) -> Response:
        officer = acting_officer(parts, request, Act.SEE_PERSONS)
        reference = _noted(parts, officer, "opened", body.purpose)
        file = parts.person_files.of(Asking(path.subject_id, officer.id, reference, utc_now()))
        kinds = Counter(record.kind for record in file.records)
        return jsonify(
            {
                "reference": reference,
                "subject": file.subject_id,
                "records": dict(kinds),
                "classes": list(file.classes),
                "recipients": [one.recipient for one in file.disclosures],
                "collected": [
                    {"collector": one.name, "count": one.count, "sha256": one.checksum}
                    for one in file.collections
                ],
            }
        )

    @blueprint.post("/subjects/<subject_id>/package", summary="The package for one person")
    def package_of_person(path: SubjectPath, body: ReportBody) -> Response:
        officer = acting_officer(parts, request, Act.SEE_PERSONS)
        reference = _noted(parts, officer, "reported", body.purpose)
        asked = Asking(path.subject_id, officer.id, reference, utc_now())
        if body.package == "access":
            made = access_package(parts, asked, Language(body.language))
        else:
            made = portability_package(parts, asked)
        files = {name: b64encode(octets).decode() for name, octets in made.items()}
        return jsonify({"reference": reference, "files": files})


def _noted(parts: Assembly, officer: Officer, act: str, purpose: str) -> str:
    reference = f"access-{secrets.token_hex(8)}"
    with parts.database.write() as tx:
        append(tx, Event(f"subject.{act}", officer.id, reference, {"purpose": purpose}), utc_now())
    return reference
