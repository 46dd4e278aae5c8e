"""OCSP responses made ahead: what they say, for which questions, and until when."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp as x509_ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.identifiers import IssuerName, SerialNumber
from revocation.cert_ids import CertIdHash, IssuerCertIds
from revocation.errors import ResponderNotValid, ResponseRefused
from revocation.ocsp import parse_request
from revocation.preproduction import (
    DueResponse,
    Life,
    PreproducedResponse,
    ProducedResponses,
    find_response,
    preproduce,
)
from revocation.reasons import Reason
from revocation.responder import OcspResponder
from revocation.status import Good, Revoked
from tests.support.command_line import ROOT
from tests.support.revocation_pki import NOT_AFTER, Pki
from tests.support.revocation_questions import SHA1, asked, joined, without_null
from tests.support.revocation_stores import MemoryStatusSource

NOW = datetime(2026, 11, 22, 8, 30, 5, 123_456, tzinfo=UTC)
PKI = Pki.new()
RESPONDER = OcspResponder(PKI.ocsp, MemoryStatusSource())
ISSUER = (PKI.ocsp.name, IssuerCertIds.of(PKI.issuing.certificate))
GOOD = DueResponse(SerialNumber(1000), 0, Good())
REVOKED = DueResponse(SerialNumber(2000), 3, Revoked(Reason.KEY_COMPROMISE, NOW))


@dataclass
class MemoryResponses:
    """Keeps what it is given."""

    waiting: list[DueResponse] = field(default_factory=list)
    kept: dict[tuple[SerialNumber, CertIdHash], PreproducedResponse] = field(default_factory=dict)

    def due(self, issuer: IssuerName, now: datetime, limit: int) -> list[DueResponse]:
        del issuer, now
        found, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return found

    def keep(self, issuer: IssuerName, produced: Sequence[ProducedResponses]) -> None:
        del issuer
        for each in produced:
            for cert_id_hash, body in each.bodies.items():
                self.kept[each.serial, cert_id_hash] = PreproducedResponse(each.life, body)

    def find(
        self, issuer: IssuerName, serial: SerialNumber, cert_id_hash: CertIdHash
    ) -> PreproducedResponse | None:
        del issuer
        return self.kept.get((serial, cert_id_hash))


@pytest.fixture
def store() -> MemoryResponses:
    store = MemoryResponses([GOOD, REVOKED])
    assert preproduce(RESPONDER, store, NOW, 100) == 2
    return store


def found(store: MemoryResponses, octets: bytes, now: datetime = NOW) -> x509_ocsp.OCSPResponse:
    answer = sought(store, octets, now)
    assert answer is not None
    return x509_ocsp.load_der_ocsp_response(answer.body)


def sought(
    store: MemoryResponses, octets: bytes, now: datetime = NOW
) -> PreproducedResponse | None:
    name, cert_ids = ISSUER
    recognised = cert_ids.recognise_only(parse_request(octets))
    return None if recognised is None else find_response(store, name, recognised, now)


@pytest.mark.parametrize("algorithm", [SHA1, hashes.SHA256()], ids=["sha1", "sha256"])
def test_the_response_says_what_the_one_signed_now_would_say(
    store: MemoryResponses, algorithm: hashes.HashAlgorithm
) -> None:
    for due in (GOOD, REVOKED):
        question = asked(PKI, due.serial, algorithm=algorithm)
        source = MemoryStatusSource({due.serial: due.status})
        now = x509_ocsp.load_der_ocsp_response(
            OcspResponder(PKI.ocsp, source).answer(question, NOW).body
        )
        assert found(store, question).tbs_response_bytes == now.tbs_response_bytes


def test_nothing_is_found_for_a_question_that_wants_its_own_answer(store: MemoryResponses) -> None:
    question = asked(PKI, GOOD.serial)
    for other in (
        joined(question, asked(PKI, REVOKED.serial)),
        without_null(question),
        asked(Pki.new(), GOOD.serial),
        asked(PKI, SerialNumber(3000)),
    ):
        assert sought(store, other) is None


def test_a_response_is_found_during_its_life_only(store: MemoryResponses) -> None:
    question = asked(PKI, GOOD.serial)
    life = store.kept[GOOD.serial, CertIdHash.SHA1].life

    assert life.this_update == NOW.replace(microsecond=0)
    assert life.next_update - life.this_update == timedelta(minutes=59, seconds=59)
    assert life.due_at - life.this_update == (life.next_update - life.this_update) / 2
    for outside in (life.this_update - timedelta(seconds=1), life.next_update):
        assert sought(store, question, outside) is None
    found(store, question, life.next_update - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("validity", "age"),
    [
        (timedelta(hours=1), timedelta(minutes=30)),
        (timedelta(hours=16) - timedelta(seconds=1), timedelta(hours=8) - timedelta(seconds=0.5)),
        (timedelta(hours=16), timedelta(hours=8)),
        (timedelta(days=2), timedelta(days=2) - timedelta(hours=8)),
        (timedelta(days=10), timedelta(days=4)),
    ],
    ids=str,
)
def test_a_response_is_made_again_as_early_as_the_baseline_requirements_ask(
    validity: timedelta, age: timedelta
) -> None:
    assert Life(NOW, NOW + validity).due_at == NOW + age


def test_those_made_in_one_second_are_due_at_moments_of_their_own() -> None:
    life = Life(NOW, NOW + timedelta(hours=1))
    due = [life.due_for(SerialNumber.random()) for _ in range(10_000)]
    first, last = min(due), max(due)

    assert life.due_at - timedelta(minutes=7.5) <= first < first + timedelta(minutes=7) < last
    assert last <= life.due_at
    in_a_minute = Counter((each - life.this_update) // timedelta(minutes=1) for each in due)
    assert max(in_a_minute.values()) < 10_000 / 7.5 * 1.3


def test_no_response_outlives_the_certificate_of_its_signer() -> None:
    last = RESPONDER.produce(GOOD, NOT_AFTER - timedelta(minutes=10))

    assert last.life.next_update == NOT_AFTER
    for body in last.bodies.values():
        assert x509_ocsp.load_der_ocsp_response(body).next_update_utc == NOT_AFTER


def test_no_more_than_the_limit_is_made_at_once() -> None:
    store = MemoryResponses([GOOD, REVOKED])

    assert [preproduce(RESPONDER, store, NOW, 1) for _ in range(3)] == [1, 1, 0]


def test_nothing_is_made_with_a_responder_that_is_not_valid() -> None:
    store = MemoryResponses([GOOD])
    with pytest.raises(ResponderNotValid):
        preproduce(RESPONDER, store, NOT_AFTER + timedelta(days=1), 100)

    assert store.kept == {}


PLAIN = [
    asked(PKI, SerialNumber(serial), algorithm=algorithm)
    for serial in (1, 127, 128, 255, 256, GOOD.serial, SerialNumber.random(), (1 << 159) - 1)
    for algorithm in (SHA1, hashes.SHA256())
]


@pytest.mark.parametrize("question", PLAIN, ids=range(len(PLAIN)))
def test_the_commonest_question_is_recognised_by_its_octets(question: bytes) -> None:
    _, cert_ids = ISSUER
    assert cert_ids.recognise_plain(question) == cert_ids.recognise_only(parse_request(question))
    assert cert_ids.recognise_plain(question) is not None


@settings(max_examples=500)
@given(st.data())
def test_what_is_recognised_by_its_octets_is_what_a_proper_look_finds(data: st.DataObject) -> None:
    _, cert_ids = ISSUER
    octets = bytearray(data.draw(st.sampled_from(PLAIN)))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(octets)))
        octets[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    found = cert_ids.recognise_plain(bytes(octets))
    if found is not None:
        assert found == cert_ids.recognise_only(parse_request(bytes(octets)))
        assert parse_request(bytes(octets)).nonce is None


ROW = re.compile(r"\| (\d+) \| ([\d.]+) (minutes|hours|days) \| ([\d.]+) million \|")


def test_the_documentation_tells_how_many_certificates_a_token_carries() -> None:
    rows = ROW.findall((ROOT / "docs" / "revocation.md").read_text(encoding="utf-8"))
    assert len(rows) == 4
    for minutes, mean, unit, millions in rows:
        life = Life(NOW, NOW + timedelta(minutes=int(minutes)))
        ages = [life.due_for(SerialNumber(serial)) - NOW for serial in range(1, 1 << 16, 97)]
        found = sum(ages, timedelta()) / len(ages)
        assert found / timedelta(**{unit: 1}) == pytest.approx(float(mean), rel=0.02)
        carried = 10_000 / 2 / 2 * found.total_seconds() / 1_000_000
        assert carried == pytest.approx(float(millions), rel=0.02)


@pytest.mark.parametrize("algorithm", [SHA1, hashes.SHA256()], ids=["sha1", "sha256"])
@pytest.mark.parametrize("size", [1, 16, 32, 125])
def test_a_question_with_a_nonce_is_known_by_its_octets(
    algorithm: hashes.HashAlgorithm, size: int
) -> None:
    _, cert_ids = ISSUER
    question = asked(PKI, GOOD.serial, algorithm=algorithm, nonce=b"n" * size)
    read = parse_request(question)
    assert cert_ids.recognise_nonced(question) == (cert_ids.recognise_only(read), read.nonce)
    assert cert_ids.recognise_plain(question) is None


@settings(max_examples=300)
@given(st.data())
def test_what_is_known_by_its_octets_is_what_a_reader_would_find(data: st.DataObject) -> None:
    _, cert_ids = ISSUER
    octets = bytearray(asked(PKI, GOOD.serial, nonce=b"n" * 16))
    at = data.draw(st.integers(0, len(octets) - 1))
    if data.draw(st.booleans()):
        octets[at] ^= data.draw(st.integers(1, 255))
    else:
        octets = octets[:at]
    found = cert_ids.recognise_nonced(bytes(octets))
    if found is not None:
        read = parse_request(bytes(octets))
        assert found == (cert_ids.recognise_only(read), read.nonce)


def test_other_questions_are_not_taken_for_one_with_a_nonce() -> None:
    _, cert_ids = ISSUER
    for octets in (b"", b"0", asked(PKI, GOOD.serial), asked(Pki.new(), GOOD.serial, nonce=b"n"),
                   asked(PKI, GOOD.serial, nonce=b"n" * 128)):  # fmt: skip
        assert cert_ids.recognise_nonced(octets) is None


def test_what_a_response_says_is_signed_again_with_a_nonce_while_it_holds() -> None:
    for due in (GOOD, REVOKED):
        made = RESPONDER.produce(due, NOW)
        body = made.bodies[CertIdHash.SHA1]
        statement, later = RESPONDER.statement(body, made.life), NOW + timedelta(minutes=10)
        assert statement is not None
        again = RESPONDER.with_nonce(statement, b"once", later)
        assert again is not None
        first, read = (x509_ocsp.load_der_ocsp_response(each) for each in (body, again))
        assert read.certificate_status is first.certificate_status
        assert read.produced_at_utc == later.replace(microsecond=0)
        assert read.this_update_utc == first.this_update_utc
        with pytest.raises(ResponseRefused):
            RESPONDER.with_nonce(statement, b"once", NOW + timedelta(days=1))


def test_what_another_key_signed_or_a_changed_octet_is_no_statement() -> None:
    made = RESPONDER.produce(GOOD, NOW)
    body = made.bodies[CertIdHash.SHA256]
    other = OcspResponder(Pki.new().ocsp, MemoryStatusSource())
    assert other.statement(body, made.life) is None
    statement = RESPONDER.statement(body, made.life)
    assert statement is not None
    assert other.with_nonce(statement, b"once", NOW) is None
    assert (
        RESPONDER.statement(body, replace(made.life, next_update=NOT_AFTER + timedelta(days=1)))
        is None
    )
    for at in range(0, len(body), 7):
        changed = body[:at] + bytes((body[at] ^ 1,)) + body[at + 1 :]
        try:
            said = RESPONDER.statement(changed, made.life)
        except ResponseRefused:
            continue
        assert said is None or said.single == statement.single
