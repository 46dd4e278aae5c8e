"""Attacks on the proofing of natural persons, by the code that refuses."""

from tests.support.attacks_ra import approval
from tests.support.story_sql import copied, over

_YEAR = "31622400000001"
_TRAINING = "id = :training"
_TEXT = "completed_at IS NULL"
_DONE = "completed_at IS NOT NULL"
_NONCE = "nonce_sha256 = :open_nonce"
_ATTEMPT = "application_id = :young_application"
_RESOLVED = "application_id = :resolved_application"
_OPEN = "application_id = :young_application AND credential_sha256 = :open_credential"
_DECIDED = "application_id = :young_application AND credential_sha256 = :decided_credential"
_DECISION = "decision = 'revoked', decided_by = {who}, decided_person = {person}, decided_at = 1"

PERSON_ATTACKS = {
    "PER01": (
        *over("training", _TRAINING, "id", "topic = 'identity_proofing'"),
        copied("training", _TRAINING, id="'t'", valid_until=f"trained_at + {_YEAR}"),
        copied("training", _TRAINING, id="'t'", valid_until="trained_at"),
        copied("training", _TRAINING, id="'t'", recorded_by=":proofer"),
        copied("training", _TRAINING, id="'t'", recorded_by="'nobody'", recorded_person="NULL"),
        copied("training", _TRAINING, id="'t'", person_id="recorded_person"),
        "UPDATE training SET valid_until = valid_until + 1 WHERE id = :training",
        "DELETE FROM training WHERE id = :training",
    ),
    "PER02": (
        copied("presentation", _DONE, session_sha256="'00'"),
        *over("presentation", _TEXT, "session_sha256, text_sha256", "version = 2"),
        *(
            f"UPDATE presentation SET {change} WHERE {_TEXT}"  # noqa: S608
            for change in (
                "text_sha256 = '00', completed_at = shown_at",
                "language = 'xx', completed_at = shown_at",
                "shown_at = 1, completed_at = 2",
                "completed_at = shown_at - 1",
                "version = 2",
            )
        ),
        f"UPDATE presentation SET completed_at = NULL WHERE {_DONE}",  # noqa: S608
        f"UPDATE presentation SET completed_at = completed_at + 1 WHERE {_DONE}",  # noqa: S608
        f"DELETE FROM presentation WHERE {_DONE}",  # noqa: S608
    ),
    "PER03": (
        copied("proofing_nonce", _NONCE, nonce_sha256="'00'", used_at="asked_at"),
        *over("proofing_nonce", _NONCE, "nonce_sha256", "expires_at = 9", expires_at="9"),
        *(
            f"UPDATE proofing_nonce SET {change} WHERE {_NONCE}"  # noqa: S608
            for change in (
                "application_id = 'A-AAAAAAAAAA', used_at = asked_at",
                "purpose = 'biometric', used_at = asked_at",
                "expires_at = expires_at + 1, used_at = asked_at",
                "asked_at = 1, used_at = 2",
            )
        ),
        "UPDATE proofing_nonce SET used_at = NULL WHERE nonce_sha256 = :used_nonce",
        "UPDATE proofing_nonce SET used_at = used_at + 1 WHERE nonce_sha256 = :used_nonce",
        "DELETE FROM proofing_nonce WHERE nonce_sha256 = :used_nonce",
    ),
    "PER04": (
        *over("failed_attempt", _ATTEMPT, "id", "at = 1", at="1"),
        f"UPDATE failed_attempt SET at = 1 WHERE {_ATTEMPT}",  # noqa: S608
        f"DELETE FROM failed_attempt WHERE {_ATTEMPT}",  # noqa: S608
    ),
    "PER05": (
        *over("resolution", _RESOLVED, "application_id, number", "at = 1"),
        copied("resolution", _RESOLVED, number="2"),
        copied(
            "resolution",
            _RESOLVED,
            application_id=":referred_application",
            officer_id=":other_officer",
            person_id=":other_officer_person",
        ),
        copied(
            "resolution",
            _RESOLVED,
            application_id=":referred_application",
            officer_id=":approver",
            person_id=":approver_person",
        ),
        copied(
            "resolution",
            _RESOLVED,
            application_id=":referred_application",
            person_id="'somebody'",
        ),
        f"UPDATE resolution SET person_id = 'somebody' WHERE {_RESOLVED}",  # noqa: S608
        f"DELETE FROM resolution WHERE {_RESOLVED}",  # noqa: S608
    ),
    "PER06": (approval(application="resolved", officer="double"),),
    "PER07": (
        *over("derivation", _OPEN, "application_id, credential_sha256", "level = 'low'"),
        f"UPDATE derivation SET credential_sha256 = '00' WHERE {_OPEN}",  # noqa: S608
        f"DELETE FROM derivation WHERE {_DECIDED}",  # noqa: S608
    ),
    "PER08": (
        *over("derivation_review", _OPEN, "application_id, credential_sha256", "opened_at = 1"),
        copied("derivation_review", _OPEN, credential_sha256="'00'"),
        copied("derivation_review", _DECIDED, application_id="'A-AAAAAAAAAA'"),
        *(
            f"UPDATE derivation_review SET {change} WHERE {_OPEN}"  # noqa: S608
            for change in (
                _DECISION.format(who=":manager", person=":manager_person"),
                _DECISION.format(who=":administrator", person=":manager_person"),
                _DECISION.format(who=":ended", person=":ended_person"),
                "opened_at = 1",
                "opened_by = :administrator, opened_person = :administrator_person",
            )
        ),
        f"UPDATE derivation_review SET decision = 'revoked' WHERE {_DECIDED}",  # noqa: S608
        f"DELETE FROM derivation_review WHERE {_DECIDED}",  # noqa: S608
    ),
    "PER09": ("UPDATE application SET state = 'lapsed' WHERE id = :young_application",),
}
