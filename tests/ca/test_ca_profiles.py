"""Certificate profiles: the shipped ones load, and every fault of a broken one is named."""

from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ca.errors import NotFound, Refused
from ca.names import SubjectName
from ca.profiles import (
    EXTENDED_KEY_USAGES,
    SHIPPED,
    ProfileFaulty,
    load_profile,
    parse_profile,
    profile_names,
)
from tests.support.ca_builders import CA_PROFILES, LEAF_PROFILES, a_subject

SOUND = """
name = "sound"
description = "A profile nothing is wrong with"
validity_days = 30
key_types = ["EC-P256"]
subject = ["C", "CN", "serialNumber?"]
key_usage = ["digital_signature"]
"""
FAULTS = {
    "surprise = 1": "surprise: Unexpected keyword argument",
    "name = 'Sound'": "name: String should match",
    "description = ''": "description: String should have at least 1 character",
    "validity_days = 0": "validity_days: Input should be greater than 0",
    "validity_days = true": "validity_days: Input should be a valid integer",
    "validity_days = '30'": "validity_days: Input should be a valid integer",
    "validity_days = 7321": "validity_days: Input should be less than or equal to 7320",
    "key_types = []": "key_types: it is empty",
    "key_types = ['RSA-1024']": "key_types.0: Input should be 'EC-P256'",
    "subject = []": "subject: it is empty",
    "subject = ['CN', 'L']": "subject.1: String should match",
    "subject = ['CN??']": "subject.0: String should match",
    "key_usage = []": "key_usage: it is empty",
    "key_usage = ['sign']": "key_usage.0: Input should be 'digital_signature'",
    "key_usage = 5": "key_usage: Input should be a valid tuple",
    "key_usage = ['key_cert_sign']": "key_cert_sign is for certificate authorities",
    "extended_key_usage = ['any']": "extended_key_usage.0: Input should be 'server_auth'",
    "policy_oids = ['anyPolicy']": "policy_oids.0: String should match",
    "policy_oids = ['1.40.1']": "policy_oids.0: String should match",
    "policy_oids = ['2.5.01']": "policy_oids.0: String should match",
    "assurance_level = 'middle'": "assurance_level: Input should be 'low'",
    "names_person = 'no'": "names_person: Input should be a valid boolean",
    "names_person = true": "a profile that names a person states one",
    "names_person = true\nassurance_level = 'low'": "a profile that names a person says why",
    "names_person = true\nvalidity_reason = ''": "rests on contract or statute",
    "agreement = 'statute: '": "agreement: String should match pattern",
    "agreement = 'a handshake'": "agreement: String should match pattern",
    "validity_reason = 'because'": "validity_reason: String should have at least 20 characters",
    "certificate_authority = true": "a certificate authority needs key_cert_sign",
    "path_length = 0": "path_length: it is for certificate authorities",
    "permitted_names = ['dns:example.org']": "permitted_names: it is for certificate authorities",
    "excluded_names = ['example.org']": "excluded_names.0: String should match",
    "require_explicit_policy = 0": "require_explicit_policy: it is for certificate authorities",
    "path_length = -1": "path_length: Input should be greater than or equal to 0",
    "ocsp_no_check = true": "ocsp_no_check: it is for OCSP signers",
    "approvals = 5": "approvals: Input should be less than or equal to 4",
    "approvals = true": "approvals: Input should be a valid integer",
    "approvals = 1\nextended_key_usage = ['ocsp_signing']": "approvals: authorities, OCSP signers",
    "sha256 = 'ab'": "sha256: it is computed, not stated",
    "hold = true\nextended_key_usage = ['server_auth']": "hold: it is not for TLS servers",
    "policy_oids = ['1.2.3', '1.2.4', '1.2.3']": "policy_oids: 1.2.3 more than once (RFC 5280 4.2",
    "extended_key_usage = ['client_auth', 'client_auth']": "client_auth more than once (RFC 5280",
    "key_usage = ['digital_signature', 'digital_signature']": "digital_signature more than once",
    "key_types = ['EC-P256', 'EC-P256']": "key_types: EC-P256 more than once",
    "subject = ['CN', 'O', 'CN']": "subject: CN more than once (EN 319 412-2 4.2.4)",
    "subject = ['CN', 'CN?']": "subject: CN more than once",
    "key_usage = ['key_encipherment']": "key_encipherment and data_encipherment are for RSA keys",
    "key_usage = ['data_encipherment']": "key_encipherment and data_encipherment are for RSA keys",
    "key_usage = ['key_encipherment']\nkey_types = ['RSA-3072', 'EC-P256']": "(RFC 8813 3)",
    "key_usage = ['key_agreement']\nkey_types = ['RSA-3072']": "key_agreement is for EC keys",
    "key_usage = ['key_agreement']\nkey_types = ['Ed25519']": "key_agreement is for EC keys",
    "key_usage = ['digital_signature', 'crl_sign']": "crl_sign is for certificate authorities",
    "extended_key_usage = ['server_auth']": "a TLS server is named by host_names = true",
    "host_names = 1": "host_names: Input should be a valid boolean",
}


def faults_of(text: str) -> list[str]:
    with pytest.raises(ProfileFaulty) as faulty:
        parse_profile(text.encode(), "test.toml")
    assert faulty.value.source == "test.toml"
    return faulty.value.faults


def changed(lines: str) -> str:
    members = {line.split(" ", maxsplit=1)[0] for line in lines.splitlines()}
    kept = [known for known in SOUND.splitlines() if known.split(" ")[0] not in members]
    return "\n".join([*kept, lines])


