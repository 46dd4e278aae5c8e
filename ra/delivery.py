"""Delivery and activation of a live credential as values and pure decisions (NSIS 3.2.2 and 4.5).

A Credential (elektronisk identifikationsmiddel) is the managed unit: authenticator, certificate and
one state. What the certificate's status tells is derived from it; only what comes before there is
a certificate is kept.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ra.activation_codes import TRIES, HolderSecret, SecretUse
from ra.applications import Application
from ra.authenticators import RiskAssessment
from ra.case import ActivatedBy, Address, Case, Channel, CodeChannel, DeliveryPart
from ra.case_assessment import assess_level
from ra.errors import Refused
from ra.levels import AssuranceLevel
from ra.policies import Limits, Policy
from ra.requirements import Finding, finding


class CredentialState(StrEnum):
    """The states of NSIS 4.5."""

    PREPARED = "prepared"
    DELIVERED = "delivered"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Step(StrEnum):
    """How far a credential is on the way to its certificate; what is kept of its state."""

    PREPARED = "prepared"
    DELIVERED = "delivered"
    ACTIVATED = "activated"
    ENDED = "ended"


STEPS = {
    Step.PREPARED: frozenset({Step.DELIVERED, Step.ENDED}),
    # Back again when the way to the holder changed, so that the code counts no more.
    Step.DELIVERED: frozenset({Step.PREPARED, Step.ACTIVATED, Step.ENDED}),
    Step.ACTIVATED: frozenset[Step](),
    Step.ENDED: frozenset[Step](),
}


class Ending(StrEnum):
    """Why a code, and the credential it was for, came to nothing."""

    WINDOW = "window"
    ATTEMPTS = "attempts"
    CONTACT = "contact"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    """By another code, because this one did not arrive."""


class PersonalCheck(StrEnum):
    """How it was seen at the activation that it is the holder (ISS-DEL-H3)."""

    LOGIN = "login"
    IN_PERSON = "in_person"


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential on its way: application, channel, how far it is."""

    application_id: str
    channel: Channel
    step: Step
    prepared_at: datetime
    code_id: str | None = None
    """Random, and new with each code: a login at the activation answers to it."""
    code_channel: CodeChannel | None = None
    code_expires_at: datetime | None = None
    delivered_at: datetime | None = None
    activated_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The status of the credential's certificate: issued, held or revoked, and its last moment."""

    status: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A code as it is kept: a digest under a salt, with what was tried so far."""

    id: str
    application_id: str
    channel: CodeChannel
    salt: str
    digest: str
    tries: int
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    ended_at: datetime | None = None


class Redemption(StrEnum):
    """What a typed code does: it fits, it is wrong, or it is one that nothing fits any more."""

    FITS = "fits"
    WRONG = "wrong"
    EXHAUSTED = "exhausted"
    """Wrong, and that was the last try."""
    ELAPSED = "elapsed"
    OVER = "over"
    """Used or ended before."""


def redeem(code: StoredCode, typed: HolderSecret, now: datetime) -> Redemption:
    """What the typed code does to the stored one."""
    if code.used_at is not None or code.ended_at is not None or code.tries >= TRIES:
        return Redemption.OVER
    if now > code.expires_at:
        return Redemption.ELAPSED
    digest = typed.digest(SecretUse.ACTIVATION, code.application_id, code.salt)
    if hmac.compare_digest(digest, code.digest):
        return Redemption.FITS
    return Redemption.EXHAUSTED if code.tries + 1 >= TRIES else Redemption.WRONG


def window_of(channel: CodeChannel, limits: Limits) -> timedelta:
    """How long a code that went by this channel activates (ISS-DEL-S2g)."""
    windows = {
        CodeChannel.POST: limits.post_window,
        CodeChannel.EMAIL: limits.email_window,
        CodeChannel.SMS: limits.sms_window,
        # What is shown on a screen is gone as fast as a text message.
        CodeChannel.ONLINE: limits.sms_window,
    }
    return windows[channel]


def credential_state(
    credential: Credential | None, certificate: CertificateFacts | None, now: datetime
) -> CredentialState | None:
    """The state of NSIS 4.5; None while nothing was begun."""
    if certificate is not None:
        if certificate.status == "revoked":
            return CredentialState.REVOKED
        if certificate.not_after < now:
            return CredentialState.EXPIRED
        held = certificate.status == "held"
        return CredentialState.SUSPENDED if held else CredentialState.ACTIVE
    if credential is None:
        return None
    return {
        Step.PREPARED: CredentialState.PREPARED,
        Step.DELIVERED: CredentialState.DELIVERED,
        # Activated, and the certificate is about to be signed: nothing can be used yet.
        Step.ACTIVATED: CredentialState.DELIVERED,
        Step.ENDED: CredentialState.REVOKED,
    }[credential.step]


def check_method(
    application: Application, channel: Channel, assessments: Iterable[RiskAssessment], now: datetime
) -> None:
    """Refuse, from Substantial, a way of delivery that no assessment of the profile covers today.

    Raises: Refused (ISS-DEL-S2a).
    """
    covered = {
        way
        for each in assessments
        if each.profile == application.profile and now.date() <= each.valid_until
        for way in each.delivery
    }
    if application.level >= AssuranceLevel.SUBSTANTIAL and channel not in covered:
        raise Refused((finding("ISS-DEL-S2a", "DELIVERY_METHOD_NOT_APPROVED", (channel.value,)),))


def check_channels(channel: Channel, code_channel: CodeChannel) -> None:
    """Refuse a code by the way of the credential itself (ISS-DEL-S2d, H4a)."""
    if channel is not Channel.IN_PERSON and channel.value == code_channel.value:
        raise Refused((finding("ISS-DEL-S2d", "CHANNELS_NOT_INDEPENDENT"),))


def delivery_part(
    credential: Credential, check: PersonalCheck | None, *, receipt: bool, separated: bool
) -> DeliveryPart:
    """Delivery and activation by the holder, as facts; letters go to registered addresses only."""
    return DeliveryPart(
        channel=credential.channel,
        address=Address.AUTHORITATIVE,
        code_channel=credential.code_channel,
        activated_by=ActivatedBy.HOLDER,
        personal_check=check is not None,
        receipt=receipt,
        actors_separated=separated,
    )


def activation_findings(
    application: Application, case: Case, policy: Policy
) -> tuple[Finding, ...]:
    """Why delivery, activation or authenticator fall short of the level applied for."""
    found = assess_level(case, application.level, policy)
    return tuple(each.finding for each in found.reasons)


def refusal_of(outcome: Redemption) -> Refused:
    """Why a typed code does not activate (ISS-DEL-S2g and S2i)."""
    codes = {
        Redemption.WRONG: ("ISS-DEL-S2i", "ACTIVATION_CODE_WRONG"),
        Redemption.EXHAUSTED: ("ISS-DEL-S2i", "ACTIVATION_ATTEMPTS_EXHAUSTED"),
        Redemption.OVER: ("ISS-DEL-S2i", "ACTIVATION_ATTEMPTS_EXHAUSTED"),
        Redemption.ELAPSED: ("ISS-DEL-S2g", "ACTIVATION_WINDOW_ELAPSED"),
    }
    return Refused((finding(*codes[outcome]),))


def demands_activation(level: AssuranceLevel, since: AssuranceLevel) -> bool:
    """Whether a credential of this level is activated before its certificate is signed."""
    return level >= min(since, AssuranceLevel.HIGH)
