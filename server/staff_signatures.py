"""Who signed an approval: the officer whose certificate it is."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes

import ca.errors
import ra.errors
from ca.signed_data import verify_detached
from ra.approvals import SignerIdentity
from records.officers import Officers


class StaffSignatures:
    """Who signed an approval; implements `ra.approvals.SignatureVerifier`."""

    def __init__(self, officers: Officers) -> None:
        """Ask this table of officers."""
        self._officers = officers

    def verify(self, cms_der: bytes, content: bytes) -> SignerIdentity:
        """The officer behind a detached signature over exactly this content."""
        try:
            certificate = verify_detached(cms_der, content)
        except ca.errors.MalformedRequest as error:
            raise ra.errors.SignatureInvalid(error.why) from None
        officer = self._officers.by_certificate(certificate)
        if officer is None:
            raise ra.errors.SignatureInvalid("the signer is no active officer")
        return SignerIdentity(
            _issuer_digest(certificate),
            f"{certificate.serial_number:x}",
            officer.id,
            officer.person_id,
        )


def _issuer_digest(certificate: x509.Certificate) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate.issuer.public_bytes())
    return digest.finalize().hex()
