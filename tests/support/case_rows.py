"""The worked examples of the catalogue: a case, and what each level says of it.

A level is None where the case is allowed, else the codes of all its reasons; a leading "wait"
says that the application waits.
"""

from typing import Any

Row = tuple[str, dict[str, Any], str | None, str | None, str | None]

_LETTER = ["registered_address_delivery"]
_PASSPORT: dict[str, Any] = {"document": "passport", "document_status": "valid"}
_POSTED = _PASSPORT | {"measures": _LETTER}
_IN_PERSON = _PASSPORT | {"presence": "in_person", "comparison": "photo"}
_VIDEO = _PASSPORT | {
    "presence": "supervised_remote",
    "measures": ["chip_read"],
    "comparison": "biometric",
    "equivalence_assessment": True,
}
_NO_PHOTO = {
    "document": "driving_licence",
    "document_status": "valid",
    "presence": "in_person",
    "photo": False,
}
_NO_FACE = "PHYSICAL_COMPARISON_MISSING"
_NO_MEASURE = "IMPERSONATION_MEASURE_MISSING"

NATURAL_PERSON: tuple[Row, ...] = (
    (
        "nothing but a name",
        {"cpr_status": None},
        "EVIDENCE_MISSING",
        "PERSON_NOT_IN_REGISTER EVIDENCE_MISSING",
        "PERSON_NOT_IN_REGISTER EVIDENCE_MISSING",
    ),
    ("a number", {}, "EVIDENCE_MISSING", "EVIDENCE_MISSING", "EVIDENCE_MISSING"),
    (
        "a code from a letter",
        {"measures": _LETTER},
        None,
        "EVIDENCE_MISSING",
        "EVIDENCE_MISSING",
    ),
    (
        "an image of a passport",
        {"document": "passport"},
        None,
        f"CHECK_NOT_EVIDENCED {_NO_MEASURE}",
        f"CHECK_NOT_EVIDENCED {_NO_MEASURE} {_NO_FACE}",
    ),
    ("a passport online, posted", _POSTED, None, None, _NO_FACE),
    (
        "questions online",
        _PASSPORT | {"measures": ["control_questions"]},
        None,
        "CONTROL_QUESTIONS_INSUFFICIENT",
        f"CONTROL_QUESTIONS_INSUFFICIENT {_NO_FACE}",
    ),
    ("no measure", _PASSPORT, None, _NO_MEASURE, f"{_NO_MEASURE} {_NO_FACE}"),
    (
        "the service is down",
        _POSTED | {"document_status": "unreachable"},
        None,
        "wait EVIDENCE_STATUS_UNKNOWN",
        f"EVIDENCE_STATUS_UNKNOWN {_NO_FACE}",
    ),
    *(
        (name, _POSTED | changes, code, code, f"{code} {_NO_FACE}")
        for name, changes, code in (
            ("expired", {"expired": True}, "EVIDENCE_EXPIRED"),
            ("stolen", {"document_status": "lost_or_stolen"}, "EVIDENCE_REPORTED_LOST_OR_STOLEN"),
            ("revoked", {"document_status": "revoked"}, "EVIDENCE_REVOKED"),
            ("suspended", {"document_status": "suspended"}, "EVIDENCE_SUSPENDED"),
            ("disagreeing", {"data_match": False}, "IDENTITY_MISMATCH"),
            ("dead", {"cpr_status": "90"}, "PERSON_DECEASED"),
            ("missing", {"cpr_status": "70"}, "PERSON_MISSING"),
            ("changed", {"cpr_status": "60"}, "PERSON_NUMBER_SUPERSEDED"),
            ("duplicate", {"cpr_status": "50"}, "PERSON_NUMBER_SUPERSEDED"),
            ("annulled", {"cpr_status": "30"}, "PERSON_NUMBER_ANNULLED"),
            ("reserved", {"cpr_status": "10"}, "PERSON_NUMBER_NOT_ASSIGNED"),
        )
    ),
    *(
        (f"in person, status {status}", _IN_PERSON | {"cpr_status": status}, None, None, None)
        for status in ("01", "03", "05", "07", "20", "80")
    ),
    (
        "not in the register, in person",
        _IN_PERSON | {"cpr_status": None},
        None,
        "PERSON_NOT_IN_REGISTER",
        "PERSON_NOT_IN_REGISTER",
    ),
    (
        "the comparison is also named as the measure",
        _IN_PERSON | {"measures": ["physical_comparison"]},
        None,
        None,
        None,
    ),
    *(
        (name, _IN_PERSON | changes, code, code, code)
        for name, changes, code in (
            ("an untrained officer", {"officer_trained": False}, "OFFICER_NOT_TRAINED"),
            ("an officer's own case", {"officer_is_subject": True}, "OFFICER_IS_SUBJECT"),
        )
    ),
    (
        "a photo that was forwarded",
        _IN_PERSON | {"comparison_live": False, "measures": ["chip_read"]},
        "COMPARISON_NOT_LIVE",
        "COMPARISON_NOT_LIVE",
        "COMPARISON_NOT_LIVE",
    ),
    (
        "in person, the service is down",
        _IN_PERSON | {"document_status": "unreachable"},
        None,
        "wait EVIDENCE_STATUS_UNKNOWN",
        "wait EVIDENCE_STATUS_UNKNOWN",
    ),
    ("a signature", _IN_PERSON | {"comparison": "signature"}, None, None, None),
    (
        "an issuer without a service",
        _IN_PERSON | {"document_status": "no_service"},
        None,
        None,
        "EVIDENCE_STATUS_UNAVAILABLE",
    ),
    (
        "no photo, nothing else",
        _NO_PHOTO,
        None,
        _NO_MEASURE,
        f"{_NO_MEASURE} NO_RECOGNISED_PHOTO_EVIDENCE",
    ),
    (
        "no photo, questions in person",
        _NO_PHOTO | {"measures": ["control_questions_in_person"]},
        None,
        None,
        "NO_RECOGNISED_PHOTO_EVIDENCE",
    ),
    ("supervised video", _VIDEO, None, None, None),
    (
        "supervised video, not assessed",
        _VIDEO | {"equivalence_assessment": False},
        None,
        None,
        "PRESENCE_NOT_EQUIVALENT",
    ),
    (
        "a stale sample",
        _VIDEO | {"comparison_live": False},
        "BIOMETRIC_STALE",
        "BIOMETRIC_STALE",
        "BIOMETRIC_STALE",
    ),
    (
        "an open channel",
        _VIDEO | {"biometric_channel_protected": False},
        None,
        None,
        "BIOMETRIC_CHANNEL_UNPROTECTED",
    ),
    ("a login at High", {"source_credential": "high"}, None, None, None),
    (
        "a login at Substantial",
        {"source_credential": "substantial"},
        None,
        None,
        "SOURCE_CREDENTIAL_LEVEL_TOO_LOW",
    ),
    *(
        (name, {"source_credential": "high"} | changes, code, code, code)
        for name, changes, code in (
            ("suspended source", {"source_status": "suspended"}, "SOURCE_CREDENTIAL_NOT_VALID"),
            ("revoked source", {"source_status": "revoked"}, "SOURCE_CREDENTIAL_NOT_VALID"),
            ("expired source", {"source_status": "expired"}, "SOURCE_CREDENTIAL_NOT_VALID"),
            ("foreign source", {"source_assessed": False}, "SOURCE_CREDENTIAL_NOT_ASSESSED"),
            ("old login", {"source_auth_fresh": False}, "SOURCE_AUTHENTICATION_STALE"),
            ("dead holder", {"cpr_status": "90"}, "PERSON_DECEASED"),
            ("the officer's own", {"officer_is_subject": True}, "OFFICER_IS_SUBJECT"),
        )
    ),
    (
        "a login beside a stolen passport",
        {"source_credential": "high", "document": "passport", "document_status": "lost_or_stolen"},
        None,
        None,
        None,
    ),
    (
        "a bank's proofing",
        {"prior_proofing": True},
        "PRIOR_PROOFING_NOT_EQUIVALENT",
        "PRIOR_PROOFING_NOT_EQUIVALENT",
        "PRIOR_PROOFING_NOT_EQUIVALENT",
    ),
    (
        "a bank's proofing, confirmed",
        {"prior_proofing": True, "prior_equivalence_confirmed": True},
        None,
        None,
        None,
    ),
)

