"""pyhanko-certvalidator, which must hear of every certificate: by CRL, and by OCSP (POST)."""

import asyncio
import warnings

from asn1crypto import crl as asn1_crl
from asn1crypto import pem as asn1_pem
from asn1crypto import x509 as asn1_x509

from revocation.reasons import Reason
from tests.support.status_matrix import (
    Channel,
    Client,
    Party,
    Said,
    State,
    Verdict,
    each_cell,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # oscrypto, which it leans on, is older than our Python
    from pyhanko_certvalidator import CertificateValidator, ValidationContext
    from pyhanko_certvalidator.errors import ExpiredError, RevokedError, ValidationError
    from pyhanko_certvalidator.fetchers.aiohttp_fetchers import AIOHttpFetcherBackend
    from pyhanko_certvalidator.policy_decl import (
        CertRevTrustPolicy,
        RevocationCheckingPolicy,
        RevocationCheckingRule,
    )

_CRL = RevocationCheckingRule.CRL_REQUIRED
_OCSP = RevocationCheckingRule.OCSP_REQUIRED


def _certificates(party: Party, name: str) -> list[asn1_x509.Certificate]:
    octets = (party.folder / f"{name}.pem").read_bytes()
    found = asn1_pem.unarmor(octets, multiple=True)
    return [asn1_x509.Certificate.load(der) for _, _, der in found]


async def _validate(
    party: Party, state: State, rule: RevocationCheckingRule, *crls: asn1_crl.CertificateList
) -> Said:
    """What it says when it has these CRLs, or when it fetches if it has none."""
    policy = CertRevTrustPolicy(RevocationCheckingPolicy(rule, _CRL))
    async with AIOHttpFetcherBackend() as fetchers:
        context = ValidationContext(
            trust_roots=_certificates(party, "root"),
            other_certs=_certificates(party, "between"),
            crls=crls,
            allow_fetching=not crls,
            fetchers=fetchers,
            revinfo_policy=policy,
        )
        (subject,) = _certificates(party, state.name)
        try:
            validator = CertificateValidator(subject, validation_context=context)
            await validator.async_validate_path()
        except ExpiredError as error:
            return Said(Verdict.EXPIRED, str(error))
        except RevokedError as error:
            return Said(Verdict.REVOKED, str(error), str(error.reason.native))
        except ValidationError as error:
            return Said(Verdict.UNKNOWN, str(error))
        return Said(Verdict.GOOD, "")


def by_crls(party: Party, state: State, *crls: str) -> Said:
    """By the CRLs in these files alone, or by those it fetches if none is named."""
    octets = b"".join((party.folder / crl).read_bytes() for crl in crls)
    found = asn1_pem.unarmor(octets, multiple=True) if crls else ()
    given = [asn1_crl.CertificateList.load(der) for _, _, der in found]
    return asyncio.run(_validate(party, state, _CRL, *given))


def _by_ocsp(party: Party, state: State) -> Said:
    return asyncio.run(_validate(party, state, _OCSP))


WORDS = {reason: reason.name.lower() for reason in Reason}
CLIENTS = (
    Client("pyhanko-certvalidator, CRL", Channel.CRL, by_crls, words=WORDS),
    Client("pyhanko-certvalidator, OCSP", Channel.POST, _by_ocsp, words=WORDS),
)


@each_cell(*CLIENTS)
def test_pyhanko_sees_each_state(party: Party, client: Client, state: State) -> None:
    client.check(party, state)
