"""A certificate that names a person is issued exactly as an approving officer signed for it."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.approvals import check_approval
from ca.errors import MalformedRequest, Refused
from ca.issuance import Approval, CertificateOrder, issue, prepare
from ca.names import SubjectName
from tests.support.approvals import (
    PERSON,
    AnOfficer,
    Package,
    a_persons_order,
    an_approved_order,
    package_of,
)
from tests.support.ca_builders import (
    ACTOR,
    NOW,
    MemoryIssuance,
    a_key,
    an_issuer,
    an_order,
    another_rsa_key,
)

Orders = tuple[CertificateOrder, MemoryIssuance]
OFFICER = AnOfficer()
OTHER_HASH = "ab" * 32
PROMISED = {
    "application": ["A-2", None, "", 1, ["A-1"]],
    "profile": [
        {"name": "staff", "sha256": OTHER_HASH},
        None,
        "natural-person-substantial",
        {"name": "natural-person-substantial"},
    ],
    "publication_consent": [False, None, 1, "true"],
    "spki_sha256": [OTHER_HASH, None, ""],
    "subject": [None, [], [["CN", "Karen"]], "Kirsten"],
    "validity_days": [731, 730.0, "730", None, True],
}


def test_an_approved_certificate_is_issued() -> None:
    order, store = an_approved_order(OFFICER), OFFICER.store()
    issue(prepare(order, an_issuer(), NOW), store, ACTOR, NOW)
    assert store.steps == ["intent", "record"]


def test_an_officer_with_an_rsa_key_can_approve() -> None:
    officer = AnOfficer(another_rsa_key())
    check_approval(an_approved_order(officer), officer.store())


def test_a_certificate_that_names_nobody_needs_no_approval() -> None:
    check_approval(an_order("staff"), MemoryIssuance())


def test_an_unapproved_certificate_leaves_no_trace() -> None:
    store = OFFICER.store()
    with pytest.raises(Refused, match="comes only from an application"):
        issue(prepare(a_persons_order(), an_issuer(), NOW), store, ACTOR, NOW)
    assert store.steps == []
    assert store.states == {}


def test_somebody_who_is_no_approving_officer_cannot_approve() -> None:
    with pytest.raises(Refused, match="not signed by an active approving officer"):
        check_approval(an_approved_order(AnOfficer()), OFFICER.store())


def test_another_certificate_for_the_officers_key_cannot_approve() -> None:
    twin = AnOfficer(OFFICER.key)
    assert twin.certificate != OFFICER.certificate
    with pytest.raises(Refused, match="not signed by an active approving officer"):
        check_approval(an_approved_order(twin), OFFICER.store())


@pytest.mark.parametrize(
    ("member", "value"),
    [(member, value) for member, values in PROMISED.items() for value in values],
    ids=repr,
)
def test_a_package_that_says_something_else_approves_nothing(member: str, value: object) -> None:
    order = an_approved_order(OFFICER, lambda package: package.update({member: value}))
    with pytest.raises(Refused, match=f"says otherwise about {member}") as refused:
        check_approval(order, OFFICER.store())
    assert [f.rule for f in refused.value.findings] == ["issuance.approval"]


@pytest.mark.parametrize("member", PROMISED)
def test_a_package_that_is_silent_about_a_promise_approves_nothing(member: str) -> None:
    order = an_approved_order(OFFICER, lambda package: package.pop(member))
    with pytest.raises(Refused, match=f"says otherwise about {member}"):
        check_approval(order, OFFICER.store())


@pytest.mark.parametrize(
    ("member", "change"),
    [
        ("application", {"application_id": "A-2"}),
        ("application", {"application_id": None}),
        ("publication_consent", {"publish": False}),
        ("spki_sha256", {"public_key": a_key().public_key()}),
        ("subject", {"subject": SubjectName.of([("CN", "Karen")])}),
    ],
)
def test_an_order_that_asks_for_something_else_is_not_approved(
    member: str, change: dict[str, object]
) -> None:
    order = replace(an_approved_order(OFFICER), **change)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=f"says otherwise about {member}"):
        check_approval(order, OFFICER.store())


@pytest.mark.parametrize("change", [{"validity_days": 731}, {"sha256": OTHER_HASH}])
def test_a_profile_that_changed_after_the_approval_is_not_approved(
    change: dict[str, object],
) -> None:
    order = an_approved_order(OFFICER)
    with pytest.raises(Refused, match=r"says otherwise about (profile|validity_days)"):
        check_approval(
            replace(order, profile=replace(order.profile, **change)),  # type: ignore[arg-type]
            OFFICER.store(),
        )


def test_everything_that_differs_is_named_at_once() -> None:
    order = an_approved_order(OFFICER, Package.clear)
    with pytest.raises(Refused) as refused:
        check_approval(order, OFFICER.store())
    assert all(member in str(refused.value) for member in PROMISED)


@given(st.data())
def test_one_changed_octet_in_the_package_breaks_the_approval(data: st.DataObject) -> None:
    order = an_approved_order(OFFICER)
    assert order.approval is not None
    package = bytearray(order.approval.package)
    package[data.draw(st.integers(0, len(package) - 1))] ^= data.draw(st.integers(1, 255))
    changed = replace(order, approval=replace(order.approval, package=bytes(package)))
    with pytest.raises(MalformedRequest, match="over other octets"):
        check_approval(changed, OFFICER.store())


@pytest.mark.parametrize(
    "package",
    [b"", b"no JSON", b"\xff\xfe\0", b"[]", b"7", b'"package"', b"null", b"true", b"{",
     b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5000, b'{"a": 1, "a": 1}', b"{}{}",
     b'{"subject": {"a": 1, "a": 2}}'],
    ids=lambda octets: repr(octets[:20]),
)  # fmt: skip
def test_a_package_that_is_no_object_of_single_members_is_malformed(package: bytes) -> None:
    order = replace(a_persons_order(), approval=OFFICER.approve(package))
    with pytest.raises(MalformedRequest, match="application package"):
        check_approval(order, OFFICER.store())


def test_a_promise_made_twice_is_no_promise() -> None:
    order = a_persons_order()
    once = json.dumps(package_of(order))
    twice = '{"application": "A-2", ' + once[1:]
    approved = replace(order, approval=OFFICER.approve(twice.encode()))
    with pytest.raises(MalformedRequest, match="single members"):
        check_approval(approved, OFFICER.store())


@pytest.mark.parametrize("change", [lambda _: b"", lambda s: s[:-1], lambda _: b"junk"])
def test_what_is_no_signature_approves_nothing(change: Callable[[bytes], bytes]) -> None:
    order = an_approved_order(OFFICER)
    assert order.approval is not None
    broken = replace(order.approval, signature=change(order.approval.signature))
    with pytest.raises(MalformedRequest, match="approval signature"):
        check_approval(replace(order, approval=broken), OFFICER.store())


def test_an_approval_does_not_show_what_it_is_about() -> None:
    shown = repr(an_approved_order(OFFICER))
    assert "Kirsten" not in shown
    assert "Ødegaard" not in shown
    assert repr(Approval(b"Kirsten", b"")) == "Approval()"


def demanding(count: int, *officers: AnOfficer, name: str = PERSON) -> Orders:
    """An order under a profile that demands so many, signed by these, and the store."""
    order = a_persons_order() if name == PERSON else an_order(name)
    order = replace(order, profile=replace(order.profile, approvals=count))
    store = MemoryIssuance(approving=[each.certificate for each in officers])
    if officers:
        package = json.dumps(package_of(order) | {"host_names": list(order.host_names)}).encode()
        first, *rest = (each.approve(package) for each in officers)
        further = tuple(each.signature for each in rest)
        order = replace(order, approval=replace(first, further=further))
    return order, store


@pytest.mark.parametrize("name", [PERSON, "tls-server"])
def test_as_many_officers_approve_as_the_profile_demands(name: str) -> None:
    one, two = AnOfficer(), AnOfficer()
    check_approval(*demanding(2, one, two, name=name))
    order, store = demanding(2, one, name=name)
    with pytest.raises(Refused, match="demands 2 persons to approve, and 1 did"):
        issue(prepare(order, an_issuer(), NOW), store, ACTOR, NOW)
    assert store.steps == []


def test_a_profile_of_nobody_may_demand_approvals() -> None:
    with pytest.raises(Refused, match="profile tls-server demands one person to approve"):
        check_approval(*demanding(1, name="tls-server"))
    order, store = demanding(1, OFFICER, name="tls-server")
    with pytest.raises(Refused, match="says otherwise about host_names"):
        check_approval(replace(order, host_names=("other.example",)), store)


def test_one_person_is_one_under_two_accounts() -> None:
    one, other = AnOfficer(), AnOfficer()
    for first, second in ((one, one), (one, other)):
        order, store = demanding(2, first, second)
        store.persons |= {one.certificate: "P-1", other.certificate: "P-1"}
        with pytest.raises(Refused, match="one person approves twice"):
            check_approval(order, store)


def test_further_signatures_are_looked_at_even_where_one_is_enough() -> None:
    order, store = demanding(1, OFFICER, AnOfficer())
    store.approving.pop()
    with pytest.raises(Refused, match="not signed by an active approving officer"):
        check_approval(order, store)
