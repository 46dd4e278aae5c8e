"""CMS SignedData (RFC 5652): detached signatures with which officers approve.

The signer's certificate is only read out here. Whether it belongs to an officer, and is active, is
asked of the database: a certificate proves nothing that our own records do not say.
"""

import hashlib

from asn1crypto import algos, cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from ca.certificates import SigningKey, signature_hash
from ca.errors import MalformedRequest

MAX_OCTETS = 64 * 1024
_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def sign_detached(content: bytes, certificate: x509.Certificate, key: SigningKey) -> bytes:
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
    signed, certificate = _read(signature)
    signer = signed["signer_infos"][0]
    digest_name = signer["digest_algorithm"]["algorithm"].native
    if digest_name not in _HASHES:
        raise _not_valid(f"the digest {digest_name} is not accepted")
    attributes = signer["signed_attrs"]
    digest = _attribute(attributes, "message_digest")
    if digest != hashlib.new(digest_name, content).digest():
        raise _not_valid("it was made over other octets than these")
    if _attribute(attributes, "content_type") != "data":
        raise _not_valid("its content type is not data")
    # RFC 5652 section 5.4: what is signed is the SET OF, not the implicit tag it stands under.
    octets = b"\x31" + attributes.dump()[1:]
    _verify(certificate, signer["signature"].native, octets, _HASHES[digest_name])
    _check_algorithm(signer["signature_algorithm"])
    return certificate


def _read(signature: bytes) -> tuple[cms.SignedData, x509.Certificate]:
    if len(signature) > MAX_OCTETS:
        raise _not_valid(f"it is longer than {MAX_OCTETS} octets")
    try:
        info = cms.ContentInfo.load(signature, strict=True)
        if info["content_type"].native != "signed_data":
            raise _not_valid("it is CMS, but not SignedData")
        signed = info["content"]
        # asn1crypto reads lazily: walk everything here, so that no fault shows up later.
        _ = signed.native
        if len(signed["signer_infos"]) != 1 or len(signed["certificates"]) != 1:
            raise _not_valid("it must hold exactly one signer and that signer's certificate")
        certificate = x509.load_der_x509_certificate(signed["certificates"][0].chosen.dump())
        sid = signed["signer_infos"][0]["sid"].chosen
        if sid["serial_number"].native != certificate.serial_number:
            raise _not_valid("the certificate inside is not the signer's")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise _not_valid("the octets are not a CMS signature in DER") from None
    return signed, certificate


def _attribute(attributes: cms.CMSAttributes, name: str) -> object:
    values = [a["values"] for a in attributes if a["type"].native == name]
    if len(values) != 1 or len(values[0]) != 1:
        raise _not_valid(f"its signed attribute {name} is missing or doubled")
    return values[0][0].native


def _verify(
    certificate: x509.Certificate,
    signature: bytes,
    octets: bytes,
    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512,
) -> None:
    key = certificate.public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, octets, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, octets, padding.PKCS1v15(), digest)
        else:
            raise _not_valid("the signer's key is of a kind that is not accepted")
    except InvalidSignature:
        raise _not_valid("the signature does not verify") from None


def _check_algorithm(algorithm: algos.SignedDigestAlgorithm) -> None:
    if algorithm.signature_algo not in {"ecdsa", "rsassa_pkcs1v15"}:
        raise _not_valid("the signature algorithm is not accepted")


def _not_valid(why: str) -> MalformedRequest:
    return MalformedRequest("approval signature", why)
