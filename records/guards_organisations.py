"""What the database refuses about legal persons, mandates and associations (NSIS 3.1.3 and 5).

A legal person is registered at the level of a granted mandate; a mandate is granted by a second
person after every call-back; the level of an association is the lowest of its three parts; and a
certificate that names an organisation stands and falls with what it rests on.
"""

from ra.associations import STEPS as ASSOCIATION_STEPS
from ra.mandates import MANDATE_STEPS
from records.triggers import Guard, changed, same_row


def _rank(level: str) -> str:
    return f"(CASE {level} WHEN 'high' THEN 3 WHEN 'substantial' THEN 2 ELSE 1 END)"


_MANDATE_STEP = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state = '{further}')"
    for state, reached in MANDATE_STEPS.items()
    for further in sorted(reached)
)
_MANDATE_FINAL = ", ".join(f"'{state}'" for state, further in MANDATE_STEPS.items() if not further)
_ASSOCIATION_STEP = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state = '{further}')"
    for state, reached in ASSOCIATION_STEPS.items()
    for further in sorted(reached)
)
_REGISTERED_BY = (
    "EXISTS (SELECT 1 FROM mandate m WHERE m.organisation_id = NEW.id AND m.act = 'register'"
    " AND m.state = 'granted' AND m.level = NEW.level)"
)
_APPROVER = (
    "EXISTS (SELECT 1 FROM officer o WHERE o.id = NEW.approved_by"
    " AND o.person_id = NEW.approved_by_person AND o.role = 'approving_officer'"
    " AND o.state = 'active')"
)
_CALLED = (
    "EXISTS (SELECT 1 FROM call_back c WHERE c.mandate_id = NEW.id AND c.selected = 1"
    " AND (c.outcome = 'denied' OR (NEW.level = 3 AND c.outcome IS NULL)))"
)
_KEPT = (
    "EXISTS (SELECT 1 FROM mandate m JOIN organisation o ON o.id = m.organisation_id"
    " JOIN subject s ON s.id = o.subject_id WHERE m.id = {mandate} AND s.state <> 'erasing')"
)
_DECIDED = ("package_sha256", "approved_by", "approved_by_person", "signature", "valid_until")

