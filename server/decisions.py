"""What is decided outside the database: whose signatures count at High, and what was assessed.

The file is kept like other settings, under change control and by two people. Whoever can write to
the database can put nobody on this list (NSIS 3.2.2, ISS-DEL-H4b; 3.2.1, ISS-STR-S2b; 3.2.2,
ISS-DEL-S2a).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes

import ca.errors
from ca.signed_data import verify_detached
from ra.approvals import SignerIdentity
from ra.authenticators import RiskAssessment
from ra.case import Channel
from ra.errors import Refused, SignatureInvalid
from ra.levels import AssuranceLevel
from ra.requirements import finding
from records.officers import Officer, Officers
from server.staff_signatures import StaffSignatures

_PERSON = re.compile(r"person-[0-9a-f]{8,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OFFICER = frozenset({"person", "certificate_sha256"})
_ASSESSMENT = frozenset({"profile", "reference", "approved_by", "valid_until"})
_CHANNELS = tuple(each.value for each in Channel)
_WHAT = "delivery.decisions_file"


def _nobody() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Decisions:
    """The persons by the SHA-256 of their certificates (hexadecimal), and the assessments."""

    officers: Mapping[str, str] = field(default_factory=_nobody)
    assessments: tuple[RiskAssessment, ...] = ()


def read_decisions(path: Path) -> Decisions:
    """The decisions of a file.

    Raises: MalformedRequest naming what is wrong.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ca.errors.MalformedRequest(_WHAT, error.strerror or "it cannot be read") from None
    except (ValueError, RecursionError):
        raise ca.errors.MalformedRequest(_WHAT, "it is not TOML in UTF-8") from None
    if unknown := sorted(document.keys() - {"officer", "risk_assessment"}):
        raise ca.errors.MalformedRequest(_WHAT, f"it has an unknown key {unknown[0]!r}")
    officers = [_officer(each) for each in _tables(document, "officer")]
    if len({digest for digest, _ in officers}) < len(officers):
        raise ca.errors.MalformedRequest(_WHAT, "a certificate is listed twice")
    assessments = tuple(_assessment(each) for each in _tables(document, "risk_assessment"))
    return Decisions(MappingProxyType(dict(officers)), assessments)


def _tables(document: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ca.errors.MalformedRequest(_WHAT, f"{name} is not an array of tables [[{name}]]")
    return found


def _officer(table: Mapping[str, object]) -> tuple[str, str]:
    person, digest = (str(table.get(key)) for key in ("person", "certificate_sha256"))
    if table.keys() != _OFFICER or not (_PERSON.fullmatch(person) and _DIGEST.fullmatch(digest)):
        raise ca.errors.MalformedRequest(
            _WHAT, "an officer has a person and the certificate_sha256 of 64 hexadecimal digits"
        )
    return digest, person


def _assessment(table: Mapping[str, object]) -> RiskAssessment:
    until = table.get("valid_until")
    words = {key: str(table.get(key, "")).strip() for key in _ASSESSMENT - {"valid_until"}}
    ways = table.get("delivery", [])
    if not (isinstance(ways, list) and all(way in _CHANNELS for way in ways)):
        raise ca.errors.MalformedRequest(
            _WHAT, f"the delivery of a risk_assessment is a list of {', '.join(_CHANNELS)}"
        )
    if (
        table.keys() - {"delivery"} != _ASSESSMENT
        or type(until) is not date
        or not all(words.values())
    ):
        raise ca.errors.MalformedRequest(
            _WHAT, f"a risk_assessment has {', '.join(sorted(_ASSESSMENT))}, the last a date"
        )
    return RiskAssessment(
        words["profile"],
        words["reference"],
        words["approved_by"],
        valid_until=until,
        delivery=tuple(Channel(way) for way in ways),
    )


def require_operator_level(decisions: Decisions, officer: Officer, level: AssuranceLevel) -> None:
    """An officer decides at no level above that of the credential in use (USE-AUT-L10).

    A certificate on the list reaches High, another one of an officer Substantial.

    Raises: Refused when it is lower than the level.
    """
    listed = decisions.officers.get(officer.certificate or "")
    reached = AssuranceLevel.LOW if officer.certificate is None else AssuranceLevel.SUBSTANTIAL
    if listed == officer.person_id:
        reached = AssuranceLevel.HIGH
    if reached < level:
        raise Refused((finding("USE-AUT-L10", "OPERATOR_LEVEL_TOO_LOW"),))


class ListedSignatures:
    """Signatures of officers on the list alone; implements `ra.approvals.SignatureVerifier`."""

    def __init__(self, officers: Officers, decisions: Decisions) -> None:
        """The list says who counts, the table whether the certificate still is an officer's."""
        self._staff = StaffSignatures(officers)
        self._listed = decisions.officers

    def verify(self, cms_der: bytes, content: bytes) -> SignerIdentity:
        """The listed person behind a detached signature over exactly this content."""
        signer = self._staff.verify(cms_der, content)
        person = self._listed.get(_fingerprint(verify_detached(cms_der, content)))
        if person is None or person != signer.person_id:
            raise SignatureInvalid("the signer is not listed for High")
        return signer


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()
