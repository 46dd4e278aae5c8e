"""The port to key attestation: where the key of a request lives (ISS-STR-H3b, H3d, H5).

Any adapter must pass `tests/support/port_contracts.py`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from ra.case import AuthenticatorPart, Factor


@dataclass(frozen=True, slots=True)
class KeyOrigin:
    """What an attestation that chains to an approved root says of one key."""

    spki_sha256: str
    product: str
    version: str
    made_in_device: bool
    can_leave_device: bool
    asks_holder: bool
    """The device asks its holder for a PIN or a finger at each use."""
    certified_until: date | None
    """The last day (UTC) of the device's certificate; None without one."""
    is_test_equipment: bool = False


@dataclass(frozen=True, slots=True)
class NotAttested:
    """The octets attest nothing about this key: wrong root, wrong key, or no attestation."""


AttestationAnswer = KeyOrigin | NotAttested


class AttestationVerifier(Protocol):
    """A verifier of attestations of one kind of device, by its approved roots."""

    @property
    def source_id(self) -> str:
        """The id of this verifier in the catalogue of authoritative sources."""
        ...

    def verify(self, attestation: bytes, spki_sha256: str, now: datetime) -> AttestationAnswer:
        """Where the key of this digest lives; NotAttested for anything that does not show it."""
        ...


def device_part(origin: KeyOrigin, now: datetime) -> AuthenticatorPart:
    """A device and what its holder knows or is, as facts.

    A key that can leave its device and asks nobody is under no one person's control: it is no
    factor at all (ISS-STR-L1).
    """
    stays = origin.made_in_device and not origin.can_leave_device
    first = (Factor.POSSESSION,) if stays or origin.asks_holder else ()
    second = (Factor.KNOWLEDGE,) if origin.asks_holder else ()
    valid = origin.certified_until is not None and now.date() <= origin.certified_until
    return AuthenticatorPart(
        factors=(*first, *second),
        copyable=not stays,
        certified=valid and not origin.is_test_equipment,
        attested=stays,
        test_token=origin.is_test_equipment,
        holder_protection=origin.asks_holder,
    )
