"""The ceremony: every step looks at what is there, so it can be interrupted and held again."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice

import pytest
from cryptography import x509

from ca.errors import Conflict, Refused
from ca.hierarchy import CeremonyStep, IssuerRecord, PlannedIssuer, fingerprint, run_ceremony
from ca.identifiers import IssuerName
from ca.issuance import INTENT_LIFETIME, resolve_open_intents
from ca.names import SubjectName
from ca.profiles import load_profile
from ca.signatures import SigningKey
from hsm.key_kinds import KeyKind
from tests.support.ca_builders import (
    BASE_URL,
    NOW,
    MemoryIssuance,
    MemoryIssuers,
    SoftwareKeys,
    StoreBroken,
    a_key,
    a_subject,
)

ROOT, ISSUING = IssuerName("root"), IssuerName("issuing")


def a_plan() -> tuple[PlannedIssuer, ...]:
    root, issuing = load_profile("root"), load_profile("issuing")
    return (
        PlannedIssuer(ROOT, ROOT, root, a_subject(root, "Tillid Root CA"), "root-token", "root-ca",
                      KeyKind.EC_P384),
        PlannedIssuer(ISSUING, ROOT, issuing, a_subject(issuing, "Tillid Issuing CA"),
                      "issuing-token", "issuing-ca", KeyKind.EC_P256),
    )  # fmt: skip


@dataclass
class Site:
    """Where a ceremony is held; `effects` counts what was made, and stops after `limit` of them."""

    issuers: MemoryIssuers = field(default_factory=MemoryIssuers)
    certificates: MemoryIssuance = field(default_factory=MemoryIssuance)
    keys: SoftwareKeys = field(default_factory=SoftwareKeys)
    effects: list[str] = field(default_factory=list)
    limit: int = 1000

    def __post_init__(self) -> None:
        for part, names in (
            (self.issuers, ("add", "activate")),
            (self.certificates, ("record_intents", "record_certificates")),
            (self.keys, ("generate",)),
        ):
            for name in names:
                setattr(part, name, self._counted(name, getattr(part, name)))

    def _counted(self, name: str, effect: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object) -> object:
            result = effect(*arguments)
            self.effects.append(name)
            if len(self.effects) == self.limit:
                raise StoreBroken(name)
            return result

        return counted

    def hold(self, plan: tuple[PlannedIssuer, ...] | None = None) -> list[CeremonyStep]:
        stores = (self.issuers, self.certificates)
        return list(run_ceremony(plan or a_plan(), BASE_URL, stores, self.keys, NOW))

    def record(self, name: IssuerName) -> IssuerRecord:
        return self.issuers.records[name]


EFFECTS = ("generate", "add", "record_intents", "record_certificates", "activate") * 2


def certificate_of(record: IssuerRecord) -> x509.Certificate:
    assert record.certificate is not None
    return record.certificate


def check_complete(site: Site) -> None:
    """Both issuers stand, one under the other, with the keys that are in their tokens."""
    root, issuing = site.record(ROOT), site.record(ISSUING)
    certificate_of(root).verify_directly_issued_by(certificate_of(root))
    certificate_of(issuing).verify_directly_issued_by(certificate_of(root))
    for record in (root, issuing):
        key = site.keys.find(record.token, record.key_label)
        assert key is not None
        assert certificate_of(record).public_key() == key.public_key()
        assert record.with_key(key).certificate == record.certificate
    assert len(site.keys.made) == 2
    assert len(site.issuers.records) == 2


def test_a_ceremony_makes_a_root_and_an_issuing_authority_and_tells_each_step() -> None:
    site = Site()
    steps = site.hold()
    check_complete(site)
    assert tuple(site.effects) == EFFECTS
    root, issuing = certificate_of(site.record(ROOT)), certificate_of(site.record(ISSUING))
    assert steps == [
        CeremonyStep(ROOT, "key root-ca made in root-token"),
        CeremonyStep(ROOT, "certificate issued", fingerprint(root)),
        CeremonyStep(ISSUING, "key issuing-ca made in issuing-token"),
        CeremonyStep(ISSUING, "certificate issued", fingerprint(issuing)),
    ]


def test_a_ceremony_held_twice_makes_nothing_new() -> None:
    site = Site()
    site.hold()
    before = (dict(site.issuers.records), dict(site.keys.made), list(site.effects))
    assert [step.done for step in site.hold()] == ["certificate was there"] * 2
    assert before == (site.issuers.records, site.keys.made, site.effects)


@pytest.mark.parametrize("limit", range(1, len(EFFECTS) + 1))
def test_a_ceremony_interrupted_after_any_effect_ends_the_same_when_held_again(limit: int) -> None:
    site = Site(limit=limit)
    with pytest.raises(StoreBroken):
        site.hold()
    site.hold()
    check_complete(site)
    resolve_open_intents(site.certificates, NOW + 2 * INTENT_LIFETIME)
    assert set(site.certificates.states.values()) <= {"issued", "revoked"}
    assert [step.done for step in site.hold()] == ["certificate was there"] * 2


@pytest.mark.parametrize("told", range(4))
def test_a_ceremony_left_after_any_step_that_was_told_ends_the_same(told: int) -> None:
    site = Site()
    stores = (site.issuers, site.certificates)
    left = run_ceremony(a_plan(), BASE_URL, stores, site.keys, NOW)
    assert len(list(islice(left, told))) == told
    site.hold()
    check_complete(site)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": SubjectName.of([("C", "GL"), ("O", "Another"), ("CN", "Another")])},
        {"key_label": "another-ca"},
        {"token": "another-token"},
        {"parent": IssuerName("another")},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("interrupted", [True, False], ids=["without certificate", "whole"])
def test_a_plan_that_differs_from_what_is_there_is_refused_and_makes_nothing(
    change: dict[str, object], *, interrupted: bool
) -> None:
    site = Site(limit=EFFECTS.index("add") + 1 if interrupted else 1000)
    if interrupted:
        with pytest.raises(StoreBroken):
            site.hold()
    else:
        site.hold()
    before = list(site.effects)
    changed = (replace(a_plan()[0], **change), a_plan()[1])  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="issuer root is there already, with another key or name"):
        site.hold(changed)
    assert site.effects == before


@pytest.mark.parametrize("found", [None, a_key()], ids=["lost", "another"])
def test_an_issuer_whose_key_is_gone_is_not_given_another(found: SigningKey | None) -> None:
    site = Site()
    site.hold()
    del site.keys.made["root-token", "root-ca"]
    if found is not None:
        site.keys.made["root-token", "root-ca"] = found
    before = dict(site.keys.made)
    with pytest.raises(Conflict, match="issuer root is there already"):
        site.hold()
    assert site.keys.made == before


def test_an_issuer_whose_parent_is_not_there_is_not_made() -> None:
    site = Site()
    with pytest.raises(Conflict, match="issuer root is not there to sign"):
        site.hold(a_plan()[1:])
    assert site.certificates.issued == []


def test_an_issuer_whose_parents_key_is_not_there_is_not_made() -> None:
    site = Site()
    site.hold(a_plan()[:1])
    site.keys.made.clear()
    with pytest.raises(Conflict, match="issuer root is not there to sign"):
        site.hold(a_plan()[1:])


def test_a_parent_without_a_certificate_certifies_nobody_else() -> None:
    site = Site(limit=EFFECTS.index("add") + 1)
    with pytest.raises(StoreBroken):
        site.hold()
    with pytest.raises((Refused, Conflict)):
        site.hold(a_plan()[1:])
    assert site.certificates.issued == []


def test_a_key_on_another_curve_than_the_profile_asks_for_is_refused() -> None:
    plan = (replace(a_plan()[0], key_kind=KeyKind.EC_P256),)
    with pytest.raises(Refused, match="a key of type EC-P256 is not allowed"):
        Site().hold(plan)


def test_an_issuing_authority_does_not_outlive_its_root() -> None:
    site = Site()
    site.hold(a_plan()[:1])
    long = replace(a_plan()[1], profile=replace(load_profile("issuing"), validity_days=7301))
    with pytest.raises(Refused, match="would outlive its issuer"):
        site.hold((long,))


def test_a_fingerprint_is_what_people_compare() -> None:
    site = Site()
    site.hold(a_plan()[:1])
    shown = fingerprint(certificate_of(site.record(ROOT)))
    assert len(shown.split(":")) == 32
    assert shown == shown.upper()
