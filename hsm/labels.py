"""The labels of keys in tokens. Each role has a key of its own, found by its label alone.

The one list of what is no authority's: a key that signs for two roles could be made to sign in one
what counts in the other, and goes with the first of them that ends (ETSI EN 319 411-1 GEN-6.5.1).
"""

from hsm.uri import SCHEME

HEALTH_KEY = "health"
"""It proves that a token signs; it signs nothing else."""
AUDIT_KEY = "audit"
"""It signs audit heads, receipts, transcripts and packages."""
SEALING_KEY = "software-keys"
"""It seals the seeds of keys in files (`hsm.software`)."""
SEARCH_KEY = "search-index"
"""It wraps the key of the search index."""

_OCSP, _VAULT = "ocsp-", "vault-"
_ROLES = {
    HEALTH_KEY: "the health of a token",
    AUDIT_KEY: "the audit log",
    SEALING_KEY: "software keys",
    SEARCH_KEY: "the search index",
}


def ocsp_key(issuer: str) -> str:
    """The label of the key that signs OCSP answers for an issuer."""
    return f"{_OCSP}{issuer}"


def vault_root(store: str, epoch: int) -> str:
    """The label of the root of a key store in one epoch."""
    return f"{_VAULT}{store}-{epoch}"


def why_not_for_authority(label: str) -> str:
    """Why no key of an authority may have this label, as the end of a sentence; or nothing."""
    if label.startswith(SCHEME):
        return "is a PKCS#11 URI, which a key that is made cannot be called"
    role = _ROLES.get(label, "")
    if label.startswith(_OCSP):
        role = "OCSP answers"
    elif label.startswith(_VAULT):
        role = "the key store"
    return f"is kept for the key of {role}" if role else ""
