"""An officer's identity: the certificate, and a key in a file or in a token (a card).

The identity file is PEM. Lines before the certificate say where the key is (RFC 7468 allows such
explanatory text): `Key:` a PKCS#11 URI (RFC 7512) with pin-source, or nothing when the private key
stands in the same file; `Module:` the PKCS#11 module; `SoftHSM:` its configuration, for SoftHSM.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from server.problems import Problem, ProblemRaised

if TYPE_CHECKING:
    from cryptography import x509

    from ca.signatures import CmsKey

_MOST_OCTETS = 64 * 1024
_LINE = re.compile(r"^(Key|Module|SoftHSM|Staff|Trust): (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Identity:
    """Where certificate and key are, and which service they are for."""

    path: Path
    key: str | None
    module: Path | None
    softhsm: Path | None
    staff_url: str
    trust: Path

    @classmethod
    def load(cls, path: Path) -> "Identity":
        """Read an identity file; a problem with the way out when it is none."""
        try:
            with path.open("rb") as file:
                text = file.read(_MOST_OCTETS).decode()
        except (OSError, UnicodeDecodeError):
            raise ProblemRaised(_no_identity(path, 404)) from None
        lines = dict(_LINE.findall(text))
        if "BEGIN CERTIFICATE" not in text or not {"Staff", "Trust"} <= lines.keys():
            raise ProblemRaised(_no_identity(path, 400))
        return cls(
            path,
            lines.get("Key"),
            Path(lines["Module"]) if "Module" in lines else None,
            Path(lines["SoftHSM"]) if "SoftHSM" in lines else None,
            lines["Staff"],
            path.parent / lines["Trust"],
        )

    @property
    def certificate(self) -> "x509.Certificate":
        """The officer's certificate."""
        from cryptography import x509

        try:
            return x509.load_pem_x509_certificate(self.path.read_bytes())
        except ValueError:
            raise ProblemRaised(_no_identity(self.path, 400)) from None

    def signing_key(self) -> "CmsKey":
        """The private key, opened in its token or read from the file."""
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        from hsm.token import Token, TokenLocation

        if self.key is None or self.module is None:
            try:
                key = load_pem_private_key(self.path.read_bytes(), None)
            except (ValueError, TypeError):
                raise ProblemRaised(_no_identity(self.path, 400)) from None
            if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
                raise ProblemRaised(_no_identity(self.path, 400))
            return key
        if self.softhsm is not None:
            os.environ["SOFTHSM2_CONF"] = str(self.softhsm)
        # Where the store of a SoftHSM card keeps its locks: all who open it wait in one line.
        locks = None if self.softhsm is None else self.softhsm.parent / "locks"
        try:
            uri = parse_pkcs11_uri(self.key)
            pin_file = Path(uri["pin-source"].removeprefix("file:"))
            place, label = (uri["token"], pin_file, locks or pin_file.parent), uri["object"]
        except (KeyError, ValueError):
            raise ProblemRaised(_no_identity(self.path, 400)) from None
        card_key = Token.open(TokenLocation(self.module, *place)).private_key(label)
        if not isinstance(card_key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ProblemRaised(_no_identity(self.path, 400))
        return card_key


def parse_pkcs11_uri(uri: str) -> dict[str, str]:
    """The attributes of a PKCS#11 URI (RFC 7512 section 2.3)."""
    if not uri.startswith("pkcs11:"):
        raise ValueError("a PKCS#11 URI begins with pkcs11:")
    pairs = re.split(r"[;?&]", uri.removeprefix("pkcs11:"))
    return {
        name: unquote(value) for name, _, value in (pair.partition("=") for pair in pairs) if name
    }


def _no_identity(path: Path, status: int) -> Problem:
    return Problem(
        type="no-identity",
        title="No identity",
        status=status,
        detail=f"{path} is not an officer's identity file.",
        way_out="Give the file that `tillid officer enrol --out FILE` wrote.",
    )
