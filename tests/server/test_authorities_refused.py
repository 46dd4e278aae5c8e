"""What no authority may have: another's key or name, another role's key, or one from outside."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

import ca.hierarchy
from ca.errors import Refused
from ca.hierarchy import PlannedIssuer
from ca.identifiers import IssuerName
from ca.issuance import issue, prepare
from ca.issuers import IssuerRecord
from ca.names import SubjectName
from commands.exit_codes import ExitCode, exit_code_of
from hsm.errors import KeyUnfit
from hsm.key_kinds import KeyKind
from hsm.labels import AUDIT_KEY, HEALTH_KEY, SEALING_KEY, SEARCH_KEY, ocsp_key, vault_root
from server.authorities import renew_authority
from server.clock import utc_now
from server.problem_rows import ROWS
from server.problems import problem_of
from server.tokens import Tokens
from tests.support.authorities import OPERATOR, SERVERS, Site
from tests.support.ca_builders import an_order
from tests.support.imported_keys import put_key


def test_what_is_refused_leaves_neither_issuer_nor_key(site: Site) -> None:
    token = site.parts.tokens.open(site.parts.settings.hsm.issuing_token)
    before = token.key_labels()
    taken = token.generate_ec_key("taken", ec.SECP256R1())
    order = replace(an_order("tls-server"), public_key=taken.public_key())
    prepared = prepare(order, site.parts.issuing(), utc_now())
    issue(prepared, site.parts.certificates, OPERATOR, utc_now())
    token.generate_key("ed25519", KeyKind.ED25519)
    short = SubjectName.of([("CN", "Servers CA")])
    refused: list[tuple[dict[str, object], str]] = [
        ({"parent": IssuerName("issuing")}, "path length of the issuer leaves no room"),
        ({"key_label": "taken"}, "certified for another subject"),
        ({"key_label": "ed25519"}, "a key of type Ed25519 is not allowed"),
        ({"key_label": "ed25519", "parent": None}, "a key of type Ed25519 is not allowed"),
        ({"subject": short}, "must hold C, O, CN"),
    ]
    for changes, why in refused:
        with pytest.raises(Refused, match=why):
            site.create(**changes)
    assert [record.name for record in site.parts.issuers.all()] == ["root", "issuing"]
    assert token.key_labels() == sorted([*before, "taken", "ed25519"])
    site.create()


def test_a_key_that_another_ceremony_has_taken_meanwhile_is_not_destroyed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_new(planned: PlannedIssuer, record: IssuerRecord, *further: Any) -> None:
        site.parts.issuers.add(replace(record, name=IssuerName("other")), utc_now())
        original(planned, record, *further)

    original = ca.hierarchy._check_new
    monkeypatch.setattr(ca.hierarchy, "_check_new", check_new)
    with pytest.raises(Refused):
        site.create(parent=IssuerName("issuing"))
    record = site.parts.issuers.get("other")
    assert site.parts.tokens.find(record.token, record.key_label) is not None


def test_two_authorities_have_neither_key_nor_name_in_common(site: Site) -> None:
    issuing = site.parts.issuers.get("issuing")
    site.create()
    lower = [("C", "DK"), ("O", "Tillid test"), ("CN", "servers  CA")]
    other: dict[str, object] = {"name": IssuerName("other"), "key_label": "other"}
    refused: list[tuple[dict[str, object], str]] = [
        ({"key_label": issuing.key_label}, "key issuing-ca is that of issuer issuing"),
        ({"key_label": issuing.key_label, "parent": None}, "is that of issuer issuing"),
        ({}, "authority servers is called CN=Servers CA"),
        ({"subject": SubjectName.of(lower)}, "authority servers is called CN=Servers CA"),
        ({"subject": SubjectName.from_x509(issuing.subject)}, "authority issuing is called"),
    ]
    for changes, why in refused:
        with pytest.raises(Refused, match=why):
            site.create(**(other | changes))
    assert len(site.parts.issuers.all()) == 3
    site.rekey("servers")
    assert site.parts.issuers.get("servers-2").subject == site.parts.issuers.get("servers").subject


@pytest.mark.parametrize(
    ("label", "why"),
    [
        (AUDIT_KEY, "for the key of the audit log"),
        (HEALTH_KEY, "for the key of the health of a token"),
        (SEALING_KEY, "for the key of software keys"),
        (SEARCH_KEY, "for the key of the search index"),
        (ocsp_key("issuing"), "for the key of OCSP answers"),
        (vault_root("store", 1), "for the key of the key store"),
        ("pkcs11:object=x", "is a PKCS#11 URI"),
        ("pkcs11:colour=red", "is a PKCS#11 URI"),
    ],
)
def test_the_key_of_another_role_is_no_authoritys(site: Site, label: str, why: str) -> None:
    parts = site.parts
    service = parts.settings.hsm.service_token
    parts.tokens.service_key(AUDIT_KEY)
    before = parts.tokens.open(service).key_labels()
    with pytest.raises(Refused, match=why):
        site.create(token=service, key_label=label)
    assert [record.name for record in parts.issuers.all()] == ["root", "issuing"]
    assert parts.tokens.open(service).key_labels() == before


def test_a_key_from_outside_its_token_becomes_no_authoritys(site: Site) -> None:
    token = site.parts.tokens.open(site.parts.settings.hsm.issuing_token)
    put_key(token, "brought", ec.generate_private_key(ec.SECP256R1()))
    for changes in ({}, {"parent": None}):
        with pytest.raises(KeyUnfit) as refused:
            site.create(key_label="brought", **changes)
    assert [record.name for record in site.parts.issuers.all()] == ["root", "issuing"]
    assert token.has_key("brought")
    problem = problem_of(refused.value, ROWS)
    assert problem is not None
    assert exit_code_of(problem) == ExitCode.REFUSED
    assert problem.detail.startswith("Key brought is not used: it was not made in its token")


def test_a_key_from_outside_its_token_certifies_nothing_and_is_retired(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority that was made before keys were looked at."""
    token = site.parts.tokens.open(site.parts.settings.hsm.issuing_token)
    put_key(token, "brought", ec.generate_private_key(ec.SECP256R1()))
    with monkeypatch.context() as unseen:
        unseen.setattr(Tokens, "check_for_use", lambda *_: None)
        site.create(key_label="brought")
        leaf = site.leaf(site.parts.issuing(None, SERVERS))
    with pytest.raises(KeyUnfit):
        site.parts.issuing(None, SERVERS)
    with site.online(), pytest.raises(KeyUnfit):
        renew_authority(site.parts, SERVERS, utc_now() + timedelta(days=40))
    site.retire(SERVERS, revoke=True)
    (crl,) = site.crls(SERVERS)
    last = x509.load_pem_x509_crl(crl.read_bytes())
    assert last.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None
    assert not token.has_key("brought")
