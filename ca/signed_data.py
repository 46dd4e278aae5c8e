"""CMS SignedData (RFC 5652): detached signatures with which officers approve.

The signer's certificate is only read out here. Whether it belongs to an officer, and is active, is
asked of the database: a certificate proves nothing that our own records do not say.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from ca.errors import MalformedRequest
from ca.signatures import CmsKey, CmsPublicKey, signature_hash

MAX_OCTETS = 16 * 1024
_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# What asn1crypto and cryptography raise for octets that are not what they should be.
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RecursionError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
)


@dataclass(frozen=True, slots=True)
class _Signature:
    """What one signature claims; nothing of it is believed yet.

    `signed_attributes` is the DER encoding that the signature is made over.
    """

    certificate: x509.Certificate
    key: CmsPublicKey
    digest: str
    message_digest: bytes
    signed_attributes: bytes
    octets: bytes


def sign_detached(content: bytes, certificate: x509.Certificate, key: CmsKey) -> bytes:
    """A detached CMS signature over the content, in DER, with the signer's certificate inside."""
    return (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(content)
        .add_signer(certificate, key, signature_hash(key))
        .sign(
            Encoding.DER,
            [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary],
        )
    )


def verify_detached(signature: bytes, content: bytes) -> x509.Certificate:
    """Check a detached CMS signature by one signer and give back the signer's certificate.

    Raises:
        MalformedRequest: not a CMS signature, or not one over these octets.
    """
    claimed = _read(signature)
    if claimed.message_digest != hashlib.new(claimed.digest, content).digest():
        raise _not_valid("it was made over other octets than these")
    algorithm = _HASHES[claimed.digest]
    try:
        if isinstance(claimed.key, ec.EllipticCurvePublicKey):
            claimed.key.verify(claimed.octets, claimed.signed_attributes, ec.ECDSA(algorithm))
        else:
            claimed.key.verify(
                claimed.octets, claimed.signed_attributes, padding.PKCS1v15(), algorithm
            )
    except InvalidSignature:
        raise _not_valid("the signature does not verify") from None
    return claimed.certificate


def _read(signature: bytes) -> _Signature:
    """The one boundary between hostile octets and values."""
    if len(signature) > MAX_OCTETS:
        raise _not_valid(f"it is longer than {MAX_OCTETS} octets")
    try:
        signed = _signed_data(cms.ContentInfo.load(signature, strict=True))
        signer = signed["signer_infos"][0]
        certificate = _signer_certificate(signed["certificates"][0], signer["sid"])
        attributes = signer["signed_attrs"]
        if _attribute(attributes, "content_type") != "data":
            raise _not_valid("its content type is not data")
        return _Signature(
            certificate=certificate,
            key=_signer_key(certificate, signer["signature_algorithm"].signature_algo),
            digest=_digest_name(signer["digest_algorithm"]["algorithm"].native),
            message_digest=_attribute(attributes, "message_digest"),
            # RFC 5652 section 5.4: what is signed is the SET OF, not the tag it stands under.
            signed_attributes=b"\x31" + attributes.dump()[1:],
            octets=signer["signature"].native,
        )
    except _UNREADABLE:
        raise _not_valid("the octets are not a CMS signature in DER") from None


def _signed_data(info: cms.ContentInfo) -> cms.SignedData:
    if info["content_type"].native != "signed_data":
        raise _not_valid("it is CMS, but not SignedData")
    signed = info["content"]
    # Counted first: to walk many certificates takes long.
    if len(signed["signer_infos"]) != 1 or len(signed["certificates"]) != 1:
        raise _not_valid("it must hold exactly one signer and that signer's certificate")
    # asn1crypto reads lazily: walk everything here, so that no fault shows up later.
    _ = signed.native
    content = signed["encap_content_info"]
    if content["content_type"].native != "data":
        raise _not_valid("its content type is not data")
    if content["content"].native is not None:
        raise _not_valid("it holds the content itself; sign detached")
    return signed


def _signer_certificate(
    choice: cms.CertificateChoices, identifier: cms.SignerIdentifier
) -> x509.Certificate:
    if choice.name != "certificate" or identifier.name != "issuer_and_serial_number":
        raise _not_valid("the signer must be named by issuer and serial number of a certificate")
    read, named = choice.chosen, identifier.chosen
    serial_number = named["serial_number"].native
    if serial_number <= 0 or (read.issuer.dump(), read.serial_number) != (
        named["issuer"].dump(),
        serial_number,
    ):
        raise _not_valid("the certificate inside is not the signer's")
    return x509.load_der_x509_certificate(read.dump())


def _signer_key(certificate: x509.Certificate, algorithm: str) -> CmsPublicKey:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and algorithm == "ecdsa":
        return key
    if isinstance(key, rsa.RSAPublicKey) and algorithm == "rsassa_pkcs1v15":
        return key
    raise _not_valid("the signature algorithm is not accepted")


def _digest_name(name: str) -> str:
    if name not in _HASHES:
        raise _not_valid("its digest is none of SHA-256, SHA-384 and SHA-512")
    return name


def _attribute(attributes: cms.CMSAttributes, name: str) -> Any:
    values = [a["values"] for a in attributes if a["type"].native == name]
    if len(values) != 1 or len(values[0]) != 1:
        raise _not_valid(f"its signed attribute {name} is missing or doubled")
    return values[0][0].native


def _not_valid(why: str) -> MalformedRequest:
    return MalformedRequest("approval signature", why)
