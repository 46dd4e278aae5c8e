"""The package, and what applications show and store of a person."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ra.applications import Applicant
from ra.approvals import Approval
from ra.documents import (
    from_document,
    operational_columns,
    personal_document,
    restore_application,
    to_document,
)
from ra.errors import MalformedField, Refused
from ra.levels import AssuranceLevel
from ra.package import build_package, profile_of, subject_name
from ra.requirements import finding
from tests.support.ra_builders import (
    NANCY,
    PROFILE,
    PROOFER,
    SigningOfficer,
    claimed,
    drafted,
    examined,
    in_proofing,
    verified,
)


def test_the_package_is_canonical_json_of_the_application() -> None:
    package = build_package(verified(), PROFILE)
    document = json.loads(package)
    again = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert again.encode() == package
    assert document["level"] == "Substantial"
    assert document["validity_days"] == 365
    assert document["profile"] == {"name": PROFILE.name, "sha256": PROFILE.sha256}
    assert len(document["checks"]) == 7
    assert {each["finding"] for each in document["checks"]} == {None}
    assert len(document["acceptances"]) == 2
    assert document["proofing"]["officer"] == PROOFER.pseudonym
    assert profile_of(package) == PROFILE


def test_the_package_is_the_same_each_time_it_is_built() -> None:
    application = verified()
    assert build_package(application, PROFILE) == build_package(application, PROFILE)


def test_the_package_holds_no_personal_number_and_no_document() -> None:
    application = verified()
    package = build_package(application, PROFILE).decode()
    assert NANCY not in package
    assert NANCY[:6] not in package
    assert "UT1234567" not in package
    assert application.salt not in package
    assert application.checks[0].input_hash not in package
    assert "key-1" not in package


def test_the_same_evidence_under_another_salt_has_other_commitments() -> None:
    application = verified()
    other = replace(application, salt="00" * 32)
    first, second = (json.loads(build_package(each, PROFILE)) for each in (application, other))
    assert first["evidence"] != second["evidence"]


def test_a_package_under_another_profile_than_applied_for_is_not_built() -> None:
    with pytest.raises(MalformedField):
        build_package(verified(), replace(PROFILE, name="organisation"))


def test_the_subject_is_named_without_the_personal_number() -> None:
    applicant = verified().applicant
    name = subject_name(applicant)
    assert name[:4] == (
        ("C", "DK"),
        ("GN", "Nancy Ann Test"),
        ("SN", "Berggren"),
        ("CN", "Nancy Ann Test Berggren"),
    )
    attribute, pseudonym = name[4]
    assert attribute == "serialNumber"
    assert pseudonym.startswith("UI:")
    assert len(pseudonym) == 35
    assert NANCY not in str(name)


@pytest.mark.parametrize(
    ("given_name", "surname", "common"),
    [
        ("a" * 31, "b" * 32, "a" * 31 + " " + "b" * 32),
        ("Anna " + "a" * 59, "b" * 20, "Anna " + "b" * 20),
        ("a" * 64, "b" * 64, "b" * 64),
    ],
)
def test_the_common_name_stays_within_its_bound(given_name: str, surname: str, common: str) -> None:
    claim = drafted(claimed(given_name=given_name, surname=surname)).applicant.claim
    assert dict(subject_name(Applicant("S-1", claim)))["CN"] == common


def test_an_application_comes_back_from_its_columns_and_its_body() -> None:
    attributes = claimed("0108589995", email="soren@example.test")
    for application in (
        drafted(attributes),
        examined(in_proofing(attributes)),
        replace(verified(), findings=(finding("REG-IDN-L4", "SOURCE_NOT_APPROVED", ("x",)),)),
    ):
        body = json.loads(json.dumps(personal_document(application)))
        assert restore_application(operational_columns(application), body) == application


def test_the_columns_in_clear_tell_nothing_about_the_person() -> None:
    application = examined(in_proofing(claimed(email="nancy@example.test")))
    columns = repr(operational_columns(application))
    for personal in (NANCY, "Nancy", "Berggren", "nancy@", "UT1234567", "key-1"):
        assert personal not in columns


def test_nothing_personal_is_printed() -> None:
    application = examined(in_proofing(claimed(email="nancy@example.test")))
    printed = f"{application!r} {application} {application.evidence} {application.checks}"
    for personal in (NANCY, "Nancy", "Berggren", "BERGGREN", "nancy@", "UT1234567"):
        assert personal not in printed
    assert application.salt not in printed


def test_no_refusal_repeats_what_is_personal() -> None:
    with pytest.raises(Refused) as refusal:
        drafted(claimed(email=f"x{NANCY}@example.test"))
    assert NANCY not in str(refusal.value)
    assert NANCY not in repr(refusal.value.findings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("extra", 1),
        ("applicant", None),
        ("applicant", {}),
        ("salt", 3),
        ("evidence", 1),
        ("checks", [{}]),
        ("officer", "x"),
        ("acceptances", [{"kind": "terms"}]),
    ],
)
def test_a_body_of_another_form_is_refused(name: str, value: Any) -> None:
    application = verified()
    body = personal_document(application) | {name: value}
    with pytest.raises(MalformedField):
        restore_application(operational_columns(application), body)


def test_a_broken_value_in_a_body_is_not_repeated() -> None:
    application = verified()
    body: Any = json.loads(json.dumps(personal_document(application)))
    body["applicant"]["claim"]["cpr_number"] = NANCY + "1"
    with pytest.raises(MalformedField) as refusal:
        restore_application(operational_columns(application), body)
    assert NANCY not in str(refusal.value)


def test_a_body_of_another_application_is_refused() -> None:
    application = verified()
    columns = replace(operational_columns(application), subject_id="S-2")
    with pytest.raises(MalformedField):
        restore_application(columns, personal_document(application))
    columns = replace(operational_columns(application), level=AssuranceLevel.HIGH)
    with pytest.raises(MalformedField):
        restore_application(columns, personal_document(application))


def test_an_approval_comes_back_from_its_document() -> None:
    approval = SigningOfficer(PROOFER).approval_of(verified())
    assert from_document(Approval, json.loads(json.dumps(to_document(approval)))) == approval


def test_only_a_value_with_fields_is_a_document() -> None:
    with pytest.raises(TypeError):
        to_document("text")
