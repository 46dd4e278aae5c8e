"""The one interface to keys that sign: which class a public key's private half is.

`ca` and `revocation` see cryptography's key classes; every class here is one of those.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa

from hsm.key_kinds import PublicKey
from hsm.keys import KeyHolder, TokenECPrivateKey, TokenRSAPrivateKey
from hsm.pure_keys import (
    TokenEd25519PrivateKey,
    TokenMLDSA44PrivateKey,
    TokenMLDSA65PrivateKey,
    TokenMLDSA87PrivateKey,
)

TokenMLDSAPrivateKey = TokenMLDSA44PrivateKey | TokenMLDSA65PrivateKey | TokenMLDSA87PrivateKey
TokenPrivateKey = (
    TokenECPrivateKey | TokenRSAPrivateKey | TokenEd25519PrivateKey | TokenMLDSAPrivateKey
)


def private_key_for(
    holder: KeyHolder, label: str, public_key: PublicKey, *, pss: bool = False
) -> TokenPrivateKey:
    """The key of this label, whose public half was read from its holder."""
    match public_key:
        case ec.EllipticCurvePublicKey():
            return TokenECPrivateKey(holder, label, public_key)
        case rsa.RSAPublicKey():
            return TokenRSAPrivateKey(holder, label, public_key, pss=pss)
        case ed25519.Ed25519PublicKey():
            return TokenEd25519PrivateKey(holder, label, public_key)
    return _ml_dsa_key(holder, label, public_key)


def _ml_dsa_key(holder: KeyHolder, label: str, public_key: PublicKey) -> TokenMLDSAPrivateKey:
    match public_key:
        case mldsa.MLDSA44PublicKey():
            return TokenMLDSA44PrivateKey(holder, label, public_key)
        case mldsa.MLDSA65PublicKey():
            return TokenMLDSA65PrivateKey(holder, label, public_key)
        case mldsa.MLDSA87PublicKey():
            return TokenMLDSA87PrivateKey(holder, label, public_key)
    raise UnsupportedAlgorithm(f"nothing here signs with {type(public_key).__name__}")


def sign_and_verify(key: TokenPrivateKey, message: bytes) -> None:
    """Sign as certificates are signed, and verify in software. Raises: InvalidSignature."""
    digest = hashes.SHA256()
    if isinstance(key, TokenECPrivateKey):
        ecdsa = ec.ECDSA(digest)
        key.public_key().verify(key.sign(message, ecdsa), message, ecdsa)
    elif isinstance(key, TokenRSAPrivateKey):
        scheme = padding.PSS(padding.MGF1(digest), 32) if key.pss else padding.PKCS1v15()
        key.public_key().verify(key.sign(message, scheme, digest), message, scheme, digest)
    else:
        key.public_key().verify(key.sign(message), message)
