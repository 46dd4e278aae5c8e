"""Orders for certificates that name no person: of servers, services and devices."""

from cryptography import x509

from ca.errors import Finding, MalformedRequest, Refused
from ca.issuance import CertificateOrder
from ca.names import UPPER_BOUND, SubjectName
from ca.profiles import Profile, load_profile
from ca.requests import CertificationRequest, check_host_name

NAMED_BY_SUBJECT = frozenset({"device"})
"""Profiles that a request file is enough for and that are named by their subject, not by hosts."""


def check_local(profile_name: str) -> Profile:
    """The profile of that name, if a request file is enough for its certificates.

    Raises:
        NotFound: there is no such profile.
        Refused: it names persons, or its certificates are made by a verb of their own.
    """
    profile = load_profile(profile_name)
    if profile.name in NAMED_BY_SUBJECT or (profile.host_names and not profile.names_person):
        return profile
    why, way_out = _elsewhere(profile)
    raise Refused(
        Finding(
            "profile.local",
            "ETSI EN 319 411-1 REG-6.2.2",
            f"profile {profile.name} {why}, so no request file is enough",
            way_out,
        )
    )


def _elsewhere(profile: Profile) -> tuple[str, str]:
    """What a certificate of this profile is, and what makes it."""
    if profile.names_person:
        return "names a person", "have the person apply through the API, and officers approve"
    if profile.certificate_authority:
        return "is for certificate authorities", "use tillid ca create, renew, rekey or cross"
    if profile.ocsp_no_check:
        return "is for the service's own OCSP keys", "leave it to the service, which renews them"
    return "is for officers", "use tillid officer invite and tillid officer enrol"


def request_order(
    profile_name: str, request: CertificationRequest, host_names: tuple[str, ...] = ()
) -> CertificateOrder:
    """An order from a request file, under the names given or else those that it proposes.

    Raises:
        NotFound, Refused: as `check_local`, or there is no name to certify.
        MalformedRequest: the subject of the request cannot be read.
    """
    profile = check_local(profile_name)
    if profile.name not in NAMED_BY_SUBJECT:
        return server_order(profile_name, request, host_names)
    if host_names:
        raise Refused(
            Finding(
                "name.host",
                f"profile {profile.name}",
                f"a certificate of profile {profile.name} holds no host name",
                "leave out --host: its name is the subject of the request",
            )
        )
    subject = _proposed_subject(profile, request)
    profile.check_subject(subject)
    return CertificateOrder(profile, subject, request.public_key)


def _proposed_subject(profile: Profile, request: CertificationRequest) -> SubjectName:
    """The subject of the request in the order of the profile; whoever orders vouches for it."""
    try:
        proposed = x509.load_der_x509_csr(request.der).subject
        name = SubjectName.from_x509(proposed)
    except ValueError:
        raise MalformedRequest("certification request", "its subject cannot be read") from None
    order = [attribute.removesuffix("?") for attribute in profile.subject]
    place = {attribute: index for index, attribute in enumerate(order)}
    return SubjectName.of(sorted(name.attributes, key=lambda pair: place.get(pair[0], len(order))))


def server_order(
    profile_name: str, request: CertificationRequest, host_names: tuple[str, ...]
) -> CertificateOrder:
    """An order under a profile with host names: those given, else those the request proposes.

    The common name is the first that it can hold; relying parties do not look there (RFC 9525 2).

    Raises:
        NotFound, Refused: as `check_local`, or there is no name to certify, or no short one.
    """
    profile = check_local(profile_name)
    names = tuple(check_host_name(name) for name in host_names) or request.proposed_host_names
    if not names:
        raise Refused(
            Finding(
                "name.missing",
                "RFC 5280 4.2.1.6",
                "the request proposes no host name",
                "name one with --host, or make the request with a subjectAltName",
            )
        )
    common_name = next((name for name in names if len(name) <= UPPER_BOUND), None)
    if common_name is None:
        raise Refused(
            Finding(
                "name.host",
                "X.520 ub-common-name, RFC 5280 A.1",
                f"no host name has {UPPER_BOUND} octets or fewer, as the common name needs",
                "put a shorter name of the same host beside it with --host",
            )
        )
    subject = SubjectName.of([("CN", common_name)])
    return CertificateOrder(profile, subject, request.public_key, names)
