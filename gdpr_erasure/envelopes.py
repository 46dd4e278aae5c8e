"""Answers encrypted to whoever asked: CMS AuthEnvelopedData (RFC 5083), AES-256-GCM (RFC 5084).

The content key goes to the holder's own certificate where its key may decrypt: RSAES-OAEP for
keyEncipherment (RFC 3560), ECDH with the X9.63 KDF for keyAgreement (RFC 5753). A key that may only
sign decrypts nothing, least of all on a card: then it goes to a passphrase (RFC 3211), which
reaches the requester by another way than the envelope.
"""

import secrets

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.der import bit_string, context, element, integer, octet_string, oid, sequence

MEDIA_TYPE = "application/pkcs7-mime; smime-type=authEnveloped-data"
PASSPHRASE_GROUPS = 6
"""Groups of five letters and digits out of thirty: 147 bits in all."""
ITERATIONS = 210_000
_GROUP = 5
_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
_KEY_OCTETS, _NONCE_OCTETS, _TAG_OCTETS, _BLOCK = 32, 12, 16, 16
_SET = 0x31
_DATA = oid("1.2.840.113549.1.7.1")
_AUTH_ENVELOPED = oid("1.2.840.113549.1.9.16.1.23")
_GCM = oid("2.16.840.1.101.3.4.1.46")
_CBC = oid("2.16.840.1.101.3.4.1.42")
_WRAP = sequence(oid("2.16.840.1.101.3.4.1.45"))
_OAEP = oid("1.2.840.113549.1.1.7")
_MGF1 = oid("1.2.840.113549.1.1.8")
_SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"))
_ECDH = oid("1.3.132.1.11.1")  # dhSinglePass-stdDH-sha256kdf-scheme
_EC_KEY = oid("1.2.840.10045.2.1")
_PBKDF2 = oid("1.2.840.113549.1.5.12")
_HMAC_SHA256 = sequence(oid("1.2.840.113549.2.9"), element(0x05))
_PWRI_KEK = oid("1.2.840.113549.1.9.16.3.9")


def can_decrypt(certificate: x509.Certificate) -> bool:
    """Whether the certificate says that its key may decrypt (RFC 5280 section 4.2.1.3)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    match certificate.public_key():
        case rsa.RSAPublicKey():
            return usage.key_encipherment
        case ec.EllipticCurvePublicKey():
            return usage.key_agreement
    return False


def seal_to_certificate(content: bytes, certificate: x509.Certificate) -> bytes:
    """The content for the holder of the certificate, in DER.

    Raises:
        ValueError: its key decrypts nothing, see `can_decrypt`.
    """
    key = certificate.public_key()
    if not can_decrypt(certificate):
        raise ValueError("the key of this certificate may not decrypt")
    content_key = secrets.token_bytes(_KEY_OCTETS)
    if isinstance(key, rsa.RSAPublicKey):
        return _envelope(content, content_key, _transported(content_key, certificate, key))
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _envelope(content, content_key, _agreed(content_key, certificate, key))
    raise ValueError("keys of this kind do not decrypt")


def seal_to_passphrase(content: bytes, passphrase: str) -> bytes:
    """The content for whoever has the passphrase, in DER."""
    content_key, salt = secrets.token_bytes(_KEY_OCTETS), secrets.token_bytes(16)
    key = PBKDF2HMAC(SHA256(), _KEY_OCTETS, salt, ITERATIONS).derive(passphrase.encode())
    iv = secrets.token_bytes(_BLOCK)
    derivation = element(
        context(0),
        _PBKDF2,
        sequence(octet_string(salt), integer(ITERATIONS), integer(_KEY_OCTETS), _HMAC_SHA256),
    )
    recipient = element(
        context(3),
        integer(0),
        derivation,
        sequence(_PWRI_KEK, sequence(_CBC, octet_string(iv))),
        octet_string(_wrapped_twice(content_key, key, iv)),
    )
    return _envelope(content, content_key, recipient)


def passphrase_of(seed: bytes) -> str:
    """A passphrase to be handed over: groups of letters and digits that are not mistaken.

    The seed has at least 32 octets; the same one gives the same passphrase.
    """
    number, letters = int.from_bytes(seed, "big"), ""
    for _ in range(PASSPHRASE_GROUPS * _GROUP):
        number, digit = divmod(number, len(_LETTERS))
        letters += _LETTERS[digit]
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))


def _envelope(content: bytes, key: bytes, recipient: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_OCTETS)
    sealed = AESGCM(key).encrypt(nonce, content, None)
    ciphertext, tag = sealed[:-_TAG_OCTETS], sealed[-_TAG_OCTETS:]
    algorithm = sequence(_GCM, sequence(octet_string(nonce), integer(_TAG_OCTETS)))
    inner = sequence(_DATA, algorithm, element(0x80, ciphertext))
    body = sequence(integer(0), element(_SET, recipient), inner, octet_string(tag))
    return sequence(_AUTH_ENVELOPED, element(context(0), body))


def _transported(content_key: bytes, certificate: x509.Certificate, key: rsa.RSAPublicKey) -> bytes:
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    parameters = sequence(
        element(context(0), _SHA256), element(context(1), sequence(_MGF1, _SHA256))
    )
    return sequence(
        integer(0),
        _who(certificate),
        sequence(_OAEP, parameters),
        octet_string(key.encrypt(content_key, oaep)),
    )


def _agreed(
    content_key: bytes, certificate: x509.Certificate, key: ec.EllipticCurvePublicKey
) -> bytes:
    own = ec.generate_private_key(key.curve)
    point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    bits = (8 * _KEY_OCTETS).to_bytes(4, "big")
    shared_info = sequence(_WRAP, element(context(2), octet_string(bits)))
    shared = own.exchange(ec.ECDH(), key)
    wrapping = X963KDF(SHA256(), _KEY_OCTETS, shared_info).derive(shared)
    originator = element(context(1), sequence(_EC_KEY), bit_string(point))
    encrypted = sequence(_who(certificate), octet_string(aes_key_wrap(wrapping, content_key)))
    return element(
        context(1),
        integer(3),
        element(context(0), originator),
        sequence(_ECDH, _WRAP),
        sequence(encrypted),
    )


def _who(certificate: x509.Certificate) -> bytes:
    issuer = certificate.issuer.public_bytes()
    return sequence(issuer, integer(certificate.serial_number))


def _wrapped_twice(content_key: bytes, key: bytes, iv: bytes) -> bytes:
    """RFC 3211 section 2.3.1: length, check octets, key and padding, in CBC, and once more."""
    check = bytes(octet ^ 0xFF for octet in content_key[:3])
    block = bytes([len(content_key)]) + check + content_key
    block += secrets.token_bytes(-len(block) % _BLOCK)
    once = _cbc(key, iv, block)
    return _cbc(key, once[-_BLOCK:], once)


def _cbc(key: bytes, iv: bytes, block: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    return encryptor.update(block) + encryptor.finalize()
