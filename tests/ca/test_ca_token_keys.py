"""The same with keys that never leave a token: ceremony, issuance and approval on SoftHSM."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ca.errors import SigningFailed
from ca.hierarchy import PlannedIssuer, run_ceremony
from ca.identifiers import IssuerName
from ca.issuance import issue, prepare
from ca.profiles import load_profile
from ca.signatures import SigningKey
from hsm.errors import KeyNotFound
from hsm.key_kinds import KeyKind
from server.clock import utc_now
from tests.support.approvals import AnOfficer, an_approved_order
from tests.support.ca_builders import (
    ACTOR,
    BASE_URL,
    NOW,
    MemoryIssuance,
    MemoryIssuers,
    a_prepared,
    a_subject,
    an_issuer,
    an_order,
)
from tests.support.pkilint_findings import pkilint_findings
from tests.support.relying_parties import gnutls_verify, openssl_verify
from tests.support.softhsm import SoftHsm
from tests.support.token_keys import a_token_rsa_key

ROOT, ISSUING = IssuerName("root"), IssuerName("issuing")


class TokenKeys:
    """Keys in SoftHSM tokens."""

    def __init__(self, softhsm: SoftHsm) -> None:
        self.softhsm = softhsm

    def find(self, token: str, label: str) -> SigningKey | None:
        try:
            return self.softhsm.token(token).private_key(label)
        except KeyNotFound:
            return None

    def generate(self, token: str, label: str, kind: KeyKind) -> SigningKey:
        return self.softhsm.token(token).generate_key(label, kind)

    def check_for_use(self, token: str, label: str) -> None:
        self.softhsm.token(token).check_key(label)

    def destroy_key(self, name: str, label: str) -> None:
        self.softhsm.token(name).destroy_key(label)


def planned(name: IssuerName, label: str, kind: KeyKind) -> PlannedIssuer:
    profile = load_profile(name)
    subject = a_subject(profile, f"Tillid {name}")
    return PlannedIssuer(name, ROOT, profile, subject, f"ca-{name}", label, kind)


def test_a_hierarchy_in_two_tokens_issues_what_relying_parties_verify(
    softhsm: SoftHsm, tmp_path: Path
) -> None:
    now, keys = utc_now(), TokenKeys(softhsm)
    issuers, store = MemoryIssuers(), MemoryIssuance()
    plan = (planned(ROOT, "root", KeyKind.EC_P384), planned(ISSUING, "issuing", KeyKind.EC_P256))
    for _ in range(2):
        steps = list(run_ceremony(plan, BASE_URL, (issuers, store), keys, now))
    assert [step.done for step in steps] == ["certificate was there"] * 2
    record, root = issuers.records[ISSUING], issuers.records[ROOT]
    key = keys.find(record.token, record.key_label)
    assert key is not None
    assert record.certificate is not None
    assert root.certificate is not None
    leaf = issue(prepare(an_order("tls-server"), record.with_key(key), now), store, ACTOR, now)
    chain = [leaf, record.certificate, root.certificate]
    assert openssl_verify(tmp_path, chain, now) == ""
    assert gnutls_verify(tmp_path, chain) == ""
    assert pkilint_findings(leaf) == set()


@pytest.mark.parametrize("kind", ["EC-P256", "RSA-2048"])
def test_an_officer_approves_with_a_token_key(kind: str, softhsm: SoftHsm) -> None:
    token = softhsm.token("ca-officers")
    if kind == "EC-P256":
        officer = AnOfficer(token.generate_ec_key("officer-ec", ec.SECP256R1()))
    else:
        officer = AnOfficer(a_token_rsa_key(token, "officer-rsa"))
    store = officer.store()
    issue(prepare(an_approved_order(officer), an_issuer(), NOW), store, ACTOR, NOW)
    assert store.steps == ["intent", "record"]


def test_an_rsa_key_in_a_token_issues(softhsm: SoftHsm, tmp_path: Path) -> None:
    key = a_token_rsa_key(softhsm.token("ca-rsa"), "issuing-rsa")
    software = an_issuer("RSA-2048")
    prepared = a_prepared("staff", replace(software, key=key))
    with pytest.raises(SigningFailed):
        issue(prepared, MemoryIssuance(), ACTOR, NOW)  # the certified key is the other one
    alone = replace(software, key=key, certificate=None)
    order = replace(
        an_order(replace(load_profile("root"), key_types=("RSA-2048",))),
        public_key=key.public_key(),
        subject=a_subject(load_profile("issuing"), "Tillid Issuing CA"),
    )
    root = issue(prepare(order, alone, NOW), MemoryIssuance(), ACTOR, NOW)
    leaf = issue(
        a_prepared("staff", replace(alone, certificate=root)), MemoryIssuance(), ACTOR, NOW
    )
    assert openssl_verify(tmp_path, [leaf, root], NOW) == ""
