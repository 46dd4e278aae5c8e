"""Four eyes: who may approve, over which octets, and that nothing else can."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ra.applications import ApplicationState
from ra.approvals import ApprovedApplication, approve, confirm_approval
from ra.errors import Conflict, Refused
from ra.evidence import Officer
from ra.package import build_package, package_hash
from tests.support.ra_builders import (
    NOW,
    PROFILE,
    PROOFER,
    SigningOfficer,
    examined,
    verified,
)

_SECOND = Officer("officer-8", "P-8", "key-8")


def _refused(*arguments: Any) -> str:
    with pytest.raises(Refused) as refusal:
        approve(*arguments)
    (finding,) = refusal.value.findings
    return finding.code


def test_a_second_officer_approves() -> None:
    application, signer = verified(), SigningOfficer(_SECOND)
    package = build_package(application, PROFILE)
    approved = approve(application, package, signer.approval_of(application), signer, NOW)
    assert approved.application.state is ApplicationState.APPROVED
    assert approved.application.package_hash == package_hash(package)
    assert approved.package == package
    assert approved.profile == PROFILE


@pytest.mark.parametrize(
    "second",
    [
        PROOFER,
        Officer("officer-8", "P-7"),
        Officer("officer-8", "P-8", "key-7"),
        Officer("officer-7", "P-8", "key-8"),
    ],
)
def test_a_second_officer_cannot_be_the_first(second: Officer) -> None:
    application, signer = verified(), SigningOfficer(second)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application)
    assert _refused(application, package, approval, signer, NOW) == "SEPARATION_OF_DUTIES"


@pytest.mark.parametrize("second", [Officer("o", "S-1"), Officer("o", "P-9", "key-1")])
def test_a_second_officer_cannot_be_the_subject(second: Officer) -> None:
    application, signer = verified(), SigningOfficer(second)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application)
    assert _refused(application, package, approval, signer, NOW) == "OFFICER_IS_SUBJECT"


def test_every_changed_octet_of_the_package_is_refused() -> None:
    application, signer = verified(), SigningOfficer(_SECOND)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application)
    for position in range(0, len(package), 7):
        changed = bytearray(package)
        changed[position] ^= 1
        code = _refused(application, bytes(changed), approval, signer, NOW)
        assert code == "ISSUANCE_NOT_LINKED"


def test_a_signed_package_of_another_shape_is_refused() -> None:
    application, signer = verified(), SigningOfficer(_SECOND)
    for package in (b"", b"{}", b"[]", b"null", b'{"profile":1}', b"\xff"):
        approval = signer.approval_of(application, package or b"x")
        assert _refused(application, package, approval, signer, NOW) == "ISSUANCE_NOT_LINKED"


def test_an_application_that_changed_after_the_signature_is_refused() -> None:
    application, signer = verified(), SigningOfficer(_SECOND)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application)
    altered = replace(application, requested=replace(application.requested, spki_sha256="0" * 64))
    assert _refused(altered, package, approval, signer, NOW) == "ISSUANCE_NOT_LINKED"


def test_an_approval_of_another_application_is_refused() -> None:
    application, other, signer = verified(), verified(), SigningOfficer(_SECOND)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(other)
    assert _refused(application, package, approval, signer, NOW) == "ISSUANCE_NOT_LINKED"


@pytest.mark.parametrize("change", ["officer", "person_id", "package_hash", "signature"])
def test_an_approval_that_does_not_say_what_was_signed_is_refused(change: str) -> None:
    application, signer = verified(), SigningOfficer(_SECOND)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application)
    changes: dict[str, Any] = {change: b"0" if change == "signature" else "other"}
    forged = replace(approval, **changes)
    assert _refused(application, package, forged, signer, NOW) == "ISSUANCE_NOT_LINKED"


def test_a_signature_by_somebody_unknown_is_refused() -> None:
    application = verified()
    package = build_package(application, PROFILE)
    approval = SigningOfficer(_SECOND).approval_of(application)
    trusted = SigningOfficer(_SECOND)
    assert _refused(application, package, approval, trusted, NOW) == "ISSUANCE_NOT_LINKED"


def test_a_proofing_that_grew_old_is_refused() -> None:
    application, signer = verified(), SigningOfficer(_SECOND)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application)
    later = NOW + timedelta(days=31)
    assert _refused(application, package, approval, signer, later) == "PROOFING_TOO_OLD"


def test_only_a_verified_application_is_approved() -> None:
    application, signer = verified(), SigningOfficer(_SECOND)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application)
    for state in set(ApplicationState) - {ApplicationState.VERIFIED}:
        with pytest.raises(Conflict):
            approve(replace(application, state=state), package, approval, signer, NOW)
    with pytest.raises(Conflict):
        build_package(examined(), PROFILE)


def test_nothing_but_an_approval_makes_an_approved_application() -> None:
    application, signer = verified(), SigningOfficer(_SECOND)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application)
    with pytest.raises(TypeError):
        ApprovedApplication(application, approval, PROFILE, package, seal=object())
    approved = approve(application, package, approval, signer, NOW)
    with pytest.raises((TypeError, ValueError)):
        replace(approved, application=verified())  # type: ignore[call-arg]


def test_a_stored_approval_is_confirmed_by_the_same_rules() -> None:
    application, signer = verified(), SigningOfficer(_SECOND)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application)
    approved = approve(application, package, approval, signer, NOW)
    assert confirm_approval(approved.application, package, approval, signer) == approved
    with pytest.raises(Conflict):
        confirm_approval(application, package, approval, signer)
    for stored, octets, proof in (
        (replace(approved.application, package_hash="0"), package, approval),
        (approved.application, package + b" ", approval),
        (approved.application, package, replace(approval, signature=b"0")),
        (replace(approved.application, officer=_SECOND), package, approval),
    ):
        with pytest.raises(Refused):
            confirm_approval(stored, octets, proof, signer)
