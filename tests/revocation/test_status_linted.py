"""Generated CRLs and OCSP responses: our own gate lets all pass, and the linter finds nothing."""

from collections import Counter

from tests.support.revocation_lint import findings_in_crl, findings_in_ocsp_response
from tests.support.status_samples import crls, responses

SEED = 20261122


def test_the_linter_finds_nothing_in_500_crls() -> None:
    found = Counter(finding for crl in crls(500, SEED) for finding in findings_in_crl(crl))
    assert not found


def test_the_linter_finds_nothing_in_2000_ocsp_responses() -> None:
    found = Counter(
        finding
        for response in responses(2000, SEED)
        for finding in findings_in_ocsp_response(response)
    )
    assert not found