_DECLARED: dict[str, Any] = {"declaration": True}
_ROLE = {"registrant": "substantial", "route": "cvr_role", "role_in_cvr": True}
_CHARTER = {"registrant": "substantial", "route": "documents", "documents_accepted": True}
_POA = {"registrant": "high", "route": "power_of_attorney", "grantor_entitled": True}
_PAPER = _POA | {"poa_form": "paper", "witnessed": True}
_LEVEL = "REGISTRANT_LEVEL_TOO_LOW"
_UNVERIFIED = "AUTHORISATION_NOT_VERIFIED"
_MISMATCH = "CPR_CVR_ROLE_MISMATCH"
_RULE = "SIGNING_RULE_NOT_SATISFIED"

LEGAL_PERSON: tuple[Row, ...] = (
    ("declared", _DECLARED, None, f"{_LEVEL} {_UNVERIFIED}", f"{_LEVEL} {_UNVERIFIED}"),
    (
        "declared by nobody in particular",
        _DECLARED | {"registrant": None},
        "REGISTRANT_NOT_AUTHENTICATED",
        f"REGISTRANT_NOT_AUTHENTICATED {_UNVERIFIED}",
        f"REGISTRANT_NOT_AUTHENTICATED {_UNVERIFIED}",
    ),
    (
        "declared at Substantial",
        _DECLARED | {"registrant": "substantial"},
        None,
        _UNVERIFIED,
        f"{_LEVEL} {_UNVERIFIED}",
    ),
    (
        "nothing declared",
        {},
        "AUTHORISATION_DECLARATION_MISSING",
        f"{_LEVEL} {_UNVERIFIED}",
        f"{_LEVEL} {_UNVERIFIED}",
    ),
    ("a role, at Low", _ROLE | {"registrant": "low"}, None, _LEVEL, f"{_LEVEL} {_MISMATCH}"),
    ("a role", _ROLE, None, None, f"{_LEVEL} {_MISMATCH}"),
    (
        "a role, two sign",
        _ROLE | {"signing_rule_met": False},
        _RULE,
        _RULE,
        f"{_LEVEL} {_RULE} {_MISMATCH}",
    ),
    (
        "a role, two sign, and a declaration",
        _ROLE | {"signing_rule_met": False, "declaration": True},
        None,
        _RULE,
        f"{_LEVEL} {_RULE} {_MISMATCH}",
    ),
    (
        "no role",
        _ROLE | {"role_in_cvr": False},
        "ROLE_NOT_FOUND_IN_CVR",
        "ROLE_NOT_FOUND_IN_CVR",
        f"{_LEVEL} ROLE_NOT_FOUND_IN_CVR {_MISMATCH}",
    ),
    ("a role by name", _ROLE | {"registrant": "high"}, None, None, _MISMATCH),
    (
        "a role by number",
        _ROLE | {"registrant": "high", "cpr_cvr_linked": True},
        None,
        None,
        None,
    ),
    ("charter and minutes", _CHARTER, None, None, f"{_LEVEL} NO_ROUTE_AT_THIS_LEVEL"),
    (
        "charter and minutes, at High",
        _CHARTER | {"registrant": "high"},
        None,
        None,
        "NO_ROUTE_AT_THIS_LEVEL",
    ),
    (
        "minutes that say nothing",
        _CHARTER | {"registrant": "high", "documents_accepted": False},
        "AUTHORISATION_DOCUMENT_INSUFFICIENT",
        "AUTHORISATION_DOCUMENT_INSUFFICIENT",
        "AUTHORISATION_DOCUMENT_INSUFFICIENT NO_ROUTE_AT_THIS_LEVEL",
    ),
    ("a digital power of attorney", _POA, None, None, None),
    ("a paper one", _PAPER, None, None, None),
    (
        "a paper one without witnesses",
        _PAPER | {"witnessed": False},
        None,
        None,
        "POA_WITNESS_MISSING",
    ),
    ("to be called back", _PAPER | {"callback": "pending"}, None, None, "wait CALLBACK_PENDING"),
    ("called back", _PAPER | {"callback": "confirmed"}, None, None, None),
    (
        "an unverified signature",
        _POA | {"signature_verified": False},
        None,
        None,
        "POA_SIGNATURE_INVALID",
    ),
    *(
        (name, _PAPER | changes, code, code, code)
        for name, changes, code in (
            ("denied", {"callback": "denied"}, "CALLBACK_DENIED"),
            ("denied, declared", {"callback": "denied", "declaration": True}, "CALLBACK_DENIED"),
            ("another hand", {"specimen": "mismatch"}, "SIGNATURE_SPECIMEN_MISMATCH"),
            ("another holder", {"holder_matches": False}, "POA_HOLDER_MISMATCH"),
            ("another matter", {"in_scope": False}, "POA_OUT_OF_SCOPE"),
            ("another time", {"poa_valid": False}, "POA_EXPIRED"),
            ("a powerless grantor", {"grantor_entitled": False}, "POA_GRANTOR_NOT_ENTITLED"),
            ("bankrupt", {"cvr_status": "bankrupt"}, "LEGAL_PERSON_IN_BANKRUPTCY"),
            ("ceased", {"cvr_status": "ceased"}, "LEGAL_PERSON_CEASED"),
            ("unknown", {"cvr_status": "not_found"}, "LEGAL_PERSON_NOT_FOUND"),
        )
    ),
)

