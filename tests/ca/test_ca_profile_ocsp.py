"""Java's path validation by OCSP alone, for certificates of every profile of end entities.

No fallback to CRLs and no soft failure; all chains are judged in one JVM.
"""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.certificates import Issuer
from ca.identifiers import SerialNumber
from ca.issuance import CertificateOrder
from ca.names import SubjectName
from ca.profiles import load_profile, profile_names
from revocation.reasons import Reason
from revocation.responder import OcspIssuer, OcspResponder
from revocation.status import Good, Revoked, Status, Unknown
from server.clock import utc_now
from tests.support.ca_builders import a_key
from tests.support.certificate_samples import Chain, chains, signed
from tests.support.outside_judges import Bench
from tests.support.revocation_stores import MemoryStatusSource

SEED = 20260601
EACH = 4
PROFILES = [name for name in profile_names() if not load_profile(name).certificate_authority]


@pytest.fixture
def now() -> datetime:
    return utc_now().replace(microsecond=0)


def answered(chain: Chain, status: Status, now: datetime) -> bytes:
    """Our responder's answer about the leaf, asked as Java asks, by a delegated key."""
    issuer = chain.issuers[0]
    assert issuer.certificate is not None
    serial = SerialNumber(chain.judged.serial_number)
    known = {} if isinstance(status, Unknown) else {serial: status}
    builder = ocsp.OCSPRequestBuilder()
    sha1 = hashes.SHA1()  # noqa: S303 - what clients send
    asked = builder.add_certificate(chain.judged, issuer.certificate, sha1).build()
    responder = OcspResponder(delegated(issuer, now), MemoryStatusSource(known))
    return responder.answer(asked.public_bytes(Encoding.DER), now).body


def delegated(issuer: Issuer, now: datetime) -> OcspIssuer:
    key, profile = a_key("EC-P256"), load_profile("ocsp-signer")
    subject = SubjectName.of([("CN", "OCSP")])
    certificate = signed(CertificateOrder(profile, subject, key.public_key()), issuer, now)
    assert issuer.certificate is not None
    return OcspIssuer(issuer.name, issuer.certificate, certificate, key)  # type: ignore[arg-type]


def test_java_takes_our_answers_about_every_profile_of_end_entities(
    now: datetime, tmp_path: Path
) -> None:
    made = [chain for name in PROFILES for chain in chains(name, EACH, SEED, now)]
    asked = [(chain, answered(chain, Good(), now)) for chain in made]
    assert len(PROFILES) >= 11
    assert Bench(tmp_path, "", now).java_by_ocsp(asked) == {}


def test_java_refuses_what_an_answer_does_not_call_good_now_of_every_profile(
    now: datetime, tmp_path: Path
) -> None:
    before = now - timedelta(days=1)
    gone = Revoked(Reason.KEY_COMPROMISE, now - timedelta(hours=1))
    asked = []
    for name in PROFILES:
        (chain,) = chains(name, 1, SEED, before)
        asked += [
            (chain, answered(chain, gone, now)),
            (chain, answered(chain, Unknown(), now)),
            (chain, answered(chain, Good(), before + timedelta(hours=1))),  # it has ended
            (chain, answered(chain, Good(), now)),
        ]
    refused = Bench(tmp_path, "", now).java_by_ocsp(asked)
    assert set(refused) == {number for number in range(len(asked)) if number % 4 != 3}
    assert all("revoked" in refused[number] for number in range(0, len(asked), 4))


def test_java_refuses_an_answer_by_a_key_that_was_not_delegated(
    now: datetime, tmp_path: Path
) -> None:
    (chain,) = chains("tls-client", 1, SEED, now)
    issuer, key = chain.issuers[0], a_key("EC-P256")
    assert issuer.certificate is not None
    subject, host = SubjectName.of([("CN", "host.example")]), ("host.example",)
    profile = load_profile("tls-client")
    order = CertificateOrder(profile, subject, key.public_key(), host)
    undelegated = signed(order, issuer, now)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=chain.judged,
        issuer=issuer.certificate,
        algorithm=hashes.SHA1(),  # noqa: S303 - what clients send
        cert_status=ocsp.OCSPCertStatus.GOOD,
        this_update=now,
        next_update=now + timedelta(hours=1),
        revocation_time=None,
        revocation_reason=None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, undelegated)
    answer = builder.certificates([undelegated]).sign(key, hashes.SHA256())  # type: ignore[arg-type]
    octets = answer.public_bytes(Encoding.DER)
    assert set(Bench(tmp_path, "", now).java_by_ocsp([(chain, octets)])) == {0}
