"""Reasons for revocation (RFC 5280 section 5.3.1)."""

from enum import IntEnum
from typing import Self


class Reason(IntEnum):
    """The CRLReason values; 7 is not assigned."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    REMOVE_FROM_CRL = 8
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10

    @property
    def label(self) -> str:
        """The standard's own word, as in `keyCompromise` or `removeFromCRL`."""
        return _LABELS[self]

    @classmethod
    def from_label(cls, label: str) -> Self:
        """Read the standard's own word; ValueError for any other."""
        for reason, known in _LABELS.items():
            if known == label:
                return cls(reason)
        raise ValueError("not a CRLReason of RFC 5280 section 5.3.1")


_LABELS = {
    Reason.UNSPECIFIED: "unspecified",
    Reason.KEY_COMPROMISE: "keyCompromise",
    Reason.CA_COMPROMISE: "cACompromise",
    Reason.AFFILIATION_CHANGED: "affiliationChanged",
    Reason.SUPERSEDED: "superseded",
    Reason.CESSATION_OF_OPERATION: "cessationOfOperation",
    Reason.CERTIFICATE_HOLD: "certificateHold",
    Reason.REMOVE_FROM_CRL: "removeFromCRL",
    Reason.PRIVILEGE_WITHDRAWN: "privilegeWithdrawn",
    Reason.AA_COMPROMISE: "aACompromise",
}
