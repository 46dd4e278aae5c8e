"""The receipt of an erasure: what was done, without a word about whom, signed in the token."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime

from ca.certificates import sign_octets
from ca.signatures import SigningKey

REMAINS = {
    "revocation": "issuer, serial number, time and reason, until the certificate would have"
    " expired (GDPR 17(3)(b), RFC 5280 3.3)",
    "audit": "events without personal data (GDPR 5(2))",
}


def sign_receipt(
    case_id: str, evidence: Mapping[str, object], key: SigningKey, now: datetime
) -> str:
    """A receipt as two lines: canonical JSON, and the base64 of its ECDSA signature in DER."""
    body = json.dumps(
        {
            "receipt": case_id,
            "at": now.isoformat(),
            "done": evidence,
            "remains": REMAINS,
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    signature = base64.b64encode(sign_octets(key, body.encode())).decode()
    return f"{body}\n{signature}\n"
