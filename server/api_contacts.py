"""What an applicant types of devices and contacts, as values."""

from base64 import b64decode
from binascii import Error as NotBase64

from ra.contacts import Contact, PhoneNumber
from ra.errors import MalformedField
from ra.identity import EmailAddress


def contact_of(email: str | None, phone: str | None) -> Contact:
    """The contact as it was typed; MalformedField for what is none."""
    return Contact(
        None if email is None else EmailAddress.parse(email),
        None if phone is None else PhoneNumber.parse(phone),
    )


def attestation_of(text: str) -> bytes:
    """The octets of an attestation in Base64; MalformedField for another form."""
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):
        raise MalformedField("attestation", "octets in Base64") from None
