"""Faults that real authorities had, by cause; each would be caught here before a signature.

Named after what happened; the numbers are those of public reports of incidents.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import CertificateContent, validity_period
from ca.errors import Conflict, Refused
from ca.identifiers import SERIAL_RANDOM_BITS, IssuerName, SerialNumber
from ca.issuance import PreparedCertificate, issue, prepare
from ca.names import SubjectName
from ca.profiles import load_profile, profile_names
from ca.rules import lint
from tests.support.ca_builders import (
    ACTOR,
    NOW,
    MemoryIssuance,
    a_content,
    a_prepared,
    an_issuer,
    an_order,
)
from tests.support.pkilint_findings import pkilint_findings

CLASSES = {
    "1. serials of 63 bits": {
        "ca/test_ca_incidents.py": (
            "test_serials_of_63_bits",
            "test_a_serial_that_is_too_short_does_not_pass_the_gate",
        ),
    },
    "2. two certificates under one serial": {
        "ca/test_ca_incidents.py": (
            "test_two_certificates_under_one_serial",
            "test_a_profile_that_changes_between_intent_and_signature",
            "test_two_nodes_draw_no_serial_twice",
        ),
        "records/test_records_two_processes.py": (
            "test_two_processes_never_give_one_serial_number_twice",
        ),
    },
    "3. a CRL with one serial twice": {
        "revocation/test_crl_codec.py": ("test_the_gate_names_the_rule_that_a_crl_breaks",),
    },
    "4. CRL entries removed early": {
        "records/test_records_crls.py": (
            "test_an_entry_leaves_only_after_a_crl_younger_than_its_certificate",
        ),
        "revocation/test_crl_from_changes.py": (
            "test_whatever_happened_it_is_the_crl_that_all_rows_would_make",
        ),
        "revocation/test_crl_publication.py": (
            "test_a_crl_that_forgets_an_unexpired_serial_is_not_recorded",
        ),
    },
    "5. signed and unknown to the records": {
        "hsm/test_hsm_shim_matrix.py": (
            "test_a_kill_between_two_steps_leaves_no_signature_without_a_row",
        ),
        "end_to_end/test_e2e_crash_issuance.py": (
            "test_an_intent_that_nobody_closed_yet_is_revoked_to_whoever_asks",
        ),
    },
    "6. OCSP says good of what was never issued": {
        "server/test_public_ocsp.py": ("test_of_ten_thousand_random_serials_none_is_good",),
        "records/test_records_ocsp_responses.py": (
            "test_a_row_without_a_certificate_is_never_answered_as_good",
        ),
    },
    "7. OCSP answers valid for too long after an upgrade": {
        "server/test_incidents.py": (
            "test_an_old_configuration_in_other_words_or_units_is_refused",
            "test_the_longest_validity_that_is_configured_stays_in_bounds_once_signed",
        ),
        "revocation/test_ocsp_gate.py": (
            "test_the_longest_validity_passes_and_a_second_more_does_not",
        ),
    },
    "8. OCSP not set up for one of the issuers": {
        "server/test_incidents.py": (
            "test_a_new_authority_answers_at_once_and_readiness_asks_for_every_issuer",
        ),
    },
    "9. a lifetime of one second too much": {
        "ca/test_ca_incidents.py": (
            "test_a_lifetime_of_one_second_too_much",
            "test_one_second_too_much_does_not_pass_the_gate",
        ),
        "revocation/test_crl_publication.py": (
            "test_the_first_crl_has_number_one_and_ends_a_second_before_its_validity",
        ),
    },
    "10. a certificate names a CRL that is not there": {
        "server/test_crl_lists.py": (
            "test_nothing_is_issued_without_a_crl_or_once_the_last_one_has_ended",
            "test_nothing_is_issued_under_a_shard_that_cannot_be_fetched",
        ),
        "commands/test_ceremony_verbs.py": (
            "test_without_a_script_issuers_are_seen_before_they_issue",
        ),
        "ca/test_ca_rules.py": ("test_one_wrong_extension_is_found_by_its_own_rule_and_no_other",),
        "end_to_end/test_e2e_clients_agree.py": (
            "test_ca_certificates_are_where_certificates_point",
        ),
    },
    "11. a wrong reason in a CRL": {
        "revocation/test_revocation_reasons.py": (
            "test_nothing_is_revoked_with_the_reason_that_lifts_a_hold",
        ),
        "revocation/test_crl_codec.py": ("test_the_reason_that_lifts_a_hold_is_not_in_a_full_crl",),
    },
    "12. names in reversed order, revoked late": {
        "ca/test_ca_incidents.py": ("test_attributes_in_reversed_order",),
        "records/test_bulk_revocations.py": (
            "test_a_second_person_begins_it_and_every_one_is_revoked",
        ),
    },
    "13. a certificate of the authority's own expired unseen": {
        "server/test_incidents.py": (
            "test_own_certificates_are_renewed_and_who_does_not_hears_of_it",
        ),
    },
    "14. a field in another encoding": {
        "ca/test_ca_incidents.py": ("test_a_field_in_another_string_type",),
        "ca/test_ca_profile_certificates.py": (
            "test_no_judge_finds_anything_in_generated_certificates",
        ),
    },
    "15. a CRL that is stale, and nobody is told": {
        "server/test_incidents.py": (
            "test_a_crl_that_is_not_renewed_is_an_alarm_before_it_ends_and_comes_back_by_itself",
        ),
        "server/test_public_listener.py": ("test_an_expired_crl_is_never_served",),
    },
}
"""What happened to other authorities, and the tests that it cannot happen here."""
TESTS = Path(__file__).parents[1]
SECOND = timedelta(seconds=1)
OCTETS = SERIAL_RANDOM_BITS // 8 + 1
NODES = (1, 2)


def refused_rules(copy: x509.Certificate, content: CertificateContent) -> list[str]:
    with pytest.raises(Refused) as refused:
        lint(copy, content)
    return [finding.rule for finding in refused.value.findings]


def test_every_class_of_incident_has_its_number_once() -> None:
    assert [name.split(".")[0] for name in CLASSES] == [str(n) for n in range(1, 16)]


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_incident_has_tests_that_are_there(name: str) -> None:
    assert CLASSES[name]
    for file, functions in CLASSES[name].items():
        text = (TESTS / file).read_text()
        assert [each for each in functions if f"\ndef {each}(" not in text] == []


def test_serials_of_63_bits() -> None:
    """A generator cleared the first of 64 bits (Mozilla 1534295, 1534147)."""
    draws = 1_000_000
    serials = [SerialNumber.random() for _ in range(draws)]
    assert len(set(serials)) == draws
    octets = b"".join(serial.to_bytes(OCTETS, "big") for serial in serials)
    assert set(octets[::OCTETS]) == {1}  # never negative, never shorter
    five_sigma = 5 * (draws * 0.25) ** 0.5
    for column in range(1, OCTETS):
        values = Counter(octets[column::OCTETS])
        for bit in range(8):
            ones = sum(times for value, times in values.items() if value >> bit & 1)
            assert abs(ones - draws / 2) < five_sigma, (column, bit)


@pytest.mark.parametrize("serial", [1, 2**62, 2**63 - 1, 2**95 - 1])
def test_a_serial_that_is_too_short_does_not_pass_the_gate(serial: int) -> None:
    content = a_content(serial_number=SerialNumber(serial))
    assert refused_rules(content.throw_away_copy(), content) == ["certificate.serial"]


def test_two_certificates_under_one_serial() -> None:
    """A certificate was signed again after its configuration had changed (1636140, 1907667)."""
    store, prepared = MemoryIssuance(), a_prepared()
    issue(prepared, store, ACTOR, NOW)
    profile = replace(prepared.order.profile, policy_oids=("1.3.6.1.4.1.32473.1",))
    content = replace(prepared.content, profile=profile)
    again = replace(prepared, content=content, copy=content.throw_away_copy())
    with pytest.raises(Conflict):
        issue(again, store, ACTOR, NOW)
    assert len(store.issued) == 1


@pytest.mark.parametrize(
    "changes",
    [{"policy_oids": ("1.3.6.1.4.1.32473.1",)}, {"ocsp_url": False}, {"extended_key_usage": ()}],
    ids=["policy", "AIA", "purpose"],
)
def test_a_profile_that_changes_between_intent_and_signature(changes: dict[str, object]) -> None:
    prepared = a_prepared()
    profile = replace(prepared.order.profile, **changes)  # type: ignore[arg-type]
    changed = replace(prepared.content, profile=profile)

    class Slow(MemoryIssuance):
        def record_intents(
            self, batch: Sequence[PreparedCertificate], actor: str, now: datetime
        ) -> None:
            super().record_intents(batch, actor, now)
            object.__setattr__(batch[0], "content", changed)

    store = Slow()
    with pytest.raises(Refused, match=r"certificate\.extensions"):
        issue(prepared, store, ACTOR, NOW)
    assert store.issued == []
    assert list(store.states.values()) == ["revoked"]


def test_two_nodes_draw_no_serial_twice() -> None:
    drawn = [SerialNumber.random(node) for node in NODES for _ in range(10_000)]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("name", profile_names())
def test_a_lifetime_of_one_second_too_much(name: str) -> None:
    """NotAfter was taken for the first second that does not count (1715455)."""
    profile = load_profile(name)
    not_before, not_after = validity_period(profile, NOW.replace(microsecond=999_999))
    assert (not_after - not_before + SECOND).total_seconds() == profile.validity_days * 86_400


def test_one_second_too_much_does_not_pass_the_gate() -> None:
    content = a_content()
    longer = replace(content, not_after=content.not_after + SECOND)
    assert refused_rules(longer.throw_away_copy(), longer) == ["certificate.validity"]
    assert refused_rules(longer.throw_away_copy(), content) == ["certificate.validity"]


def test_attributes_in_reversed_order() -> None:
    """3,167 certificates had their name the wrong way round (1883779)."""
    order = an_order()
    turned = SubjectName.of(reversed(order.subject.attributes))
    with pytest.raises(Refused, match="in this order"):
        prepare(replace(order, subject=turned), an_issuer(), NOW)
    content = a_content()
    encoded = replace(content, subject=turned).throw_away_copy()
    assert refused_rules(encoded, content) == ["certificate.subject"]


@pytest.mark.parametrize(
    ("attribute", "kind", "value"),
    [
        ("country_name", "utf8_string", "DK"),
        ("common_name", "bmp_string", "Kirsten Ødegaard"),
        ("common_name", "teletex_string", "Kirsten Odegaard"),
        ("organization_name", "printable_string", "Tillid A/S"),
    ],
    ids=["country in UTF-8", "BMPString", "TeletexString", "PrintableString"],
)
def test_a_field_in_another_string_type(attribute: str, kind: str, value: str) -> None:
    """A certificate was issued with a field in a type that its standard does not allow (2018)."""
    content = a_content()
    whole = asn1_x509.Certificate.load(content.throw_away_copy().public_bytes(Encoding.DER))
    name = whole["tbs_certificate"]["subject"].chosen
    other = asn1_x509.DirectoryString(name=kind, value=value)
    pairs = [(rdn[0]["type"].native, rdn[0]["value"]) for rdn in name]
    built = asn1_x509.RDNSequence(
        [[{"type": of, "value": other if of == attribute else kept}] for of, kept in pairs]
    )
    whole["tbs_certificate"]["subject"] = asn1_x509.Name(name="", value=built)
    copy = x509.load_der_x509_certificate(whole.dump(force=True))
    assert "certificate.subject" in refused_rules(copy, content)


def test_an_issuer_name_in_another_encoding_than_the_issuers_own() -> None:
    content = a_content()
    values = [
        x509.NameAttribute(a.oid, str(a.value), x509.name._ASN1Type.PrintableString)
        for a in content.issuer.subject
    ]
    other = replace(content.issuer, subject=x509.Name(values))
    copy = replace(content, issuer=other).throw_away_copy()
    assert copy.issuer == content.issuer.subject  # by value nothing is to be seen
    assert refused_rules(copy, content) == ["certificate.issuer"]


def test_the_outside_judge_finds_nothing_in_what_passes() -> None:
    prepared = a_prepared()
    lint(prepared.copy, prepared.content)
    assert pkilint_findings(prepared.copy) == set()
    assert IssuerName("issuing") == prepared.content.issuer.name
