"""Orders for certificates that name no person: of servers and services."""

from ca.errors import Finding, Refused
from ca.issuance import CertificateOrder
from ca.names import SubjectName
from ca.profiles import load_profile
from ca.requests import CertificationRequest, check_host_name


def server_order(
    profile_name: str, request: CertificationRequest, host_names: tuple[str, ...]
) -> CertificateOrder:
    """An order under a profile with host names: those given, else those the request proposes.

    Raises:
        NotFound: there is no such profile.
        Refused: the profile names persons or no hosts, or there is no name to certify.
    """
    profile = load_profile(profile_name)
    if profile.names_person or not profile.host_names:
        raise Refused(
            Finding(
                "profile.local",
                "ETSI EN 319 411-1 REG-6.2.2",
                f"profile {profile.name} is not for servers, so no request file is enough",
                "a person applies through the API; staff and CAs have verbs of their own",
            )
        )
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
    subject = SubjectName.of([("CN", names[0])])
    return CertificateOrder(profile, subject, request.public_key, names)
