"""A key stands for one subject, and a compromised one for nobody."""

from dataclasses import replace

import pytest

from ca.errors import Refused
from ca.issuance import CertificateOrder, issue, prepare
from ca.key_quality import spki_sha256
from ca.key_uses import KeyUse, KeyUses, check_key_uses
from ca.profiles import load_profile, profile_names
from tests.support.ca_builders import ACTOR, NOW, MemoryIssuance, an_issuer, an_order

OWN, OTHER = "subject-1", "subject-2"


def refused_rule(uses: KeyUses, application_id: str | None = None, *, reuse: bool = True) -> str:
    with pytest.raises(Refused) as refused:
        check_key_uses(uses, OWN, application_id, reuse=reuse)
    (finding,) = refused.value.findings
    assert finding.clause
    assert finding.way_out
    return finding.rule


def used(holder: str, application_id: str | None = None, *, may_exist: bool = True) -> KeyUses:
    return KeyUses(certified=(KeyUse(holder, application_id, may_exist),))


def test_a_new_key_passes() -> None:
    check_key_uses(KeyUses(), OWN, None, reuse=False)


def test_a_compromised_key_is_refused_even_to_its_holder() -> None:
    assert refused_rule(KeyUses(compromised=True)) == "request.key-compromised"


@pytest.mark.parametrize("may_exist", [True, False])
def test_the_key_of_another_subject_is_refused_issued_or_orphaned(may_exist: bool) -> None:  # noqa: FBT001
    assert refused_rule(used(OTHER, may_exist=may_exist)) == "request.key-in-use"
    assert refused_rule(used(OTHER, "A-1"), "A-1") == "request.key-in-use"


def test_a_renewal_with_the_same_key_is_as_the_profile_says() -> None:
    assert refused_rule(used(OWN, "A-1"), "A-2", reuse=False) == "request.key-in-use"
    check_key_uses(used(OWN), OWN, None, reuse=True)


def test_what_became_of_the_same_application_and_orphans_are_in_nobodys_way() -> None:
    check_key_uses(used(OWN, "A-1"), OWN, "A-1", reuse=False)
    check_key_uses(used(OWN, may_exist=False), OWN, None, reuse=False)


def test_authorities_and_services_keep_their_keys_and_persons_do_not() -> None:
    kept = {name for name in profile_names() if load_profile(name).reuse_key}
    authorities = {"root", "issuing", "ca-link", "cross"}
    assert kept == authorities | {"ocsp-signer", "tls-client", "tls-server"}


@pytest.mark.parametrize(
    ("uses", "rule"),
    [(KeyUses(compromised=True), "request.key-compromised"), (used(OTHER), "request.key-in-use")],
    ids=["compromised", "in use"],
)
def test_an_order_for_such_a_key_is_refused_before_anything_is_recorded(
    uses: KeyUses, rule: str
) -> None:
    order = an_order()
    store = MemoryIssuance(uses={spki_sha256(order.public_key): uses})
    with pytest.raises(Refused, match=rule):
        issue(prepare(order, an_issuer(), NOW), store, ACTOR, NOW)
    assert store.steps == []


def test_the_holder_is_the_subjects_id_or_its_name() -> None:
    order: CertificateOrder = an_order()
    assert replace(order, subject_id=OWN).holder == OWN
    assert bytes.fromhex(order.holder) == order.subject.to_x509().public_bytes()
