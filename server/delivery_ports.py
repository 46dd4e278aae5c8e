"""The ports that delivery and activation use: addresses, attestation, logins, and notices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType

from ra.addresses import AddressRegister, FakeAddresses
from ra.attestations import AttestationVerifier
from ra.fake_registers import FakeCpr
from ra.fake_services import FakeAttestation, FakeLogins, FakeNotifier
from ra.logins import LoginProvider
from ra.notices import Notifier

_YEAR = timedelta(days=365)


def _none() -> Mapping[str, AttestationVerifier]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class DeliveryPorts:
    """Whom delivery and activation ask, and what carries their notices."""

    addresses: AddressRegister
    logins: LoginProvider
    notifier: Notifier
    attestations: Mapping[str, AttestationVerifier] = field(default_factory=_none)
    """The verifiers by the kind of device."""


def fake_ports(now: datetime) -> DeliveryPorts:
    """TEST EQUIPMENT: ports for demonstrations; the card is certified, the soft token never."""
    until: date = (now + _YEAR).date()
    return DeliveryPorts(
        addresses=FakeAddresses(FakeCpr(now)),
        logins=FakeLogins({}, {}),
        notifier=FakeNotifier(),
        attestations=MappingProxyType(
            {
                "card": FakeAttestation(until),
                "soft-token": FakeAttestation(until, is_test_equipment=True),
            }
        ),
    )
