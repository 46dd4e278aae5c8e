"""One count of signatures for each key of a process, however often and wherever it is opened."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ca.issuance import issue_all, prepare
from ca.signatures import SigningKey
from hsm.errors import QuotaExhausted
from hsm.key_kinds import KeyKind
from hsm.quota import SignQuota
from hsm.token import Token
from server.settings import Hsm
from server.tokens import Tokens
from tests.support.ca_builders import ACTOR, NOW, MemoryIssuance, an_issuer, an_order
from tests.support.imported_keys import put_key
from tests.support.softhsm import SoftHsm

P256 = ec.SECP256R1()
ECDSA = ec.ECDSA(hashes.SHA256())


def quota_of_two(softhsm: SoftHsm, **settings: object) -> Tokens:
    return Tokens(
        Hsm.model_construct(
            softhsm_directory=softhsm.store.directory,
            module=softhsm.store.module,
            sign_quota_per_hour=2,
            **settings,
        )
    )


def signs(key: SigningKey | None) -> None:
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    key.sign(b"m", ECDSA)


def is_spent(sign: Callable[[], None]) -> bool:
    try:
        sign()
    except QuotaExhausted:
        return True
    return False


def test_a_token_that_is_brought_online_again_has_no_new_quota(softhsm: SoftHsm) -> None:
    softhsm.token("quota-root").generate_ec_key("root-ca", P256)
    tokens = quota_of_two(softhsm, root_token="quota-root")
    spent = []
    for _ in range(2):
        with tokens.online("quota-root"):
            spent += [is_spent(lambda: signs(tokens.find("quota-root", "root-ca"))) for _ in "12"]
        assert spent[:2] == [False, False]
    assert spent[2:] == [True, True]


def test_a_standby_has_the_quota_of_its_token_and_another_token_its_own(softhsm: SoftHsm) -> None:
    for name in ("quota-first", "quota-other", "quota-standby"):
        put_key(softhsm.token(name), "key", ec.generate_private_key(P256))
    tokens = quota_of_two(
        softhsm,
        issuing_token="quota-first",
        issuing_standby="quota-standby",
        service_token="quota-other",
    )
    twins = ("quota-first", "quota-standby")
    for name in twins:
        signs(tokens.held_by(name, "key"))
    assert [is_spent(lambda: signs(tokens.held_by(name, "key"))) for name in twins] == [True] * 2  # noqa: B023
    signs(tokens.held_by("quota-other", "key"))


def test_a_standby_of_two_tokens_has_the_quota_of_both(softhsm: SoftHsm) -> None:
    for label in ("issuing", "service"):
        key = ec.generate_private_key(P256)
        for token in (f"quota-{label}", "quota-both"):
            put_key(softhsm.token(token), label, key)
    tokens = quota_of_two(
        softhsm,
        issuing_token="quota-issuing",
        issuing_standby="quota-both",
        service_token="quota-service",
        service_standby="quota-both",
    )
    for label in ("issuing", "service"):
        for token in (f"quota-{label}", "quota-both"):
            signs(tokens.held_by(token, label))
        with pytest.raises(QuotaExhausted):
            signs(tokens.find(f"quota-{label}", label))
    tokens.close()


def test_a_key_in_files_obeys_its_quota(softhsm: SoftHsm) -> None:
    softhsm.store.create_token("quota-files")
    tokens = quota_of_two(softhsm, issuing_token="quota-files", software_ml_dsa=True)
    made = tokens.generate("quota-files", "post-quantum", KeyKind.ML_DSA_44)
    found = tokens.find("quota-files", "post-quantum")
    made.sign(b"m")  # type: ignore[call-arg, union-attr]
    found.sign(b"m")  # type: ignore[call-arg, union-attr]
    for key in (made, found):
        with pytest.raises(QuotaExhausted):
            key.sign(b"m")  # type: ignore[call-arg, union-attr]


def test_beyond_the_quota_nothing_is_intended(softhsm: SoftHsm) -> None:
    store, issuer = MemoryIssuance(), an_issuer()
    token = softhsm.token("quota-batch")
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    put_key(token, "key", issuer.key)
    limited = Token.open(token.location, SignQuota(3))
    # Each with a key object of its own, as applications have that are fulfilled together.
    batch = [
        prepare(an_order("tls-server"), replace(issuer, key=limited.private_key("key")), NOW)
        for _ in range(5)
    ]
    outcomes = issue_all(batch, store, ACTOR, NOW)
    assert [type(each) for each in outcomes] == [x509.Certificate] * 3 + [QuotaExhausted] * 2
    assert list(store.states.values()) == ["issued"] * 3
    assert [type(each) for each in issue_all(batch[3:], store, ACTOR, NOW)] == [QuotaExhausted] * 2
    assert list(store.states.values()) == ["issued"] * 3


def test_a_quota_is_asked_without_being_spent_and_begins_anew_with_the_hour() -> None:
    seconds = iter((0.0, 1.0, 2.0, 3.0, 3600.0))
    quota = SignQuota(2, lambda: next(seconds))
    quota.spend("key")
    quota.check("key", 1)
    quota.check("key", 1)
    with pytest.raises(QuotaExhausted):
        quota.check("key", 2)
    quota.check("key", 2)
