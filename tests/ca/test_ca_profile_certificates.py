"""Generated certificates of all profiles, judged by pkilint and OpenSSL.

Each went through our own gate, too. `./dev soak lint` makes 20,000 of them; that GnuTLS verifies
one of each profile stands in test_ca_certificates.
"""

from pathlib import Path

import pytest

from ca.profiles import profile_names
from tests.support.ca_builders import NOW, a_root, an_issuer
from tests.support.certificate_samples import samples
from tests.support.pkilint_findings import pkilint_findings
from tests.support.relying_parties import openssl_verify_all

SEED = 20260301
EACH = 36


def test_at_least_five_hundred_certificates_are_judged() -> None:
    assert len(profile_names()) * EACH >= 500


@pytest.mark.parametrize("name", profile_names())
def test_no_judge_finds_anything_in_generated_certificates(name: str, tmp_path: Path) -> None:
    made = list(samples(name, EACH, SEED))
    assert {code for each in made for code in pkilint_findings(each)} == set()
    assert len({each.serial_number for each in made}) == EACH
    above = [issuer.certificate for issuer in (an_issuer(), a_root())]
    chain = [certificate for certificate in above if certificate is not None]
    if name == "root":  # each is its own anchor, so each takes a process
        verdicts = {openssl_verify_all(tmp_path, [each], [each], NOW) for each in made[:6]}
        assert verdicts == {""}
    else:
        assert openssl_verify_all(tmp_path, made, chain, NOW) == ""