_ORGANISATION_GUARDS = (
    Guard(
        "ORG01",
        "organisation",
        "INSERT",
        f"{same_row('organisation', 'id')} OR {same_row('organisation', 'cvr')}"  # noqa: S608 - of our own constants
        " OR NEW.state <> 'proposed' OR NEW.level IS NOT NULL OR NOT EXISTS (SELECT 1 FROM"
        " subject s WHERE s.id = NEW.subject_id AND s.kind = 'legal_person')",
        "a legal person begins unregistered, once, and as no natural person",
    ),
    Guard(
        "ORG02",
        "organisation",
        "UPDATE",
        changed("id", "cvr", "subject_id", "created_at")
        + " OR (OLD.state = 'ended' AND NEW.state <> 'ended')"
        " OR (OLD.state = 'registered' AND NEW.state = 'proposed')"
        f" OR (NEW.state = 'registered' AND NOT {_REGISTERED_BY})"
        " OR (NEW.state <> 'registered' AND NEW.level IS DISTINCT FROM OLD.level)",
        "a legal person is registered only at the level of a granted mandate",
    ),
    Guard("ORG02", "organisation", "DELETE", "1 = 1", "a legal person is ended, not deleted"),
    Guard(
        "ORG03",
        "subject",
        "UPDATE",
        "NEW.state = 'erasing' AND EXISTS (SELECT 1 FROM organisation o"
        " WHERE o.subject_id = NEW.id AND o.state <> 'ended')",
        "a legal person is no data subject, and its records go only after it has ended",
    ),
)
_MANDATE_GUARDS = (
    Guard(
        "ORG04",
        "mandate",
        "INSERT",
        f"{same_row('mandate', 'id')} OR NEW.state <> 'open' OR NEW.checked_by_person IS NOT NULL"
        " OR NEW.package_sha256 IS NOT NULL OR NEW.approved_by IS NOT NULL"
        " OR NEW.approved_by_person IS NOT NULL OR NEW.signature IS NOT NULL",
        "a mandate begins with who asks, before anyone has checked it",
    ),
    Guard(
        "ORG05",
        "mandate",
        "UPDATE",
        changed("id", "organisation_id", "act", "level", "registrant", "holder", "opened_at")
        + f" OR (NEW.state <> OLD.state AND NOT ({_MANDATE_STEP}))"
        f" OR (OLD.state IN ({_MANDATE_FINAL}) AND ({changed('sealed_body', 'checked_by_person')}))"
        " OR (OLD.state IN ('verified', 'granted')"
        f" AND ({changed('package_sha256', 'checked_by_person', 'valid_until')}))"
        f" OR (NEW.state <> 'granted' AND ({changed('approved_by', 'signature')}))"
        f" OR (OLD.state = 'granted' AND ({changed(*_DECIDED)}))",
        "what a mandate asks for does not change, and it takes no step that leaves one out",
    ),
    Guard(
        "ORG06",
        "mandate",
        "UPDATE",
        "NEW.state = 'granted' AND OLD.state <> 'granted' AND (NEW.checked_by_person IS NULL"
        " OR NEW.signature IS NULL OR NEW.package_sha256 IS NULL"
        f" OR NEW.checked_by_person = NEW.approved_by_person OR NOT {_APPROVER}"
        " OR NEW.approved_by_person IN (NEW.registrant, NEW.holder))",
        "a mandate is granted by an approving officer who is another person than the one who"
        " checked it",
    ),
    Guard(
        "ORG07",
        "mandate",
        "UPDATE",
        f"NEW.state = 'granted' AND OLD.state <> 'granted' AND {_CALLED}",
        "a mandate is not granted before its call-back, nor after the company denied it",
    ),
    Guard(
        "ORG04",
        "mandate",
        "DELETE",
        _KEPT.format(mandate="OLD.id"),
        "a mandate is kept as long as its legal person",
    ),
    Guard(
        "ORG08",
        "mandate_signature",
        "INSERT",
        f"{same_row('mandate_signature', 'mandate_id', 'subject_id')} OR NOT EXISTS (SELECT 1"  # noqa: S608 - of our own constants
        " FROM mandate m WHERE m.id = NEW.mandate_id AND m.state IN ('open', 'referred')"
        " AND m.registrant <> NEW.subject_id)",
        "another person signs a mandate, once, and while it is open",
    ),
    Guard("ORG08", "mandate_signature", "UPDATE", "1 = 1", "a signature does not change"),
    Guard(
        "ORG08",
        "mandate_signature",
        "DELETE",
        _KEPT.format(mandate="OLD.mandate_id"),
        "a signature is kept as long as its mandate",
    ),
    Guard(
        "ORG09",
        "call_back",
        "INSERT",
        f"{same_row('call_back', 'mandate_id')} OR NEW.outcome IS NOT NULL"
        " OR NEW.called_by IS NOT NULL",
        "whether a company is called back is drawn once, before anyone has called",
    ),
    Guard(
        "ORG09",
        "call_back",
        "UPDATE",
        changed("mandate_id", "percent", "selected", "number_source", "drawn_at")
        + " OR OLD.selected = 0 OR OLD.outcome IS NOT NULL OR NEW.outcome IS NULL"
        " OR NEW.called_by IS NULL OR NEW.called_at IS NULL",
        "a draw does not change, and a call-back has one outcome",
    ),
    Guard(
        "ORG09",
        "call_back",
        "DELETE",
        _KEPT.format(mandate="OLD.mandate_id"),
        "a call-back is kept as long as its mandate",
    ),
    Guard(
        "ORG10",
        "incident",
        "INSERT",
        same_row("incident", "id"),
        "an incident is not written over",
    ),
    Guard("ORG10", "incident", "UPDATE", "1 = 1", "an incident does not change"),
    Guard("ORG10", "incident", "DELETE", "1 = 1", "an incident is not deleted"),
)
_CARRIED = (
    "EXISTS (SELECT 1 FROM organisation_application x JOIN organisation o"
    " ON o.id = x.organisation_id WHERE x.application_id = NEW.application_id"
    " AND o.state = 'registered' AND (x.association_id IS NULL OR EXISTS (SELECT 1 FROM"
    " association a WHERE a.id = x.association_id AND a.state = 'active'{lock})))"
)
_NAMES_ONE = (
    "(NEW.profile IN ('employee', 'legal-person-seal') OR EXISTS (SELECT 1 FROM"
    " organisation_application y WHERE y.application_id = NEW.application_id))"
)
_CERTIFICATE_GUARDS = (
    Guard(
        "ORG11",
        "certificate",
        "INSERT",
        f"NEW.application_id IS NOT NULL AND {_NAMES_ONE} AND NOT {_CARRIED}",
        "a certificate names an organisation that is registered, and a person who is associated",
    ),
    Guard(
        "ORG11",
        "certificate",
        "UPDATE",
        "NEW.application_id IS NOT NULL AND NEW.status = 'issued' AND OLD.status <> 'issued'"
        f" AND {_NAMES_ONE} AND NOT {_CARRIED}",
        "a certificate comes to life only while its organisation and association do",
    ),
    Guard(
        "ORG12",
        "organisation_application",
        "INSERT",
        f"{same_row('organisation_application', 'application_id')} OR NOT EXISTS (SELECT 1 FROM"  # noqa: S608 - of our own constants
        " application a, organisation o WHERE a.id = NEW.application_id"
        " AND o.id = NEW.organisation_id AND o.state = 'registered'"
        f" AND o.level >= {_rank('a.level')} AND (NEW.association_id IS NOT NULL"
        " OR a.subject_id = o.subject_id)) OR (NEW.association_id IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM association s, application a WHERE s.id = NEW.association_id"
        " AND a.id = NEW.application_id AND s.organisation_id = NEW.organisation_id"
        " AND s.subject_id = a.subject_id AND s.state = 'active' AND s.kind = 'credential'"
        f" AND s.level >= {_rank('a.level')}))",
        "an application names an organisation or association that carries its level",
    ),
    Guard(
        "ORG12",
        "organisation_application",
        "UPDATE",
        "1 = 1",
        "which organisation an application names does not change",
    ),
    Guard(
        "ORG12",
        "organisation_application",
        "DELETE",
        "EXISTS (SELECT 1 FROM application a JOIN subject s ON s.id = a.subject_id"
        " WHERE a.id = OLD.application_id AND s.state <> 'erasing')",
        "which organisation an application names is kept as long as the application",
    ),
)
_LOWEST = (
    "NEW.level IS NULL OR NEW.person_level IS NULL OR NEW.organisation_level IS NULL"
    " OR NEW.link_level IS NULL OR NEW.level > NEW.person_level"
    " OR NEW.level > NEW.organisation_level OR NEW.level > NEW.link_level"
    " OR (NEW.level < NEW.person_level AND NEW.level < NEW.organisation_level"
    " AND NEW.level < NEW.link_level) OR NEW.level < NEW.asked_level"
)
_PERSON_HAS = (
    "EXISTS (SELECT 1 FROM certificate c JOIN application a ON a.id = c.application_id"  # noqa: S608 - of our own constants
    " WHERE c.subject_id = NEW.subject_id AND c.status = 'issued'"
    f" AND {_rank('a.level')} >= NEW.person_level)"
)
_ORGANISATION_HAS = (
    "EXISTS (SELECT 1 FROM organisation o WHERE o.id = NEW.organisation_id"
    " AND o.state = 'registered' AND o.level >= NEW.organisation_level)"
)
_LEVELS = ("person_level", "organisation_level", "link_level", "level")
_ASSOCIATION_GUARDS = (
    Guard(
        "ASC01",
        "association",
        "INSERT",
        f"{same_row('association', 'id')} OR NEW.state <> 'proposed' OR NEW.level IS NOT NULL"  # noqa: S608 - of our own constants
        " OR NEW.person_consent_at IS NOT NULL OR NOT EXISTS (SELECT 1 FROM organisation o"
        " WHERE o.id = NEW.organisation_id AND o.state = 'registered')",
        "an association begins as the proposal of a registered organisation",
    ),
    Guard(
        "ASC02",
        "association",
        "UPDATE",
        changed("id", "organisation_id", "subject_id", "kind", "basis", "asked_level")
        + " OR "
        + changed("proposed_by", "organisation_consent_at", "created_at")
        + f" OR (NEW.state <> OLD.state AND NOT ({_ASSOCIATION_STEP}))"
        f" OR (OLD.person_consent_at IS NOT NULL AND ({changed('person_consent_at')}))"
        f" OR (OLD.state <> 'proposed' AND ({changed('endorsed_by', *_LEVELS)}))",
        "what an association rests on does not change, and it takes no step that leaves one out",
    ),
    Guard(
        "ASC03",
        "association",
        "UPDATE",
        "NEW.state IN ('verified', 'active') AND OLD.state <> NEW.state"
        f" AND (NEW.person_consent_at IS NULL OR {_LOWEST} OR NOT {_ORGANISATION_HAS}"
        f" OR NOT {_PERSON_HAS})",
        "the level of an association is the lowest of its parts, and both sides have consented",
    ),
    Guard(
        "ASC04",
        "association",
        "UPDATE",
        "NEW.state = 'ended' AND EXISTS (SELECT 1 FROM organisation_application x"
        " JOIN certificate c ON c.application_id = x.application_id"
        " WHERE x.association_id = NEW.id AND c.status IN ('issued', 'held'))",
        "an association ends only together with the certificates that carry it",
    ),
    Guard(
        "ASC05",
        "association",
        "DELETE",
        "EXISTS (SELECT 1 FROM subject s WHERE s.id = OLD.subject_id AND s.state <> 'erasing')",
        "an association is deleted only in the erasure of its person",
    ),
)
ORGANISATION_GUARDS = (
    *(*_ORGANISATION_GUARDS, *_MANDATE_GUARDS, *_CERTIFICATE_GUARDS),
    *_ASSOCIATION_GUARDS,
)
