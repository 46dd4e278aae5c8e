"""Telling holders and subscribers of proofs, refusals and each change of a status.

A notice names the application and no person; what can be done about it is behind the address. It
goes to the registered address when an identity was proven, for only that was not typed by whoever
applied (REG-IDN-L8), and else by the quickest way there is (ISS-REV-L5). The organisation that a
certificate names hears of its status by letter to its own registered address.
"""

from collections.abc import Iterator
from datetime import datetime
from string import Template

import ra.errors
from ra.applications import Application
from ra.case import CodeChannel
from ra.identity import Personal
from ra.notices import Notice, NoticeKind, Sending
from ra.terms import TermsLibrary
from records.holder_notices import HolderNotice, Occasion
from server.assembly import Assembly

_BATCH = 100
_PROOFING = frozenset({Occasion.PROOFING_DONE, Occasion.PROOFING_REJECTED})

TEXTS: dict[str, dict[Occasion, str]] = {
    "da": {
        Occasion.PROOFING_DONE: "En identitet er bekræftet i ansøgning $application.",
        Occasion.PROOFING_REJECTED: "Ansøgning $application er afslået.",
        Occasion.ISSUED: "Certifikatet i ansøgning $application er udstedt.",
        Occasion.SUSPENDED: "Certifikatet i ansøgning $application er suspenderet.",
        Occasion.REACTIVATED: "Certifikatet i ansøgning $application gælder igen.",
        Occasion.REVOKED: "Certifikatet i ansøgning $application er spærret.",
    },
    "sv": {
        Occasion.PROOFING_DONE: "En identitet har styrkts i ansökan $application.",
        Occasion.PROOFING_REJECTED: "Ansökan $application har avslagits.",
        Occasion.ISSUED: "Certifikatet i ansökan $application har utfärdats.",
        Occasion.SUSPENDED: "Certifikatet i ansökan $application har spärrats tillfälligt.",
        Occasion.REACTIVATED: "Certifikatet i ansökan $application gäller igen.",
        Occasion.REVOKED: "Certifikatet i ansökan $application har spärrats.",
    },
    "en": {
        Occasion.PROOFING_DONE: "An identity was proven in application $application.",
        Occasion.PROOFING_REJECTED: "Application $application was refused.",
        Occasion.ISSUED: "The certificate of application $application was issued.",
        Occasion.SUSPENDED: "The certificate of application $application was suspended.",
        Occasion.REACTIVATED: "The certificate of application $application is valid again.",
        Occasion.REVOKED: "The certificate of application $application was revoked.",
    },
}
OBJECT: dict[str, str] = {
    "da": "Var det ikke dig? $url/revoke eller $url/privacy",
    "sv": "Var det inte du? $url/revoke eller $url/privacy",
    "en": "Was it not you? $url/revoke or $url/privacy",
}
"""How to object."""


def tell_holders(parts: Assembly, now: datetime) -> int:
    """Send what is due; gives how many were taken over."""
    return sum(_tell(parts, each, now) for each in parts.holder_notices.due(_BATCH, now))


def _tell(parts: Assembly, notice: HolderNotice, now: datetime) -> bool:
    try:
        application = parts.applications.get(notice.application_id)
    except ra.errors.NotFound:  # the person is being erased, and hears of that
        parts.holder_notices.end(notice, None, now)
        return False
    text = Personal(text_of(parts, application, notice.occasion))
    kind = NoticeKind.PROOFING_DONE if notice.occasion in _PROOFING else NoticeKind.STATUS_CHANGED
    to_whom = {
        notice.key: ways(application, notice.occasion),
        f"{notice.key}/subscriber": ways_to_subscriber(application, notice.occasion),
    }
    try:
        # A second time under the same keys sends nothing again.
        holder, subscriber = (
            _carried_by(parts, (Notice(key, kind, *way, text) for way in found), now)
            for key, found in to_whom.items()
        )
    except _Silent:
        parts.holder_notices.put_off(notice, now)
        return False
    parts.holder_notices.end(notice, holder, now, subscriber=subscriber)
    return holder is not None or subscriber is not None


class _Silent(Exception):
    """Nobody knows whether a notice was taken over."""


def _carried_by(parts: Assembly, notices: Iterator[Notice], now: datetime) -> CodeChannel | None:
    """The channel of the first notice that is taken over; None when none is."""
    for notice in notices:
        if notice.channel not in parts.notifier.channels:
            continue
        sending = parts.notifier.send(notice, now)
        if sending is Sending.NO_ANSWER:
            raise _Silent
        if sending is Sending.TAKEN_OVER:
            return notice.channel
    return None


def ways(application: Application, occasion: Occasion) -> Iterator[tuple[CodeChannel, Personal]]:
    """The ways to the holder, the first to try first.

    Whoever carries letters prints the address that the register has for the number that day.
    """
    claim, contact = application.applicant.claim, application.contact
    post = (CodeChannel.POST, claim.cpr_number)
    mail = (CodeChannel.EMAIL, (contact.email if contact else None) or claim.email)
    phone = (CodeChannel.SMS, contact.phone if contact else None)
    order = (post, mail, phone) if occasion is Occasion.PROOFING_DONE else (mail, phone, post)
    return ((channel, address) for channel, address in order if address is not None)


def ways_to_subscriber(
    application: Application, occasion: Occasion
) -> Iterator[tuple[CodeChannel, Personal]]:
    """The way to the organisation that a certificate names.

    Whoever carries letters prints the address that the register has for the CVR number that day.
    """
    named = application.applicant.organisation
    if named is not None and occasion not in _PROOFING:
        yield CodeChannel.POST, Personal(named.number.value)


def text_of(parts: Assembly, application: Application, occasion: Occasion) -> str:
    """The notice in the language of the terms that the holder accepted."""
    language = _language(application, parts.policy.terms)
    text = Template(f"{TEXTS[language][occasion]} {OBJECT[language]}")
    return text.substitute(application=application.id, url=parts.settings.public.url)


def _language(application: Application, library: TermsLibrary) -> str:
    written = {each.sha256: each.language for each in library.versions}
    found = (written.get(each.sha256) for each in application.acceptances)
    return next((each for each in found if each is not None), "en")
