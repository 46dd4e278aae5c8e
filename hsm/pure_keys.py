"""Keys whose scheme hashes by itself: Ed25519 (RFC 8032) and ML-DSA (FIPS 204).

The whole message goes to the token. Ed25519ph and HashML-DSA have no place in certificates
(RFC 8410 section 3, RFC 9881 section 4).
"""

from typing import Any, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from pkcs11 import Mechanism

from hsm.errors import KeyUnextractable
from hsm.keys import InToken, KeyHolder


class _Pure(InToken):
    """What both have in common."""

    def private_bytes_raw(self) -> NoReturn:
        """Raises: KeyUnextractable."""
        raise KeyUnextractable(self.label)

    def _sign_whole(self, message: Any, mechanism: Mechanism) -> bytes:
        octets = bytes(message)
        return self.token.sign_with(
            self.label, lambda key: bytes(key.sign(octets, mechanism=mechanism))
        )


class TokenEd25519PrivateKey(_Pure, ed25519.Ed25519PrivateKey):
    """An Ed25519 key in a token."""

    def __init__(self, token: KeyHolder, label: str, public_key: ed25519.Ed25519PublicKey) -> None:
        """Use `Token.private_key`."""
        super().__init__(token, label)
        self._public_key = public_key

    def public_key(self) -> ed25519.Ed25519PublicKey:
        """The public key, as read from the token."""
        return self._public_key

    def sign(self, data: Any) -> bytes:
        """An Ed25519 signature. Raises: TokenUnavailable, KeyNotFound, QuotaExhausted."""
        return self._sign_whole(data, Mechanism.EDDSA)


class _MLDSA(_Pure):
    """What the three sizes have in common."""

    def sign(self, data: Any, context: Any = None) -> bytes:
        """A pure ML-DSA signature; a context is refused, for certificates have none."""
        if context:
            raise UnsupportedAlgorithm("a certificate is signed with an empty context (RFC 9881)")
        return self._sign_whole(data, Mechanism.ML_DSA)

    def sign_mu(self, _: Any) -> NoReturn:
        """Raises: UnsupportedAlgorithm, for the token hashes by itself."""
        raise UnsupportedAlgorithm("a token signs messages, not their representatives")


class TokenMLDSA44PrivateKey(_MLDSA, mldsa.MLDSA44PrivateKey):
    """An ML-DSA-44 key in a token, or in files (`hsm.software`)."""

    def __init__(self, token: KeyHolder, label: str, public_key: mldsa.MLDSA44PublicKey) -> None:
        """Use `Token.private_key`."""
        super().__init__(token, label)
        self._public_key = public_key

    def public_key(self) -> mldsa.MLDSA44PublicKey:
        """The public key."""
        return self._public_key


class TokenMLDSA65PrivateKey(_MLDSA, mldsa.MLDSA65PrivateKey):
    """An ML-DSA-65 key in a token, or in files (`hsm.software`)."""

    def __init__(self, token: KeyHolder, label: str, public_key: mldsa.MLDSA65PublicKey) -> None:
        """Use `Token.private_key`."""
        super().__init__(token, label)
        self._public_key = public_key

    def public_key(self) -> mldsa.MLDSA65PublicKey:
        """The public key."""
        return self._public_key


class TokenMLDSA87PrivateKey(_MLDSA, mldsa.MLDSA87PrivateKey):
    """An ML-DSA-87 key in a token, or in files (`hsm.software`)."""

    def __init__(self, token: KeyHolder, label: str, public_key: mldsa.MLDSA87PublicKey) -> None:
        """Use `Token.private_key`."""
        super().__init__(token, label)
        self._public_key = public_key

    def public_key(self) -> mldsa.MLDSA87PublicKey:
        """The public key."""
        return self._public_key
