"""Hold, release and revocation as the API, the pages and the command line ask for them."""

from datetime import UTC, datetime

from ca.errors import NotFound as NoProfile
from ca.errors import ProfileFaulty
from ca.failpoints import reach
from ca.identifiers import IssuerName, SerialNumber
from ca.profiles import load_profile
from ra.errors import MalformedField
from records.certificate_rows import CertificateRecord
from records.officers import Officer
from revocation.causes import Cause, Grounds, Party, party_of
from revocation.errors import RevocationRefused, RevocationRule
from revocation.reasons import Reason
from server.assembly import Assembly
from server.decisions import require_operator_level
from server.errors import NotAllowed

Place = tuple[IssuerName, SerialNumber]
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def grounds_of(cause: str | None, reason: str | None, invalid_since: str | None) -> Grounds:
    """Grounds from words: a cause, or the label of a reason that stands for one.

    Raises:
        MalformedField: there is neither, or the time is not of its form.
    """
    if reason is not None:
        cause = Grounds.told(Reason.from_label(reason)).cause
    if cause is None:
        raise MalformedField("cause", "one of the causes of a revocation")
    return Grounds(Cause(cause), time_of("invalid_since", invalid_since))


def revoke_certificate(
    parts: Assembly, place: Place, grounds: Grounds, actor: str, now: datetime
) -> CertificateRecord:
    """Revoke one certificate, for good.

    Raises:
        NotAllowed: it is an issuer's, which takes every certificate below it along.
        RevocationRefused: the actor may not, or no more in this hour.
    """
    _check_not_issuer(parts, place, actor)
    reach("revoke.authorised")
    return parts.statuses.revoke(*place, grounds, actor, now)


def hold_certificate(
    parts: Assembly, place: Place, cause: Cause, actor: str, now: datetime
) -> CertificateRecord:
    """Put one certificate on hold, if its profile allows that.

    Raises:
        NotAllowed: it is an issuer's.
        RevocationRefused: its profile does not, or the actor may not.
    """
    _check_not_issuer(parts, place, actor)
    profile = parts.certificates.record(*place).profile
    if not may_be_held(profile):
        raise RevocationRefused(RevocationRule.PROFILE_WITHOUT_HOLD, profile)
    return parts.statuses.hold(*place, actor, now, cause)


def release_certificate(
    parts: Assembly, place: Place, officer: Officer, now: datetime
) -> CertificateRecord:
    """Lift the hold of one certificate, which lets it be trusted again.

    Hold and revocation are refused to no officer for the level: what is lost does not wait.

    Raises: Refused (USE-AUT-L10) when the officer's credential is below the certificate's level.
    """
    check_release(parts, parts.certificates.record(*place), officer)
    return parts.statuses.release(*place, officer.id, now)


def check_release(parts: Assembly, held: CertificateRecord, officer: Officer) -> None:
    """Raises: Refused (USE-AUT-L10) when the officer may not let this certificate be trusted."""
    of = held.application_id
    if of is not None:
        require_operator_level(parts.decisions, officer, parts.applications.get(of).level)


def may_be_held(profile: str) -> bool:
    """Whether certificates of this profile may be on hold; not if it is here no more."""
    try:
        return load_profile(profile).hold
    except (NoProfile, ProfileFaulty):
        return False


def is_issuer(parts: Assembly, place: Place) -> bool:
    """Whether a certificate is that of one of our issuers."""
    return any(
        each.certificate.serial_number == place[1]
        for issuer in parts.issuers.all()
        for each in issuer.certificates
    )


def _check_not_issuer(parts: Assembly, place: Place, actor: str) -> None:
    if party_of(actor) is Party.OFFICER and is_issuer(parts, place):
        raise NotAllowed("system operator")


def time_of(field: str, text: str | None) -> datetime | None:
    """The time in a field, if it is filled in; MalformedField when it is none."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise MalformedField(field, "a time in UTC as 2026-01-31T12:00:00Z") from None