@pytest.mark.parametrize("name", [*CA_PROFILES, *LEAF_PROFILES])
def test_a_shipped_profile_loads_and_is_described(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert len(profile.description) > 20
    assert len(profile.sha256) == 64
    profile.check_subject(a_subject(profile))


def test_the_profiles_tested_are_those_that_are_shipped() -> None:
    assert profile_names() == tuple(sorted((*CA_PROFILES, *LEAF_PROFILES)))


def test_a_sound_profile_has_no_fault() -> None:
    assert parse_profile(SOUND.encode(), "sound.toml").key_usage == ("digital_signature",)


@pytest.mark.parametrize(("line", "fault"), FAULTS.items(), ids=FAULTS)
def test_a_fault_is_named(line: str, fault: str) -> None:
    assert any(fault in found for found in faults_of(changed(line)))


@pytest.mark.parametrize("lines", [
    "key_usage = ['key_encipherment', 'data_encipherment']\nkey_types = ['RSA-2048', 'RSA-4096']",
    "key_usage = ['key_agreement']\nkey_types = ['EC-P256', 'EC-P384']",
    "extended_key_usage = ['server_auth', 'client_auth']\nhost_names = true",
    "subject = ['CN', 'O', 'OU?']",
])  # fmt: skip
def test_what_fits_its_keys_and_names_is_no_fault(lines: str) -> None:
    assert parse_profile(changed(lines).encode(), "test.toml").name == "sound"


def test_every_fault_is_named_at_once() -> None:
    broken = """
name = "broken"
validity_days = 0
key_types = ["EC-P224"]
subject = ["L"]
key_usage = ["sign"]
policy_oids = ["one"]
certificate_authority = true
sha256 = ""
"""
    named = {fault.split(": ")[-2 if "line" in fault else 0] for fault in faults_of(broken)}
    assert named == {
        "description",
        "validity_days",
        "key_types.0",
        "subject.0",
        "key_usage.0",
        "key_usage",
        "policy_oids.0",
        "sha256",
    }


def test_a_fault_is_told_with_the_line_of_its_member() -> None:
    text = SOUND.replace("= 30", "= 0").replace("digital_signature", "sign") + "\nsurprise = 1"
    text += "\npolicy_oids = ['1.2.3', '1.2.3']"
    assert [fault.split(": ")[:2] for fault in faults_of(text)] == [
        ["line 10", "policy_oids"],
        ["line 4", "validity_days"],
        ["line 7", "key_usage.0"],
        ["line 9", "surprise"],
    ]


def test_broken_syntax_is_told_with_its_line() -> None:
    (fault,) = faults_of("name = 'sound'\nkey_types = what\n")
    assert "line 2" in fault


@pytest.mark.parametrize("octets", [b"\xff", b"name =", b"", b"name = 2026-03-01"])
def test_what_is_no_profile_is_faulty(octets: bytes) -> None:
    with pytest.raises(ProfileFaulty, match=r"test\.toml: "):
        parse_profile(octets, "test.toml")


@given(st.binary(max_size=80))
def test_any_octets_are_faulty_and_never_a_traceback(octets: bytes) -> None:
    with pytest.raises(ProfileFaulty):
        parse_profile(octets, "test.toml")


@pytest.mark.parametrize("name", ["none", "../staff", "staff.toml", "Staff", "", "/etc/passwd"])
def test_a_profile_that_is_not_there_is_not_found(name: str) -> None:
    with pytest.raises(NotFound, match="there is no profile"):
        load_profile(name)


def test_a_profile_under_another_name_than_its_file_is_faulty(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_bytes((SHIPPED / "staff.toml").read_bytes())
    with pytest.raises(ProfileFaulty, match="name: it is staff"):
        load_profile("other", tmp_path)


def test_two_files_that_differ_in_one_octet_have_other_hashes() -> None:
    one, other = (parse_profile(text.encode(), "x") for text in (SOUND, SOUND + " "))
    assert one.sha256 != other.sha256


@pytest.mark.parametrize(
    "attributes",
    [["C", "CN"], ["C", "CN", "serialNumber"]],
)
def test_a_name_with_or_without_the_optional_attribute_is_the_profiles(
    attributes: list[str],
) -> None:
    profile = parse_profile(SOUND.encode(), "sound.toml")
    profile.check_subject(SubjectName.of((a, "DK") for a in attributes))


@pytest.mark.parametrize(
    "attributes",
    [["CN", "C"], ["C"], ["CN"], ["C", "CN", "CN"], ["C", "serialNumber", "CN"],
     ["C", "CN", "serialNumber", "serialNumber"], ["C", "O", "CN"], ["C", "CN", "O"]],
    ids=" ".join,
)  # fmt: skip
def test_another_choice_or_order_of_attributes_is_refused(attributes: list[str]) -> None:
    profile = parse_profile(SOUND.encode(), "sound.toml")
    with pytest.raises(Refused, match="in this order") as refused:
        profile.check_subject(SubjectName.of((a, "DK") for a in attributes))
    assert [f.rule for f in refused.value.findings] == ["profile.subject"]


def test_every_word_for_a_purpose_is_accepted_and_has_an_identifier() -> None:
    words = list(EXTENDED_KEY_USAGES)
    text = changed(f"extended_key_usage = {words}\nhost_names = true")
    profile = parse_profile(text.encode(), "x")
    assert profile.extended_key_usage == tuple(words)


def test_the_key_usage_says_what_the_profile_says_and_nothing_else() -> None:
    usage = load_profile("issuing").x509_key_usage()
    assert usage == x509.KeyUsage(*[False] * 5, *[True] * 2, *[False] * 2)
