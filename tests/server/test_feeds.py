"""An organisation's own system says who belongs to it, signed by the seal that was designated."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ca.identifiers import IssuerName, SerialNumber
from ca.signed_data import sign_detached
from ra.legal_persons import CvrNumber
from records.officers import Role
from revocation.causes import Cause, Grounds
from revocation.reasons import Reason
from server.clock import utc_now
from server.metrics import Metrics
from server.staff import staff_app
from tests.support.api import armoured
from tests.support.organisations import (
    ASSOCIATIONS,
    ASTA,
    KIRSTEN,
    MANDATES,
    NANCY,
    SOEREN,
    SUBSTANTIAL,
    Citizen,
    Registry,
    codes,
)
from tests.support.staff import Office

TRADER, COMPANY = "99000074", "99000007"
_REFUSED = {"FEED_NOT_AUTHENTICATED"}


@dataclass
class Seal:
    """A seal of an organisation with its key, which signs for its personnel system."""

    registry: Registry
    cvr: str
    holder: Citizen
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(SHA256()).hex()

    def designate(self, cvr: str = "", status: int = 201, **changes: object) -> Any:
        body = {"certificate_sha256": self.fingerprint, **changes}
        path = f"/api/v1/organisations/{cvr or self.cvr}/feed"
        return self.registry.call(self.holder, path, body, status)

    def tell(self, *people: Citizen, status: int = 200, **changes: Any) -> Any:
        """Records of these people, signed by this seal and carried by nobody in particular."""
        told: dict[str, object] = {
            "cvr": self.cvr,
            "made_at": utc_now().isoformat(),
            "level": SUBSTANTIAL.label,
            "people": [each.application.id for each in people],
        }
        return self.send(json.dumps(told | changes), status)

    def send(self, records: str, status: int, signed: str | None = None) -> Any:
        octets = (records if signed is None else signed).encode()
        signature = armoured(sign_detached(octets, self.certificate, self.key))
        path = f"/api/v1/organisations/{self.cvr}/feed/records"
        body = {"records": records, "signature": signature}
        return self.registry.call(None, path, body, status)

    def carried(self) -> list[Any]:
        found = self.registry.clerk(f"{ASSOCIATIONS}?cvr={self.cvr}")
        return [each for each in found if each["state"] != "ended"]


@pytest.fixture
def registry(office_at_another_time: Office) -> Registry:
    app = staff_app(office_at_another_time.parts, Metrics.of_process())
    app.testing = False
    return Registry(office_at_another_time, app)


def a_seal(registry: Registry, holder: Citizen, cvr: str) -> Seal:
    """Of a company that is registered now, by somebody who may act for it."""
    if not registry.parts.mandates.held_by(holder.subject_id, CvrNumber(cvr)):
        registry.granted(holder, cvr, SUBSTANTIAL)
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, SHA256())
    request = asked.public_bytes(Encoding.PEM).decode()
    path = f"/api/v1/organisations/{cvr}/applications"
    made = registry.named(holder, path, certificate_request=request)
    return Seal(registry, cvr, holder, registry.issued(made["id"]), key)


@pytest.fixture
def seal(registry: Registry) -> Seal:
    return a_seal(registry, registry.citizen(SOEREN), TRADER)


def test_the_designated_seal_says_who_belongs_and_who_does_no_more(
    registry: Registry, seal: Seal
) -> None:
    seal.designate()
    asta, kirsten = registry.new_citizen(ASTA), registry.new_citizen(KIRSTEN)
    (first, second) = seal.tell(asta, kirsten)
    assert {first["state"], second["state"]} == {"proposed"}
    assert first["basis"] == "authoritative_system"
    for person, of in _of(registry, seal, asta, kirsten):
        registry.call(person, f"{ASSOCIATIONS}/{of}/consent", {})
    active = seal.tell(asta, kirsten)
    assert [each["level"] for each in active] == [SUBSTANTIAL.label] * 2
    ((_, of),) = _of(registry, seal, asta)
    asked = registry.named(asta, f"{ASSOCIATIONS}/{of}/applications")
    registry.issued(asked["id"])

    (left,) = seal.tell(kirsten)

    assert left["state"] == "active"
    assert left["id"] != of
    (employee,) = registry.parts.certificates.find(application_id=asked["id"])
    assert (employee.status, employee.reason) == ("revoked", Reason.AFFILIATION_CHANGED)
    (again,) = seal.tell(kirsten, kind="link")
    assert (again["kind"], again["state"]) == ("link", "proposed")


def _of(registry: Registry, seal: Seal, *people: Citizen) -> list[tuple[Citizen, str]]:
    found = registry.parts.associations.of_organisation(CvrNumber(seal.cvr))
    ids = {each.subject_id: each.id for each in found}
    return [(each, ids[each.subject_id]) for each in people]


def test_what_is_not_signed_by_the_designated_seal_of_that_organisation_is_refused(
    registry: Registry, seal: Seal
) -> None:
    asta = registry.new_citizen(ASTA)
    assert codes(seal.tell(asta, status=422)) == _REFUSED  # not designated
    other = a_seal(registry, registry.citizen(NANCY), COMPANY)
    seal.designate()
    other.designate()
    other.cvr = TRADER
    assert codes(other.tell(asta, status=422)) == _REFUSED  # another organisation's seal
    twin = a_seal(registry, seal.holder, TRADER)
    assert codes(twin.tell(asta, status=422)) == _REFUSED  # the other seal of the same one
    assert codes(seal.tell(asta, status=422, cvr=COMPANY)) == _REFUSED
    forged = {"cvr": TRADER, "made_at": utc_now().isoformat(), "level": "Low", "people": []}
    assert codes(seal.send(json.dumps(forged), 422, signed="{}")) == _REFUSED
    assert seal.carried() == []


def test_records_count_once_and_neither_old_ones_nor_those_of_tomorrow(
    registry: Registry, seal: Seal
) -> None:
    before = utc_now()
    seal.designate()
    asta = registry.new_citizen(ASTA)
    made = utc_now()
    for moment in (before, made + timedelta(minutes=9)):
        assert codes(_made(seal, moment, asta, status=422)) == _REFUSED
    assert len(_made(seal, made, asta)) == 1
    assert codes(_made(seal, made, status=422)) == _REFUSED
    assert len(seal.carried()) == 1


def _made(seal: Seal, moment: datetime, *people: Citizen, status: int = 200) -> Any:
    return seal.tell(*people, status=status, made_at=moment.isoformat())


def test_records_of_another_form_change_nothing(seal: Seal) -> None:
    seal.designate()
    wrong: tuple[dict[str, object], ...] = (
        {"people": ["A-1", 7]},
        {"level": "Highest"},
        {"made_at": "yesterday"},
        {"made_at": "2026-01-01T00:00:00"},
        {"cvr": "12345678"},
        {"more": "than asked"},
    )
    for changes in wrong:
        assert seal.tell(status=400, **changes)["type"] == "/problems/malformed"
    assert seal.carried() == []


def test_records_of_somebody_unknown_change_nothing(registry: Registry, seal: Seal) -> None:
    seal.designate()
    asta = registry.new_citizen(ASTA)
    seal.tell(status=404, people=[asta.application.id, "A-AAAAAAAAAA"])
    assert seal.carried() == []
    assert len(seal.tell(asta)) == 1


def test_only_the_management_designates_a_seal_and_only_one_of_its_own(
    registry: Registry, seal: Seal
) -> None:
    path, body = "/api/v1/organisations/99000074/feed", {"certificate_sha256": seal.fingerprint}
    found = registry.call(registry.citizen(ASTA), path, body, 422)
    assert codes(found) == {"AUTHORISATION_NOT_VERIFIED"}
    for role in Role:
        registry.call(role, path, body, 401)
    own = seal.holder.certificate.fingerprint(SHA256()).hex()
    for wrong in (own, "0" * 64):
        assert codes(seal.designate(status=422, certificate_sha256=wrong)) == _REFUSED
    other = a_seal(registry, registry.citizen(NANCY), COMPANY)
    assert codes(seal.designate(status=422, certificate_sha256=other.fingerprint)) == _REFUSED


def test_a_feed_ends_with_its_designation_its_seal_or_its_mandate(
    registry: Registry, seal: Seal
) -> None:
    asta = registry.new_citizen(ASTA)
    seal.designate()
    seal.tell(asta)
    ((_, of),) = _of(registry, seal, asta)
    registry.call(asta, f"{ASSOCIATIONS}/{of}/consent", {})
    assert seal.designate(certificate_sha256=None)["feed"] is None
    assert codes(seal.tell(asta, status=422)) == _REFUSED
    # What it said carries nothing any more either.
    found = registry.call(seal.holder, f"{ASSOCIATIONS}/{of}/activation", {}, 422)
    assert codes(found) == _REFUSED
    mandate = seal.designate()["id"]
    (active,) = seal.tell(asta)
    assert active["state"] == "active"
    place = (IssuerName("issuing"), SerialNumber(seal.certificate.serial_number))
    registry.parts.statuses.revoke(*place, Grounds(Cause.KEY_LOST), "system:operator", utc_now())
    assert codes(seal.tell(asta, status=422)) == _REFUSED
    twin = a_seal(registry, seal.holder, TRADER)
    twin.designate()
    assert len(twin.tell(asta)) == 1
    registry.call(seal.holder, f"{MANDATES}/{mandate}/withdrawal", {})
    assert codes(twin.tell(asta, status=422)) == _REFUSED


def test_a_feed_carries_no_more_than_its_seal_and_its_mandate(
    registry: Registry, seal: Seal
) -> None:
    asta = registry.new_citizen(ASTA)
    seal.designate()
    seal.tell(asta, level="High")
    ((_, of),) = _of(registry, seal, asta)
    registry.call(asta, f"{ASSOCIATIONS}/{of}/consent", {})
    (waits,) = seal.tell(asta, level="High")
    assert waits["state"] == "proposed"
    found = registry.call(seal.holder, f"{ASSOCIATIONS}/{of}/activation", {}, 422)
    assert codes(found) >= _REFUSED
