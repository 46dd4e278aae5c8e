"""Attacks on legal persons, mandates and associations, by the code that refuses."""

from tests.support.attacks_pki import intent_for
from tests.support.story_sql import copied, over


def _mandate(change: str, which: str = "ready") -> str:
    return f"UPDATE mandate SET {change} WHERE id = :{which}_mandate"  # noqa: S608


def _organisation(change: str, which: str = "registered") -> str:
    return f"UPDATE organisation SET {change} WHERE id = :{which}_org"  # noqa: S608


def _association(change: str, which: str) -> str:
    return f"UPDATE association SET {change} WHERE id = :{which}_association"  # noqa: S608


_GRANT = (
    "state = 'granted', signature = sealed_body, approved_by = :{who},"
    " approved_by_person = :{who}_person"
)
_LEVELS = "person_level = {0}, organisation_level = {1}, link_level = {2}, level = {3}"

ORGANISATION_ATTACKS = {
    "ORG01": (
        copied("organisation", "id = :registered_org", id="'O-1'", cvr="'99000090'"),
        copied("organisation", "id = :proposed_org", id="'O-1'"),
        copied("organisation", "id = :proposed_org", id="'O-1'", cvr="'99000090'", level="3"),
        copied(
            "organisation",
            "id = :proposed_org",
            id="'O-1'",
            cvr="'99000090'",
            subject_id=":director_subject",
        ),
        *over("organisation", "id = :proposed_org", "id", "level = 3"),
    ),
    "ORG02": (
        _organisation("state = 'registered', level = 2", "proposed"),
        _organisation("level = 3"),
        _organisation("level = 1", "proposed"),
        _organisation("state = 'proposed'"),
        _organisation("cvr = '99000090'"),
        _organisation("subject_id = :director_subject"),
        "DELETE FROM organisation WHERE id = :proposed_org",
    ),
    "ORG03": ("UPDATE subject SET state = 'erasing' WHERE id = :registered_org_subject",),
    "ORG04": (
        copied("mandate", "id = :granted_mandate", id="'M-AAAAAAAAAA'"),
        copied("mandate", "id = :ready_mandate", id="'M-AAAAAAAAAA'", state="'open'"),
        *over("mandate", "id = :open_mandate", "id", "level = 3"),
        "DELETE FROM mandate WHERE id = :refused_mandate",
    ),
    "ORG05": (
        _mandate("level = 3"),
        _mandate("act = 'administer'"),
        _mandate("holder = :other_subject"),
        _mandate("registrant = :other_subject"),
        _mandate("organisation_id = :registered_org"),
        _mandate("state = 'granted'", "open"),
        _mandate("state = 'open'", "granted"),
        _mandate("state = 'open'", "refused"),
        _mandate("sealed_body = sealed_body || sealed_body", "refused"),
        _mandate("package_sha256 = '00'"),
        _mandate("checked_by_person = 'somebody'"),
        _mandate("approved_by = :approver", "open"),
        _mandate("signature = sealed_body", "granted"),
    ),
    "ORG06": (
        _mandate("state = 'granted'"),
        _mandate(_GRANT.format(who="double")),
        _mandate(_GRANT.format(who="proofer")),
        _mandate(_GRANT.format(who="other_officer")),
        _mandate(_GRANT.format(who="ended")),
        _mandate(_GRANT.format(who="invited")),
        _mandate(_GRANT.format(who="approver").replace("signature = sealed_body,", "")),
    ),
    "ORG07": (_mandate(_GRANT.format(who="approver"), "high"),),
    "ORG08": (
        copied("mandate_signature", "mandate_id = :open_mandate", mandate_id=":granted_mandate"),
        copied("mandate_signature", "mandate_id = :open_mandate", subject_id=":director_subject"),
        *over(
            "mandate_signature",
            "mandate_id = :open_mandate",
            "mandate_id, subject_id",
            "at = 9",
        ),
        "UPDATE mandate_signature SET subject_id = 'subject-1'",
        "DELETE FROM mandate_signature WHERE mandate_id = :open_mandate",
    ),
    "ORG09": (
        copied("call_back", "mandate_id = :called_mandate", mandate_id=":ready_mandate"),
        *over("call_back", "mandate_id = :high_mandate", "mandate_id", "selected = 0"),
        "UPDATE call_back SET selected = 0 WHERE mandate_id = :high_mandate",
        "UPDATE call_back SET percent = 0 WHERE mandate_id = :high_mandate",
        "UPDATE call_back SET outcome = 'confirmed' WHERE mandate_id = :high_mandate",
        "UPDATE call_back SET outcome = 'denied' WHERE mandate_id = :called_mandate",
        "DELETE FROM call_back WHERE mandate_id = :high_mandate",
    ),
    "ORG10": (
        *over("incident", "about = :refused_mandate", "id", "opened_at = 9"),
        "UPDATE incident SET about = 'nothing'",
        "DELETE FROM incident",
    ),
    "ORG11": (
        intent_for("waiting", spki_sha256=":waiting_spki"),
        (
            "UPDATE certificate SET status = 'issued', issued_at = not_before, fingerprint = 'ab',"
            " sealed_der = sealed_tbs WHERE serial = :half_carried"
        ),
    ),
    "ORG12": (
        copied(
            "organisation_application",
            "application_id = :employee_application",
            application_id=":free_application",
        ),
        copied(
            "organisation_application",
            "application_id = :employee_application",
            application_id=":free_application",
            association_id="NULL",
        ),
        copied(
            "organisation_application",
            "application_id = :waiting_application",
            application_id=":free_application",
        ),
        *over(
            "organisation_application",
            "application_id = :employee_application",
            "application_id",
            "association_id = NULL",
        ),
        "UPDATE organisation_application SET association_id = NULL",
        "DELETE FROM organisation_application WHERE application_id = :employee_application",
    ),
    "ASC01": (
        copied("association", "id = :active_association", id="'B-1'"),
        copied("association", "id = :proposed_association", id="'B-1'", level="3"),
        copied(
            "association",
            "id = :proposed_association",
            id="'B-1'",
            organisation_id=":proposed_org",
        ),
        copied("association", "id = :agreed_association", id="'B-1'"),
        *over("association", "id = :proposed_association", "id", "asked_level = 1"),
    ),
    "ASC02": (
        _association("subject_id = :director_subject", "active"),
        _association("organisation_id = :proposed_org", "active"),
        _association("asked_level = 3", "agreed"),
        _association("basis = 'cvr_relation'", "agreed"),
        _association("proposed_by = :other_subject", "agreed"),
        _association("person_consent_at = NULL", "agreed"),
        _association("state = 'active'", "agreed"),
        _association("state = 'proposed'", "active"),
        _association("level = 3, person_level = 3", "active"),
        _association("endorsed_by = :other_subject", "active"),
    ),
    "ASC03": (
        _association("state = 'verified'", "agreed"),
        _association(f"state = 'verified', {_LEVELS.format(2, 2, 2, 2)}", "proposed"),
        *(
            _association(f"state = 'verified', {_LEVELS.format(*levels)}", "agreed")
            for levels in (
                (2, 2, 3, 3),
                (2, 2, 3, 1),
                (3, 2, 3, 2),
                (2, 3, 3, 2),
                (1, 2, 3, 1),
                (2, 2, 1, 2),
            )
        ),
    ),
    "ASC04": (_association("state = 'ended'", "active"),),
    "ASC05": ("DELETE FROM association WHERE id = :proposed_association",),
}
