"""Generated certificates of all profiles, judged by pkilint and by every relying party.

Each went through our own gate, too. `./dev soak lint` makes 20,000 of them.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.profiles import load_profile, profile_names
from server.clock import utc_now
from tests.support.certificate_samples import Chain, chains
from tests.support.outside_judges import Bench
from tests.support.pkilint_findings import CLAIMS, WAIVED, claimed_findings

SEED = 20260301
EACH = 36
JUDGES = {"OpenSSL", "GnuTLS", "NSS", "Java", "pyhanko"}


@pytest.fixture
def now() -> datetime:
    return utc_now().replace(microsecond=0)


def test_at_least_five_hundred_certificates_are_judged() -> None:
    assert len(profile_names()) * EACH >= 500


def test_every_profile_of_persons_claims_a_standard() -> None:
    named = {n for n in profile_names() if load_profile(n).names_person}
    assert named - {"code-signing"} == set(CLAIMS)


@pytest.mark.parametrize("name", profile_names())
def test_no_judge_finds_anything_in_generated_certificates(
    name: str, now: datetime, tmp_path: Path
) -> None:
    made = list(chains(name, EACH, SEED, now))
    found = {code for each in made for code in claimed_findings(each.judged, name)}
    verdicts = Bench(tmp_path, name, now).judged(made)

    assert len({each.judged.serial_number for each in made}) == EACH
    assert found - set(WAIVED) == set()
    assert verdicts == {judge: {} for judge in JUDGES}


def test_every_waiver_is_needed_and_has_a_reason(now: datetime) -> None:
    found = set[str]()
    for name in CLAIMS:
        (chain,) = chains(name, 1, SEED, now)
        found |= claimed_findings(chain.judged, name)
    assert found == set(WAIVED)
    assert all(reason.endswith(".") for reason in WAIVED.values())


def test_every_judge_refuses_a_certificate_on_a_crl(now: datetime, tmp_path: Path) -> None:
    made = list(chains("tls-client", 6, SEED, now))
    # OpenSSL is asked about all of one issuer at once.
    assert [each.issuers for each in made].count(made[1].issuers) > 1
    verdicts = Bench(tmp_path, "tls-client", now, [made[1].judged]).judged(made)
    assert {judge: set(against) for judge, against in verdicts.items()} == {j: {1} for j in JUDGES}


def test_every_judge_refuses_a_signature_that_is_not_the_issuers(
    now: datetime, tmp_path: Path
) -> None:
    (good,) = chains("tls-client", 1, SEED, now)
    verdicts = Bench(tmp_path, "tls-client", now).judged([forged(good)])
    assert {judge: set(against) for judge, against in verdicts.items()} == {j: {0} for j in JUDGES}


def forged(chain: Chain) -> Chain:
    """The chain with one bit of its leaf's name turned after it was signed."""
    octets = chain.judged.public_bytes(Encoding.DER)
    value = str(next(iter(chain.judged.subject)).value).encode()
    at = octets.index(value, octets.index(chain.judged.issuer.public_bytes()) + 100)
    turned = octets[:at] + bytes((octets[at] ^ 1,)) + octets[at + 1 :]
    leaf = x509.load_der_x509_certificate(turned)
    return replace(chain, judged=leaf, path=(leaf, *chain.path[1:]))
