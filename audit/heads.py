"""Heads: signed statements of how far the log has come and what is in it.

The text is a C2SP tlog-checkpoint with two extension lines, in a C2SP signed note:

    <origin>
    <size, decimal>
    <root, base64>
    time <ISO 8601, UTC, microseconds>
    schema <SHA-256 of the database schema, hexadecimal>

    — <origin> <base64 of 4 octets of key hash and the signature>

The signature is ECDSA on P-256 with SHA-256, DER, over everything before the empty line: type 0x02
of the signed note, whose key hash is the first 4 octets of SHA-256(SubjectPublicKeyInfo). We write
one signature line; others, of witnesses, are left out of account where heads come from outside.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.errors import HeadForged, HeadMalformed, KeyUnsuitable
from audit.events import utc_text
from audit.tree import HASH_OCTETS

KEY_HASH_OCTETS = 4
MAX_OUTSIDE_HEADS = 1000
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9./-]{0,127}")
_TEXT = re.compile(
    r"(?P<origin>[a-z0-9./-]{1,128})\n"
    r"(?P<size>[0-9]{1,19})\n"
    r"(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"time (?P<time>[0-9TZ:.-]{27})\n"
    r"schema (?P<schema>[0-9a-f]{64})\n"
    r"\n"
    r"— (?P=origin) (?P<signature>[A-Za-z0-9+/]{1,200}={0,2})\n"
)
_OUTSIDE = re.compile(r"((?:[^\n—][^\n]*\n){3,20})\n((?:— [^\n ]+ [A-Za-z0-9+/=]+\n){1,16})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The statement that a head signs.

    Raises:
        HeadMalformed: a field breaks its rule.
    """

    origin: str
    """The name of the log, like a URL without scheme: `ca.example/audit`."""
    size: int
    """How many entries the root covers."""
    root: bytes
    time: datetime
    schema_digest: bytes
    """SHA-256 of the database schema, 32 octets."""

    def __post_init__(self) -> None:
        if not _ORIGIN.fullmatch(self.origin):
            raise HeadMalformed("origin")
        if not 0 <= self.size < 1 << 63:
            raise HeadMalformed("size")
        if len(self.root) != HASH_OCTETS:
            raise HeadMalformed("root")
        if self.time.utcoffset() != timedelta(0):
            raise HeadMalformed("time")
        if len(self.schema_digest) != HASH_OCTETS:
            raise HeadMalformed("schema")

    @property
    def body(self) -> bytes:
        """The octets that are signed."""
        lines = (
            self.origin,
            str(self.size),
            b64encode(self.root).decode(),
            f"time {utc_text(self.time)}",
            f"schema {self.schema_digest.hex()}",
        )
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class Head(Checkpoint):
    """A checkpoint with its signature, which only `verify_head` has looked at."""

    key_hash: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """The form in which a head is stored, published and handed to witnesses."""
        signature = b64encode(self.key_hash + self.signature).decode()
        return f"{self.body.decode()}\n— {self.origin} {signature}\n"


def parse_head(text: str) -> Head:
    """The inverse of `Head.text`; the signature is not verified.

    Raises:
        HeadMalformed: the text is not exactly that of a head.
    """
    lines = _TEXT.fullmatch(text)
    if lines is None:
        raise HeadMalformed("text")
    try:
        signature = b64decode(lines["signature"], validate=True)
        head = Head(
            origin=lines["origin"],
            size=int(lines["size"]),
            root=b64decode(lines["root"], validate=True),
            time=datetime.fromisoformat(lines["time"]),
            schema_digest=bytes.fromhex(lines["schema"]),
            key_hash=signature[:KEY_HASH_OCTETS],
            signature=signature[KEY_HASH_OCTETS:],
        )
    except ValueError as error:
        raise HeadMalformed("text") from error
    if head.text != text:
        raise HeadMalformed("text")
    return head


def parse_outside_heads(text: str, origin: str) -> tuple[Head, ...]:
    """The heads in a file that was kept elsewhere: one or several, also with others' signatures.

    A signed note may have lines of keys that we do not know, which are to be ignored (C2SP signed
    note, "Signatures"). None of the heads is verified.

    Raises:
        HeadMalformed: there is none, or something that is no head, or more than a thousand.
    """
    notes = _OUTSIDE.findall(text)
    if not 0 < len(notes) <= MAX_OUTSIDE_HEADS or _OUTSIDE.sub("", text).strip("\n"):
        raise HeadMalformed("text")
    return tuple(_without_other_signatures(body, lines, origin) for body, lines in notes)


def _without_other_signatures(body: str, lines: str, origin: str) -> Head:
    ours = [line for line in lines.splitlines() if line.startswith(f"— {origin} ")]
    if not ours:
        raise HeadMalformed("signature")
    return parse_head(f"{body}\n{ours[0]}\n")


def sign_head(key: ec.EllipticCurvePrivateKey, checkpoint: Checkpoint) -> Head:
    """Sign a checkpoint.

    Raises:
        KeyUnsuitable: the key is not on P-256.
    """
    key_hash = _key_hash(key.public_key())
    return Head(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        time=checkpoint.time,
        schema_digest=checkpoint.schema_digest,
        key_hash=key_hash,
        signature=key.sign(checkpoint.body, ec.ECDSA(hashes.SHA256())),
    )


def verify_head(head: Head, public_key: ec.EllipticCurvePublicKey, origin: str) -> None:
    """Check that the key signed the head for the log of that origin.

    Raises:
        HeadForged: it did not.
        KeyUnsuitable: the key is not on P-256.
    """
    if head.origin != origin or head.key_hash != _key_hash(public_key):
        raise HeadForged(head.size)
    try:
        public_key.verify(head.signature, head.body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise HeadForged(head.size) from error


def _key_hash(public_key: ec.EllipticCurvePublicKey) -> bytes:
    if not isinstance(public_key.curve, ec.SECP256R1):
        raise KeyUnsuitable(public_key.curve.name)
    encoded = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).digest()[:KEY_HASH_OCTETS]
