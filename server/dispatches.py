"""How a code travels: by a letter that only the printer can read, by mail or by text message.

The address of a letter is fetched from the register when the code is made, and is never kept.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from cryptography import x509

import ra.errors
from gdpr_erasure.envelopes import can_decrypt, seal_to_certificate
from ra.activation_codes import HolderSecret
from ra.addresses import NoRegisteredAddress, RegisteredAddress
from ra.applications import Application
from ra.case import CodeChannel
from ra.delivery import StoredCode
from ra.identity import Personal
from ra.notices import Notice, NoticeKind, Sending
from ra.registers import NoAnswer
from ra.requirements import finding
from records.credentials import Letter
from server.assembly import Assembly
from server.delivery_ports import DeliveryPorts
from server.errors import NoPrinter, RegisterSilent

_NOTICE = "Tillid {code}"
"""The whole text of a notice: what it opens is known to nobody but the applicant."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A code that is on its way: its number, until when it works, what its carrier said."""

    code_id: str
    channel: CodeChannel
    expires_at: datetime
    sending: Sending
    letter: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """Where a code goes; the address is personal and kept nowhere."""

    channel: CodeChannel
    address: Personal

    def letter(
        self,
        parts: Assembly,
        application: Application,
        secret: HolderSecret,
        code: StoredCode,
        now: datetime,
    ) -> Letter | None:
        """The letter with the code, for the printer alone; None for another channel."""
        if self.channel is not CodeChannel.POST:
            return None
        printer = printer_certificate(parts)
        octets = letter_document(application, self.address, secret, code, now)
        return Letter(f"letter-{secrets.token_hex(8)}", seal_to_certificate(octets, printer))


def way_to(
    application: Application, channel: CodeChannel, ports: DeliveryPorts, now: datetime
) -> Way:
    """Where a code for the applicant goes by this channel.

    Raises:
        Refused: ISS-DEL-S2f, the register has no address; take another channel.
        RegisterSilent: it does not answer.
        MalformedField: the applicant gave no such contact, or codes do not go this way.
    """
    claim, contact = application.applicant.claim, application.contact
    if channel is CodeChannel.POST:
        return Way(channel, _registered(application, ports, now))
    email = (contact.email if contact else None) or claim.email
    phone = contact.phone if contact else None
    found = {CodeChannel.EMAIL: email, CodeChannel.SMS: phone}.get(channel)
    if found is None:
        raise ra.errors.MalformedField("channel", "one by which the applicant can be reached")
    return Way(channel, found)


def _registered(application: Application, ports: DeliveryPorts, now: datetime) -> RegisteredAddress:
    number = application.applicant.claim.cpr_number
    answer = NoRegisteredAddress() if number is None else ports.addresses.address_of(number, now)
    if isinstance(answer, NoAnswer):
        raise RegisterSilent(ports.addresses.source_id)
    if isinstance(answer, NoRegisteredAddress):
        raise ra.errors.Refused((finding("ISS-DEL-S2f", "NO_REGISTERED_ADDRESS"),))
    return answer


def deliver(
    parts: Assembly, way: Way, secret: HolderSecret, code: StoredCode, now: datetime
) -> Dispatched:
    """Hand the code over to its carrier, after it is on record; a letter waits for the printer."""
    sending = Sending.TAKEN_OVER
    if way.channel is not CodeChannel.POST and parts.delivery_ports is not None:
        text = Personal(_NOTICE.format(code=secret.groups))
        notice = Notice(code.id, NoticeKind.ACTIVATION_CODE, way.channel, way.address, text)
        sending = parts.delivery_ports.notifier.send(notice, now)
    return Dispatched(code.id, way.channel, code.expires_at, sending)


def printer_certificate(parts: Assembly) -> x509.Certificate:
    """The certificate of whoever prints letters.

    Raises: NoPrinter when none is configured, or its key decrypts nothing.
    """
    path = parts.settings.delivery.printer_certificate
    if path is None:
        raise NoPrinter("no delivery.printer_certificate is set")
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        raise NoPrinter("delivery.printer_certificate cannot be read") from None
    if not can_decrypt(found):
        raise NoPrinter("the key of delivery.printer_certificate may not decrypt")
    return found


def letter_document(
    application: Application,
    address: Personal,
    secret: HolderSecret,
    code: StoredCode,
    now: datetime,
) -> bytes:
    """The letter as a tagged PDF (PDF/UA-1): code and window, and nothing of the credential."""
    from server.privacy_pages import typeset  # noqa: PLC0415 - it loads templates of its own

    claim = application.applicant.claim
    name = f"{claim.given_name.value} {claim.surname.value}"
    inputs = {
        "letter": {
            "to": [name, *address.value.split("\n")],
            "application": str(application.id),
            "code": secret.groups,
            "until": f"{code.expires_at:%Y-%m-%d %H:%M} UTC",
            "made": f"{now:%Y-%m-%d}",
        }
    }
    template = files("server").joinpath("templates", "code_letter.typ").read_bytes()
    return typeset(template, inputs, int(now.timestamp()))
