"""The package of a case, made of what its collectors found: what approvers read is what is sent."""

from datetime import datetime

from gdpr_erasure.case_parts import CollectorStatus, manifest, pack
from gdpr_erasure.cases import Case, CaseKind
from gdpr_erasure.person_file import Collection, PersonFile
from server.assembly import Assembly
from server.packages import access_files, portability_files, sign_package
from server.privacy_words import Language


def case_package(
    parts: Assembly, case: Case, statuses: list[CollectorStatus], now: datetime
) -> bytes:
    """The answer as one ZIP archive with a signed manifest, as `tillid subject report` makes it.

    Access has the report and what it was made of; portability only what may be taken along. For
    other kinds it is what the act rests on, and nobody but the approvers reads it.

    Raises: SettingsRefused for a faulty register of processors.
    """
    collected = parts.case_contents.contents(case)
    found = tuple(Collection.read(name, collected[name]) for name in sorted(collected))
    file = PersonFile(str(case.subject_id), now, found)
    files: dict[str, bytes] = {"case.json": manifest(case.id, case.kind, statuses)}
    if case.kind is CaseKind.PORTABILITY:
        files |= portability_files(file)
    else:
        files |= {f"collected/{name}.json": content for name, content in collected.items()}
    if case.kind is CaseKind.ACCESS:
        files |= access_files(parts, file, Language(case.language))
    for kept in parts.case_contents.files(case.id):
        if kept.for_requester:
            name, content = parts.case_contents.file(case, kept.number)
            files[f"files/{kept.number}-{name}"] = content
    return pack(sign_package(parts, files, now))