_CARD: dict[str, Any] = {
    "factors": ["possession", "knowledge"],
    "copyable": False,
    "certified": True,
    "attested": True,
}
_PHONE = {"factors": ["possession", "inherence"], "copyable": False, "mobile_criteria": 6}
_SOFT = "AUTHENTICATOR_COPYABLE KEY_ATTESTATION_MISSING DEVICE_CERTIFICATION_INVALID"

AUTHENTICATOR: tuple[Row, ...] = (
    (
        "a password",
        {"factors": ["knowledge"]},
        None,
        "FACTOR_COUNT_INSUFFICIENT",
        f"FACTOR_COUNT_INSUFFICIENT {_SOFT}",
    ),
    (
        "two passwords",
        {"factors": ["knowledge", "knowledge"]},
        None,
        "FACTORS_SAME_CATEGORY",
        f"FACTORS_SAME_CATEGORY {_SOFT}",
    ),
    ("a code card", {"factors": ["knowledge", "possession"]}, None, None, _SOFT),
    (
        "a key file",
        {"factors": ["possession", "knowledge"], "independent": False},
        None,
        None,
        f"{_SOFT} FACTORS_NOT_INDEPENDENT",
    ),
    (
        "an app and a message to the same telephone",
        {"factors": ["possession", "possession"], "independent": False},
        None,
        "FACTORS_SAME_CATEGORY",
        f"FACTORS_SAME_CATEGORY {_SOFT} FACTORS_NOT_INDEPENDENT",
    ),
    (
        "a test token",
        {"factors": ["possession", "knowledge"], "copyable": False, "test_token": True},
        None,
        None,
        "TEST_TOKEN_NOT_ALLOWED DEVICE_CERTIFICATION_INVALID",
    ),
    ("a smart card", _CARD, None, None, None),
    (
        "a card whose certificate has expired",
        _CARD | {"certified": False},
        None,
        None,
        "DEVICE_CERTIFICATION_INVALID",
    ),
    (
        "an analysed card",
        _CARD | {"certified": False, "equivalence_analysis": True},
        None,
        None,
        None,
    ),
    ("a card, not attested", _CARD | {"attested": False}, None, None, "KEY_ATTESTATION_MISSING"),
    ("a telephone", _PHONE, None, None, None),
    ("an attested telephone", _PHONE | {"attested": True}, None, None, None),
    (
        "a telephone with five of six",
        _PHONE | {"mobile_criteria": 5},
        None,
        None,
        "MOBILE_KEY_CRITERIA_UNMET",
    ),
    (
        "no assessment",
        _CARD | {"risk_assessment": False},
        None,
        "PROFILE_RISK_ASSESSMENT_MISSING",
        "PROFILE_RISK_ASSESSMENT_MISSING",
    ),
    (
        "nothing",
        {},
        "FACTOR_MISSING",
        "FACTOR_MISSING FACTOR_COUNT_INSUFFICIENT",
        f"FACTOR_MISSING FACTOR_COUNT_INSUFFICIENT {_SOFT}",
    ),
)

