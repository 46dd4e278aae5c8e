"""The officer's side of enrolment: key, certification request, identity file."""

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.signatures import SigningKey
from commands.staff_client import StaffClient
from hsm.softhsm import SoftHsmStore
from hsm.token import Token
from server.problems import Problem, ProblemRaised

_CARD = "card"
_KEY = "staff"


def enrol_card(link: str, trust: Path, card: Path | None, out: Path) -> dict[str, str]:
    """Use up an invitation; writes the identity file and gives officer and role.

    Raises:
        ProblemRaised: the link is none of this form, or the service refuses.
    """
    url, found, token = link.partition("/enrol/")
    if not found or not token:
        raise ProblemRaised(
            Problem(
                type="malformed",
                title="This is no invitation",
                status=400,
                detail="The link has no /enrol/ in it.",
                way_out="Copy the whole line that `tillid officer invite` printed.",
            )
        )
    key, lines = _software_key() if card is None else _card_key(card.resolve())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )
    client = StaffClient(url, trust)
    answer = client.post("enrolments", {"token": token, "certificate_request": request})
    trusted = os.path.relpath(trust.resolve(), out.resolve().parent)
    text = f"Staff: {url}\nTrust: {trusted}\n{lines}{answer['certificate']}"
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return {"officer": answer["officer"], "role": answer["role"]}


def _software_key() -> tuple[SigningKey, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key, pem.decode()


def _card_key(folder: Path) -> tuple[SigningKey, str]:
    store = SoftHsmStore(folder)
    location = store.create_token(_CARD)
    token = Token.open(location)
    if token.has_key(_KEY):
        key = token.private_key(_KEY)
    else:
        key = token.generate_ec_key(_KEY, ec.SECP256R1())
    uri = f"pkcs11:token={_CARD};object={_KEY};type=private;pin-source=file:{location.pin_file}"
    configuration = os.environ["SOFTHSM2_CONF"]
    return key, f"Key: {uri}\nModule: {location.module}\nSoftHSM: {configuration}\n"
