"""An EC key that tells when it signs, and can answer something else than a signature."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric import ec

Answer = Callable[[bytes], bytes]


@dataclass
class RecordingKey(ec.EllipticCurvePrivateKey):
    """Appends "sign" to the steps and keeps what it was asked to sign; `answer` may replace it."""

    key: ec.EllipticCurvePrivateKey
    steps: list[str]
    answer: Answer | None = None
    signed: bytes = b""

    def sign(self, data: object, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        assert isinstance(data, bytes)
        self.steps.append("sign")
        self.signed = data
        made = self.key.sign(data, signature_algorithm)
        return made if self.answer is None else self.answer(made)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self.key.public_key()

    @property
    def curve(self) -> ec.EllipticCurve:
        return self.key.curve

    @property
    def key_size(self) -> int:
        return self.key.key_size

    def exchange(self, *_: object) -> NoReturn:
        raise NotImplementedError

    private_numbers = exchange
    private_bytes = exchange
    __copy__ = exchange
    __deepcopy__ = exchange
