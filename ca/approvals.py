"""Approvals: signatures of officers over exactly what will be signed, and as many as demanded.

NSIS 3.2 and ETSI EN 319 411-1 REG-6.2.2 ask for one over what names a person; a profile may demand
more, and for certificates that name nobody.
"""

import json
from typing import TYPE_CHECKING, Protocol

from cryptography import x509

from ca.errors import Finding, MalformedRequest, Refused
from ca.signed_data import verify_detached

if TYPE_CHECKING:
    from ca.issuance import Approval, CertificateOrder


class Officers(Protocol):
    """Who may approve."""

    def approving_person(self, certificate: x509.Certificate) -> str | None:
        """The person whose active certificate as an approving officer this very one is, or None."""


def check_approval(order: "CertificateOrder", store: Officers) -> None:
    """Refuse a certificate unless as many officers as its profile demands signed for exactly it.

    Raises:
        Refused: there are too few approvals, a signer may not approve or did so before, or they are
            for something else.
        MalformedRequest: a signature is no CMS signature over the package, or that no object.
    """
    demanded = order.profile.approvals_demanded
    if not demanded:
        return
    if order.approval is None:
        if order.profile.names_person:
            raise _unapproved("a certificate that names a person comes only from an application")
        raise _unapproved(f"profile {order.profile.name} demands {_persons(demanded)} to approve")
    _check_signers(order.approval, demanded, store)
    package = _read_package(order.approval.package)
    promised = {
        "application": order.application_id,
        "email_addresses": list(order.email_addresses),
        "host_names": list(order.host_names),
        "profile": {"name": order.profile.name, "sha256": order.profile.sha256},
        "publication_consent": order.publish,
        "spki_sha256": order.spki_sha256,
        "subject": [list(pair) for pair in order.subject.attributes],
        "validity_days": order.profile.validity_days,
    }
    # Compared as JSON, for to Python 1 and True are the same.
    # A package that says nothing about mailboxes or hosts says that there are none.
    said = {"email_addresses": [], "host_names": []} | package
    wrong = [k for k, value in promised.items() if _json(said.get(k)) != _json(value)]
    if wrong:
        raise _unapproved(f"the approved package says otherwise about {', '.join(wrong)}")


def _check_signers(approval: "Approval", demanded: int, store: Officers) -> None:
    persons = set()
    for signature in (approval.signature, *approval.further):
        person = store.approving_person(verify_detached(signature, approval.package))
        if person is None:
            raise _unapproved("the approval is not signed by an active approving officer")
        if person in persons:
            raise _unapproved("one person approves twice, be it under two accounts")
        persons.add(person)
    if len(persons) < demanded:
        raise _unapproved(
            f"the profile demands {_persons(demanded)} to approve, and {len(persons)} did"
        )


def _persons(count: int) -> str:
    return "one person" if count == 1 else f"{count} persons"


def _read_package(octets: bytes) -> dict[str, object]:
    try:
        package = json.loads(octets, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):
        package = None
    if not isinstance(package, dict):
        raise MalformedRequest("application package", "it is no JSON object of single members")
    return package


def _unambiguous(members: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose members occur once: of two, an officer might have read the other."""
    if len({name for name, _ in members}) != len(members):
        raise ValueError("a member occurs twice")
    return dict(members)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _unapproved(sentence: str) -> Refused:
    return Refused(
        Finding(
            "issuance.approval",
            "NSIS 3.2, ETSI EN 319 411-1 REG-6.2.2",
            sentence,
            "have the application approved again by another officer",
        )
    )