_NOT_PERSONAL = "ACTIVATION_NOT_PERSONAL"

DELIVERY: tuple[Row, ...] = (
    ("a download", {}, None, None, _NOT_PERSONAL),
    *(
        (name, changes, None, code, f"{code} {_NOT_PERSONAL}")
        for name, changes, code in (
            ("one session", {"code_channel": "online"}, "CHANNELS_NOT_INDEPENDENT"),
            ("no code", {"code_channel": None}, "CHANNELS_NOT_INDEPENDENT"),
            ("open", {"channel_protected": False}, "CHANNEL_NOT_PROTECTED"),
            (
                "a typed address",
                {"channel": "post", "address": "user_given"},
                "ADDRESS_NOT_AUTHORITATIVE",
            ),
            ("no address", {"channel": "post", "address": "none"}, "NO_REGISTERED_ADDRESS"),
            ("no receipt", {"receipt": False}, "RECEIPT_MISSING"),
            ("another telephone", {"contact_changed": True}, "CONTACT_CHANGED_AFTER_APPROVAL"),
        )
    ),
    ("by post", {"channel": "post"}, None, None, _NOT_PERSONAL),
    ("by post, a login at High", {"channel": "post", "personal_check": True}, None, None, None),
    (
        "one officer for all",
        {"channel": "post", "personal_check": True, "actors_separated": False},
        None,
        None,
        "SEPARATION_OF_DUTIES",
    ),
    ("in person", {"channel": "in_person", "personal_check": True}, None, None, None),
    (
        "in person without a code",
        {"channel": "in_person", "personal_check": True, "code_channel": None},
        None,
        None,
        None,
    ),
    ("by an officer", {"activated_by": "officer"}, None, None, _NOT_PERSONAL),
    (
        "by nobody in time",
        {"activated_by": "nobody", "within_window": False},
        "ACTIVATION_WINDOW_ELAPSED",
        "ACTIVATION_WINDOW_ELAPSED CREDENTIAL_NOT_ACTIVATED",
        f"ACTIVATION_WINDOW_ELAPSED CREDENTIAL_NOT_ACTIVATED {_NOT_PERSONAL}",
    ),
)

