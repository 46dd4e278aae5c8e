"""Private keys that stay in a token and sign as cryptography's own key classes do.

The data is hashed here and only the digest goes to the token: tokens differ in the hash mechanisms
they offer, all offer CKM_ECDSA, CKM_RSA_PKCS and CKM_RSA_PKCS_PSS (PKCS#11 v2.40 mechanisms,
sections 2.1 and 2.3).
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, Self, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PSS
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from pkcs11 import MGF, GCMParams, Mechanism

from hsm.errors import IntegrityFailed, KeyUnextractable, TokenUnavailable

Result = TypeVar("Result")

NONCE_OCTETS = 12
TAG_OCTETS = 16

# hashlib, because going to cryptography's hashes for each signature costs a tenth of a signature.
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}

_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""Name of the hash to the DER before its digest (RFC 8017 section 9.2, note 1)."""

_PSS_HASH = {
    "sha256": (Mechanism.SHA256, MGF.SHA256),
    "sha384": (Mechanism.SHA384, MGF.SHA384),
    "sha512": (Mechanism.SHA512, MGF.SHA512),
}


_WRONG_TAG = {"CKR_ENCRYPTED_DATA_INVALID", "CKR_ENCRYPTED_DATA_LEN_RANGE", "CKR_GENERAL_ERROR"}
"""Return values of C_Decrypt for an AES-GCM tag that does not match; tokens do not agree on one."""


