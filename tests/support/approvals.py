"""Approved orders: packages and the officer's signature over them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cryptography import x509

from ca.issuance import Approval, CertificateOrder
from ca.key_quality import spki_sha256
from ca.signatures import SigningKey
from ca.signed_data import sign_detached
from tests.support.ca_builders import MemoryIssuance, a_key, an_order, self_signed

PERSON = "natural-person-substantial"
Package = dict[str, object]


@dataclass(frozen=True)
class AnOfficer:
    """Somebody with a key and a certificate, an approving officer in the store they make."""

    key: SigningKey = field(default_factory=a_key)
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "certificate", self_signed(self.key))

    def store(self) -> MemoryIssuance:
        return MemoryIssuance(approving=[self.certificate])

    def approve(self, package: bytes) -> Approval:
        return Approval(package, sign_detached(package, self.certificate, self.key))


def a_persons_order() -> CertificateOrder:
    """An order for a person's certificate, not approved yet."""
    return replace(an_order(PERSON), application_id="A-1", subject_id="S-1", publish=True)


def package_of(order: CertificateOrder) -> Package:
    """The package that speaks of this order, with members that issuance does not look at."""
    return {
        "format": "tillid-application-package/1",
        "application": order.application_id,
        "subject": [list(pair) for pair in order.subject.attributes],
        "spki_sha256": spki_sha256(order.public_key),
        "profile": {"name": order.profile.name, "sha256": order.profile.sha256},
        "validity_days": order.profile.validity_days,
        "publication_consent": order.publish,
        "level": "substantial",
    }


def an_approved_order(
    officer: AnOfficer, change: Callable[[Package], object] = lambda _: None
) -> CertificateOrder:
    """An order whose package was changed in some way before the officer signed it."""
    order = a_persons_order()
    package = package_of(order)
    change(package)
    return replace(order, approval=officer.approve(json.dumps(package).encode()))