_ADMIN: dict[str, Any] = {
    "person": "substantial",
    "organisation": "substantial",
    "basis": "administrator",
}
_FEED = _ADMIN | {"basis": "authoritative_system"}
_BOTH_LOW = "ASSOCIATED_PERSON_LEVEL_TOO_LOW ASSOCIATED_ORGANISATION_LEVEL_TOO_LOW"
_UNCONTROLLED = "ASSOCIATION_NOT_UNDER_ORGANISATION_CONTROL"
_HIGH = {"person": "high", "organisation": "high", "basis": "cvr_relation"}

ASSOCIATION: tuple[Row, ...] = (
    (
        "a manager's declaration",
        {},
        None,
        f"{_BOTH_LOW} {_UNCONTROLLED}",
        f"{_BOTH_LOW} {_UNCONTROLLED}",
    ),
    ("an administrator", _ADMIN, None, None, _BOTH_LOW),
    (
        "an administrator of nobody's",
        _ADMIN | {"basis_authorised": False},
        None,
        "ASSOCIATION_ADMIN_NOT_AUTHORISED",
        f"{_BOTH_LOW} ASSOCIATION_ADMIN_NOT_AUTHORISED",
    ),
    ("a personnel system", _FEED, None, None, _BOTH_LOW),
    (
        "a personnel system of nobody's",
        _FEED | {"basis_authorised": False},
        None,
        "FEED_NOT_AUTHENTICATED",
        f"{_BOTH_LOW} FEED_NOT_AUTHENTICATED",
    ),
    ("a relation in the register", _HIGH, None, None, None),
    (
        "no relation in the register",
        _HIGH | {"basis_authorised": False},
        None,
        "ROLE_NOT_FOUND_IN_CVR",
        "ROLE_NOT_FOUND_IN_CVR",
    ),
    (
        "a company at Substantial",
        _HIGH | {"organisation": "substantial"},
        None,
        None,
        "ASSOCIATED_ORGANISATION_LEVEL_TOO_LOW",
    ),
    (
        "a person at Low",
        _HIGH | {"person": "low"},
        None,
        "ASSOCIATED_PERSON_LEVEL_TOO_LOW",
        "ASSOCIATED_PERSON_LEVEL_TOO_LOW",
    ),
    (
        "barred",
        _HIGH | {"mandate_status_ok": False},
        "REPRESENTATIVE_BARRED",
        "REPRESENTATIVE_BARRED",
        "REPRESENTATIVE_BARRED",
    ),
    (
        "without consent",
        _ADMIN | {"consents": False},
        "ASSOCIATION_CONSENT_MISSING",
        "ASSOCIATION_CONSENT_MISSING",
        f"{_BOTH_LOW} ASSOCIATION_CONSENT_MISSING",
    ),
    (
        "not unique",
        _HIGH | {"unique_ids": False},
        None,
        None,
        "ASSOCIATION_IDENTIFIERS_NOT_UNIQUE",
    ),
)

TABLES: dict[str, tuple[Row, ...]] = {
    "natural_person": NATURAL_PERSON,
    "legal_person": LEGAL_PERSON,
    "authenticator": AUTHENTICATOR,
    "delivery": DELIVERY,
    "association": ASSOCIATION,
}
