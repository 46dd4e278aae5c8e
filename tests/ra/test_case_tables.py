"""The worked examples of the catalogue, row by row, and what holds for every case."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ra.case import Case
from ra.case_assessment import CaseAssessment, Outcome, assess_case
from ra.case_reader import read_case
from ra.levels import AssuranceLevel
from ra.policies import STANDARD, shipped_policy
from tests.support.case_rows import TABLES

_ROWS = [(part, *row) for part, rows in TABLES.items() for row in rows]


def assess(document: dict[str, Any]) -> CaseAssessment:
    return assess_case(read_case(document), shipped_policy(STANDARD))


@pytest.mark.parametrize(
    ("part", "document", "expected"),
    [(part, document, expected) for part, _, document, *expected in _ROWS],
    ids=[f"{part}: {name}" for part, name, *_ in _ROWS],
)
def test_every_level_says_what_the_row_says(
    part: str, document: dict[str, Any], expected: list[str | None]
) -> None:
    assessed = assess({part: document})
    for level, text in zip(AssuranceLevel, expected, strict=True):
        found = assessed.levels[level]
        codes = (text or "").replace("wait ", "").split()
        assert sorted(each.finding.code for each in found.reasons) == sorted(codes), level
        assert {each.part for each in found.reasons} <= {part}
        waits = text is not None and text.startswith("wait ")
        outcome = Outcome.WAIT if waits else Outcome.REFUSED
        assert found.outcome is (Outcome.ALLOWED if text is None else outcome)


def test_all_parts_must_be_allowed() -> None:
    whole = {
        "natural_person": {"source_credential": "high"},
        "authenticator": {"factors": ["knowledge"]},
    }
    assert assess(whole).reached is AssuranceLevel.LOW
    assert assess({"natural_person": {"source_credential": "high"}}).reached is AssuranceLevel.HIGH
    assert assess({"natural_person": {}}).reached is None


def test_a_wait_beside_a_refusal_is_a_refusal() -> None:
    waiting = {"document": "passport", "document_status": "unreachable", "measures": ["chip_read"]}
    assessed = assess({"natural_person": waiting, "authenticator": {"factors": ["knowledge"]}})
    assert assessed.levels[AssuranceLevel.SUBSTANTIAL].outcome is Outcome.REFUSED


def test_a_case_with_all_defaults_reads_from_json_as_the_values_do() -> None:
    case = read_case({"natural_person": {}, "delivery": {}, "association": {}})
    assert case == Case(**{part: getattr(case, part) for part in Case.__slots__})
    assert json.loads("{}") == {}


_LEVELS = st.sampled_from(["low", "substantial", "high"])
_BOOLEAN = st.booleans()


def _flags(*names: str) -> dict[str, st.SearchStrategy[Any]]:
    return dict.fromkeys(names, _BOOLEAN)


_PERSON = st.fixed_dictionaries(
    {},
    optional=_flags(
        "expired", "data_match", "photo", "comparison_live", "biometric_channel_protected",
        "equivalence_assessment", "officer_trained", "officer_is_subject", "source_assessed",
        "source_auth_fresh", "prior_proofing", "prior_equivalence_confirmed",
    )
    | {
        "document": st.sampled_from([None, "passport", "driving_licence", "id_card"]),
        "document_status": st.sampled_from(
            ["valid", "not_checked", "unreachable", "no_service", "lost_or_stolen", "revoked"]
        ),
        "cpr_status": st.sampled_from([None, "01", "20", "60", "70", "90"]),
        "measures": st.lists(
            st.sampled_from(["registered_address_delivery", "chip_read", "control_questions"])
        ),
        "presence": st.sampled_from(["in_person", "supervised_remote", "online"]),
        "comparison": st.sampled_from([None, "photo", "signature", "biometric"]),
        "source_credential": st.none() | _LEVELS,
        "source_status": st.sampled_from(["valid", "revoked"]),
    },
)  # fmt: skip
_COMPANY = st.fixed_dictionaries(
    {},
    optional=_flags(
        "declaration", "role_in_cvr", "signing_rule_met", "documents_accepted", "cpr_cvr_linked",
        "grantor_entitled", "holder_matches", "in_scope", "poa_valid", "signature_verified",
        "witnessed",
    )
    | {
        "cvr_status": st.sampled_from(["active", "ceased", "bankrupt", "not_found"]),
        "registrant": st.none() | _LEVELS,
        "route": st.sampled_from([None, "cvr_role", "documents", "power_of_attorney"]),
        "poa_form": st.sampled_from(["digital", "paper"]),
        "callback": st.sampled_from(["not_selected", "pending", "confirmed", "denied"]),
        "specimen": st.sampled_from(["match", "mismatch", "none"]),
    },
)  # fmt: skip
_AUTHENTICATOR = st.fixed_dictionaries(
    {},
    optional=_flags(
        "copyable", "certified", "equivalence_analysis", "attested", "test_token", "independent",
        "risk_assessment",
    )
    | {
        "factors": st.lists(st.sampled_from(["knowledge", "possession", "inherence"]), max_size=3),
        "mobile_criteria": st.none() | st.integers(0, 6),
    },
)  # fmt: skip
_DELIVERY = st.fixed_dictionaries(
    {},
    optional=_flags(
        "channel_protected", "personal_check", "within_window", "receipt", "actors_separated",
        "contact_changed",
    )
    | {
        "channel": st.sampled_from(["online", "post", "in_person"]),
        "address": st.sampled_from(["authoritative", "user_given", "none"]),
        "code_channel": st.sampled_from([None, "sms", "email", "post", "online"]),
        "activated_by": st.sampled_from(["holder", "officer", "nobody"]),
    },
)  # fmt: skip
_ASSOCIATION = st.fixed_dictionaries(
    {},
    optional=_flags("mandate_status_ok", "basis_authorised", "unique_ids", "consents")
    | {
        "person": _LEVELS,
        "organisation": _LEVELS,
        "basis": st.sampled_from(
            [None, "declaration", "administrator", "authoritative_system", "cvr_relation"]
        ),
    },
)


@settings(max_examples=500)
@given(
    st.one_of(
        st.fixed_dictionaries({"natural_person": _PERSON}),
        st.fixed_dictionaries({"legal_person": _COMPANY}),
        st.fixed_dictionaries({"authenticator": _AUTHENTICATOR}),
        st.fixed_dictionaries({"delivery": _DELIVERY, "association": _ASSOCIATION}),
    )
)
def test_what_is_allowed_at_a_level_is_allowed_at_every_lower_one(document: dict[str, Any]) -> None:
    assessed = assess(document)
    allowed = [found.outcome is Outcome.ALLOWED for found in assessed.levels.values()]
    assert allowed == sorted(allowed, reverse=True)
    reasons = [{each.finding.code for each in found.reasons} for found in assessed.levels.values()]
    # What speaks against a level speaks against the one above, but for what Low alone demands.
    assert reasons[0] - reasons[1] <= {"AUTHORISATION_DECLARATION_MISSING", "EVIDENCE_MISSING"}
    assert reasons[1] <= reasons[2]