class KeyHolder(Protocol):
    """What a key needs of its token."""

    def sign_with(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """Run one signing operation on the PKCS#11 private key of this label."""
        ...

    def check_quota(self, label: str, wanted: int) -> None:
        """See that the key may make so many signatures now. Raises: QuotaExhausted."""
        ...

    def use_secret_key(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """Run one operation on the PKCS#11 secret key of this label."""
        ...


class InToken:
    """What every private key in a token has in common."""

    def __init__(self, token: KeyHolder, label: str) -> None:
        self.token = token
        self.label = label

    def check_quota(self, wanted: int) -> None:
        """See that so many signatures are left of this hour. Raises: QuotaExhausted."""
        self.token.check_quota(self.label, wanted)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def private_numbers(self) -> NoReturn:
        """Raises: KeyUnextractable."""
        raise KeyUnextractable(self.label)

    def private_bytes(self, *_: object, **__: object) -> NoReturn:
        """Raises: KeyUnextractable."""
        raise KeyUnextractable(self.label)


class TokenECPrivateKey(InToken, ec.EllipticCurvePrivateKey):
    """An elliptic-curve key in a token."""

    def __init__(self, token: KeyHolder, label: str, public_key: ec.EllipticCurvePublicKey) -> None:
        """Use `Token.private_key`."""
        super().__init__(token, label)
        self._public_key = public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve of the public key."""
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        """Bits of the curve."""
        return self._public_key.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public key, as read from the token."""
        return self._public_key

    def exchange(self, *_: object, **__: object) -> NoReturn:
        """Raises: UnsupportedAlgorithm, for these keys only sign."""
        raise UnsupportedAlgorithm("a token key signs, it does not agree on keys")

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """An ECDSA signature in DER (RFC 3279 section 2.2.3).

        Raises: UnsupportedAlgorithm, TokenUnavailable, KeyNotFound, QuotaExhausted.
        """
        if not isinstance(signature_algorithm, ec.ECDSA):
            raise UnsupportedAlgorithm("an elliptic-curve key in a token signs with ECDSA")
        if signature_algorithm.deterministic_signing:
            raise UnsupportedAlgorithm("the token chooses the nonce of ECDSA itself")
        _, digest = _digest(data, signature_algorithm.algorithm)
        octets = (self.key_size + 7) // 8
        leftmost = digest[:octets]  # FIPS 186-5 section 6.4.1: as many bits as the order has
        raw = self.token.sign_with(
            self.label, lambda key: bytes(key.sign(leftmost, mechanism=Mechanism.ECDSA))
        )
        r, s = raw[: len(raw) // 2], raw[len(raw) // 2 :]
        return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


class TokenRSAPrivateKey(InToken, rsa.RSAPrivateKey):
    """An RSA key in a token; `pss` says that it signs with RSASSA-PSS, and with nothing else."""

    def __init__(
        self, token: KeyHolder, label: str, public_key: rsa.RSAPublicKey, *, pss: bool = False
    ) -> None:
        """Use `Token.private_key`."""
        super().__init__(token, label)
        self._public_key = public_key
        self.pss = pss

    @property
    def key_size(self) -> int:
        """Bits of the modulus."""
        return self._public_key.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        """The public key, as read from the token."""
        return self._public_key

    def decrypt(self, *_: object, **__: object) -> NoReturn:
        """Raises: UnsupportedAlgorithm, for these keys only sign."""
        raise UnsupportedAlgorithm("a token key signs, it does not decrypt")

    def sign(self, data: Any, padding: padding.AsymmetricPadding, algorithm: Any) -> bytes:
        """An RSASSA-PKCS1-v1_5 or RSASSA-PSS signature (RFC 8017 section 8).

        Raises: UnsupportedAlgorithm, ValueError on an impossible salt, TokenUnavailable,
        KeyNotFound, QuotaExhausted.
        """
        if self.pss and not isinstance(padding, PSS):
            raise UnsupportedAlgorithm("this RSA key signs with RSASSA-PSS and nothing else")
        hash_name, digest = _digest(data, algorithm)
        message, mechanism, parameters = _rsa_mechanism(
            padding, hash_name, digest, self._public_key
        )
        return self.token.sign_with(
            self.label,
            lambda key: bytes(key.sign(message, mechanism=mechanism, mechanism_param=parameters)),
        )


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """An AES-256 key in a token that encrypts other keys with AES-GCM (NIST SP 800-38D).

    Nonces are random, so one key may encrypt at most 2^32 times (SP 800-38D section 8.3).
    """

    token: KeyHolder
    label: str

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Nonce of 12 octets, ciphertext, tag of 16 octets. Raises: TokenUnavailable."""
        nonce = secrets.token_bytes(NONCE_OCTETS)
        parameters = GCMParams(nonce, associated_data, TAG_OCTETS * 8)
        return nonce + self.token.use_secret_key(
            self.label,
            lambda key: bytes(
                key.encrypt(plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
            ),
        )

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """The plaintext of what `encrypt` returned. Raises: IntegrityFailed, TokenUnavailable."""
        if len(ciphertext) < NONCE_OCTETS + TAG_OCTETS:
            raise IntegrityFailed(self.label)
        parameters = GCMParams(ciphertext[:NONCE_OCTETS], associated_data, TAG_OCTETS * 8)
        try:
            return self.token.use_secret_key(
                self.label,
                lambda key: bytes(
                    key.decrypt(
                        ciphertext[NONCE_OCTETS:],
                        mechanism=Mechanism.AES_GCM,
                        mechanism_param=parameters,
                    )
                ),
            )
        except TokenUnavailable as error:
            if error.ckr not in _WRONG_TAG:
                raise
            # SoftHSM says CKR_GENERAL_ERROR, which may also be a token that has broken down. If the
            # key still encrypts, then it was the ciphertext that was wrong.
            self.encrypt(b"", b"")
            raise IntegrityFailed(self.label, error.ckr) from error


def _digest(data: Any, algorithm: Any) -> tuple[str, bytes]:
    """The name of the hash and the digest of the data; the data is the digest if prehashed."""
    prehashed = isinstance(algorithm, Prehashed)
    hashed_by = algorithm._algorithm if prehashed else algorithm  # noqa: SLF001 - no other way to it
    name = getattr(hashed_by, "name", "no hash")
    if name not in _HASHES:
        raise UnsupportedAlgorithm(f"a key in a token signs SHA-2 digests, not {name}")
    if not prehashed:
        return name, _HASHES[name](data).digest()
    digest = bytes(data)
    if len(digest) != algorithm.digest_size:
        raise ValueError("the prehashed data does not have the length of the digest")
    return name, digest


def _rsa_mechanism(
    scheme: padding.AsymmetricPadding,
    name: str,
    digest: bytes,
    public_key: rsa.RSAPublicKey,
) -> tuple[bytes, Mechanism, tuple[Mechanism, MGF, int] | None]:
    """What the token signs, with which mechanism and which parameters."""
    if isinstance(scheme, padding.PKCS1v15):
        return _DIGEST_INFO[name] + digest, Mechanism.RSA_PKCS, None
    if isinstance(scheme, PSS):
        mask = scheme.mgf._algorithm  # noqa: SLF001 - cryptography has no other way to it
        if mask.name not in _PSS_HASH:
            raise UnsupportedAlgorithm(f"an RSA key in a token does not mask with {mask.name}")
        salt = _salt_octets(scheme, len(digest), public_key)
        parameters = (_PSS_HASH[name][0], _PSS_HASH[mask.name][1], salt)
        return digest, Mechanism.RSA_PKCS_PSS, parameters
    raise UnsupportedAlgorithm("an RSA key in a token signs with PKCS1v15 or PSS")


def _salt_octets(scheme: padding.PSS, digest_octets: int, public_key: rsa.RSAPublicKey) -> int:
    """Octets of salt; the sentinels of cryptography mean the longest or the digest's length."""
    longest = (public_key.key_size + 6) // 8 - digest_octets - 2  # RFC 8017 section 9.1.1, step 3
    wanted = scheme._salt_length  # noqa: SLF001 - cryptography has no other way to it
    if wanted is padding.PSS.MAX_LENGTH:
        return longest
    if wanted is padding.PSS.DIGEST_LENGTH:
        wanted = digest_octets
    if not isinstance(wanted, int):
        raise ValueError("the salt length of a signature must be known, AUTO is for verifying")  # noqa: TRY004
    if wanted > longest:
        raise ValueError("the salt is too long for this key")
    return wanted
