"""QCStatements of a profile: encoded as EN 319 412-5 writes them, judged by others, and by us."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import etsi, loader
from pkilint.etsi.etsi_constants import CertificateType
from pkilint.pkix import certificate as pkix_certificate
from pkilint.validation import ValidationFindingSeverity

from ca import der
from ca.errors import ProfileFaulty, Refused
from ca.profile_words import differences, sentences
from ca.profiles import SHIPPED, Profile, load_profile, parse_profile, profile_names
from ca.qualified import QC_STATEMENTS, Qualified, broken, statements
from ca.rules import lint
from ca.standing_rules import judge
from tests.support.ca_builders import NOW, a_prepared, an_issuer, an_order
from tests.support.certificate_samples import signed

DISCLOSURE = '["en https://pki.example.com/pds.pdf", "da https://pki.example.com/pds-da.pdf"]'
FOR_SIGNATURES = f"""
[qualified]
compliance = true
type = "esign"
sscd = true
retention_years = 7
disclosure = {DISCLOSURE}
"""
FAULTS = {
    "[qualified]": "it states nothing",
    "[qualified]\ntype = 'paper'": "Input should be 'esign'",
    "[qualified]\nsurprise = 1": "Unexpected keyword",
    "[qualified]\ncompliance = 1": "valid boolean",
    f"[qualified]\ncompliance = true\ndisclosure = {DISCLOSURE}": "has a type",
    "[qualified]\ncompliance = true\ntype = 'esign'": "a disclosure in English",
    "[qualified]\ndisclosure = ['da https://a.example']": "a disclosure in English",
    "[qualified]\ndisclosure = ['en http://a.example']": "String should match",
    "[qualified]\ncountries = ['dk']": "String should match",
    "[qualified]\ncountries = ['CH']": "countries are of a qualified certificate",
    "[qualified]\nsscd = true": "only a qualified certificate",
    f"[qualified]\ncompliance = true\ntype = 'web'\ndisclosure = {DISCLOSURE}": "of a TLS server",
    "[qualified]\nretention_years = -1": "greater than or equal to 0",
    "qualified = 1": "qualified",
}


def profile_with(table: str, name: str = "natural-person-high") -> Profile:
    text = (SHIPPED / f"{name}.toml").read_text() + table
    return parse_profile(text.encode(), f"{name}.toml")


def certificate_with(table: str, name: str = "natural-person-high") -> x509.Certificate:
    order = replace(an_order(name), profile=profile_with(table, name))
    return signed(order, an_issuer(), NOW)


def with_statements(value: bytes, *, critical: bool = False) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1 << 70, NOW, NOW)
    extension = x509.UnrecognizedExtension(QC_STATEMENTS, value)
    return builder.add_extension(extension, critical).sign(key, hashes.SHA256())


def test_the_statements_are_encoded_as_the_standard_writes_them() -> None:
    places = ("en https://a.example",)
    table = Qualified(
        compliance=True, type="esign", sscd=True, retention_years=7, disclosure=places,
        countries=("CH",), semantics="natural",
    )  # fmt: skip
    assert table.extension().value == der.sequence(
        bytes.fromhex("301506082b06010505070b02300906070400") + bytes.fromhex("8bec490101"),
        bytes.fromhex("3008060604008e460101"),
        bytes.fromhex("300e060604008e46010730041302") + b"CH",
        bytes.fromhex("3013060604008e4601063009060704008e46010601"),
        bytes.fromhex("300b060604008e460103020107"),
        bytes.fromhex("3008060604008e460104"),
        bytes.fromhex("3023060604008e460105301930171611") + b"https://a.example\x13\x02en",
    )


def etsi_findings(judged: x509.Certificate, kind: CertificateType) -> set[str]:
    judge = pkix_certificate.create_pkix_certificate_validator_container(
        etsi.create_decoding_validators(kind), etsi.create_validators(kind)
    )
    document = loader.load_certificate(judged.public_bytes(Encoding.DER), "certificate")
    return {
        described.finding.code
        for result in judge.validate(document.root)
        for described in result.finding_descriptions
        if described.finding.severity <= ValidationFindingSeverity.NOTICE
    }


def test_the_linter_of_the_standard_reads_them_and_finds_nothing() -> None:
    def said(table: str) -> set[str]:
        found = etsi_findings(
            certificate_with(table), CertificateType.QCP_N_QSCD_EIDAS_FINAL_CERTIFICATE
        )
        return {code for code in found if "qc_" in code or "412_5" in code}

    assert said(FOR_SIGNATURES) == set()
    assert said("") == {"etsi.en_319_412_2.qc_statements_extension_absent"}
    seal = FOR_SIGNATURES.replace("esign", "eseal")
    assert said(seal) == {"etsi.en_319_412_5.gen-4.2.3.qc_type_mismatch"}


def test_they_are_not_critical_and_the_gate_lets_exactly_the_profiles_pass() -> None:
    made = certificate_with(FOR_SIGNATURES)
    found = made.extensions.get_extension_for_oid(QC_STATEMENTS)
    assert not found.critical
    assert broken(made) is None
    profile = profile_with(FOR_SIGNATURES)
    content = replace(a_prepared("natural-person-high").content, profile=profile)
    lint(content.throw_away_copy(), content)
    less = replace(content, profile=profile_with(FOR_SIGNATURES.replace("= 7", "= 8")))
    with pytest.raises(Refused, match="not exactly those of the profile"):
        lint(less.throw_away_copy(), content)


def test_a_certificate_is_told_from_one_with_other_statements() -> None:
    made = certificate_with(FOR_SIGNATURES)
    assert "profile.qualified" not in {f.rule for f in judge(made, profile_with(FOR_SIGNATURES))}
    assert "profile.qualified" in {f.rule for f in judge(made, load_profile("natural-person-high"))}


def test_a_web_site_may_be_qualified_and_a_seal() -> None:
    seal = FOR_SIGNATURES.replace("esign", "eseal")
    web = FOR_SIGNATURES.replace("esign", "web").replace("sscd = true\n", "")
    assert broken(certificate_with(seal, "legal-person-seal")) is None
    assert statements(certificate_with(web, "tls-server")) is not None


@pytest.mark.parametrize(("table", "fault"), FAULTS.items(), ids=FAULTS)
def test_a_fault_of_the_table_is_named(table: str, fault: str) -> None:
    with pytest.raises(ProfileFaulty) as faulty:
        profile_with("\n" + table)
    assert any(fault in found for found in faulty.value.faults)
    assert any(found.startswith("line ") for found in faulty.value.faults)


@pytest.mark.parametrize("name", ["tls-client", "issuing"])
def test_only_persons_and_web_sites_are_qualified(name: str) -> None:
    with pytest.raises(ProfileFaulty, match="speaks of a person"):
        profile_with(FOR_SIGNATURES, name)


def test_no_shipped_profile_claims_anything() -> None:
    assert [n for n in profile_names() if load_profile(n).qualified is not None] == []


def test_the_claims_are_told_in_words_and_as_a_difference() -> None:
    before, after = profile_with(""), profile_with(FOR_SIGNATURES)
    assert sentences(before)["claims"].startswith("It claims nothing")
    (told,) = differences(before, after)
    assert "a qualified certificate for signatures under EU law" in told
    assert "kept 7 years longer" in told


OTHERS: dict[str, tuple[bytes, str]] = {
    "no SEQUENCE": (b"\x05\0", "cannot be read"),
    "empty": (der.sequence(), "cannot be read"),
    "cut off": (b"\x30\x05\x30", "cannot be read"),
    "two types": (
        der.sequence(
            der.sequence(
                der.oid("0.4.0.1862.1.6"),
                der.sequence(der.oid("0.4.0.1862.1.6.1"), der.oid("0.4.0.1862.1.6.2")),
            )
        ),
        "other than one type",
    ),
    "twice": (der.sequence(*[der.sequence(der.oid("0.4.0.1862.1.4"))] * 2), "cannot be read"),
    "no type": (der.sequence(der.sequence(der.oid("0.4.0.1862.1.1"))), "not for what"),
    "a device alone": (
        der.sequence(der.sequence(der.oid("0.4.0.1862.1.4"))),
        "not to be qualified",
    ),
    "compliance with a value": (
        der.sequence(der.sequence(der.oid("0.4.0.1862.1.1"), der.integer(1))),
        "cannot be read",
    ),
    "a place without https": (
        der.sequence(
            der.sequence(
                der.oid("0.4.0.1862.1.5"),
                der.sequence(
                    der.sequence(der.element(0x16, b"http://a"), der.element(0x13, b"en"))
                ),
            )
        ),
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("value", "sentence"), OTHERS.values(), ids=OTHERS)
def test_statements_of_others_are_judged(value: bytes, sentence: str) -> None:
    said = broken(with_statements(value))
    assert said is not None
    assert sentence in said


def test_critical_statements_are_found_and_unknown_ones_pass() -> None:
    other = der.sequence(der.sequence(der.oid("1.3.6.1.4.1.32473.9"), der.integer(1)))
    assert broken(with_statements(other)) is None
    assert "critical" in str(broken(with_statements(other, critical=True)))
    assert "certificate.qualified" in {f.rule for f in judge(with_statements(b"\x05\0"))}


def changed(octets: bytes) -> Iterator[bytes]:
    for at in range(len(octets)):
        yield octets[:at] + bytes((octets[at] ^ 0x41,)) + octets[at + 1 :]
        yield octets[:at]


def test_no_octets_raise_anything() -> None:
    value = profile_with(FOR_SIGNATURES).qualified
    assert value is not None
    said = [broken(with_statements(octets)) for octets in changed(value.extension().value)]
    assert said
    assert all(each is None or each.isascii() for each in said)
