"""The gate: each rule has a certificate that passes and one that it refuses."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import CertificateContent, Issuer
from ca.errors import Refused
from ca.identifiers import SerialNumber
from ca.names import SubjectName
from ca.profiles import load_profile
from ca.qualified import Qualified
from ca.rules import RULES, Encoded, Rule, lint
from tests.support.ca_builders import (
    CA_PROFILES,
    LEAF_PROFILES,
    NOW,
    a_content,
    a_key,
    a_prepared,
    a_root,
    an_issuer,
    an_rsa_key,
)

SECOND = timedelta(seconds=1)
OTHER_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Somebody else")])


@dataclass(frozen=True)
class Refusal:
    """A certificate beside what it should have been, and the sentence that says what is wrong."""

    rule: str
    sentence: str
    content: Callable[[], CertificateContent] = a_content
    copy: Callable[[CertificateContent], x509.Certificate] = field(
        default=CertificateContent.throw_away_copy
    )


def encoded_as(
    **changes: object,
) -> Callable[[CertificateContent], x509.Certificate]:
    """The encoding of other content than the gate is told of."""
    return lambda content: replace(content, **changes).throw_away_copy()  # type: ignore[arg-type]


def of_version_one(content: CertificateContent) -> x509.Certificate:
    """The same certificate without its version and extensions."""
    whole = asn1_x509.Certificate.load(content.throw_away_copy().public_bytes(Encoding.DER))
    whole["tbs_certificate"]["version"] = "v1"
    del whole["tbs_certificate"]["extensions"]
    return x509.load_der_x509_certificate(whole.dump(force=True))


def with_added_extension(content: CertificateContent) -> x509.Certificate:
    extra = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.9"), b"\x05\0")
    return with_extensions(content, [*content.expected_extensions(), (extra, False)])


def with_extensions(
    content: CertificateContent, extensions: list[tuple[x509.ExtensionType, bool]]
) -> x509.Certificate:
    builder = x509.CertificateBuilder(
        content.issuer.subject,
        content.subject.to_x509(),
        content.public_key,
        int(content.serial_number),
        content.not_before,
        content.not_after,
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(content.issuer.key, hashes.SHA256())


def instead(value: x509.ExtensionType) -> Callable[[CertificateContent], x509.Certificate]:
    """The encoding with another value of that extension."""

    def encode(content: CertificateContent) -> x509.Certificate:
        expected = content.expected_extensions()
        assert sum(type(each) is type(value) for each, _ in expected) == 1
        changed = [(value if type(e) is type(value) else e, critical) for e, critical in expected]
        return with_extensions(content, changed)

    return encode


def without(
    kind: type[x509.ExtensionType],
) -> Callable[[CertificateContent], x509.Certificate]:
    return lambda content: with_extensions(
        content, [each for each in content.expected_extensions() if not isinstance(each[0], kind)]
    )


def a_usage(*words: str) -> x509.KeyUsage:
    return replace(load_profile("staff"), key_usage=words).x509_key_usage()  # type: ignore[arg-type]


def access(ocsp: str, issuer: str) -> x509.AuthorityInformationAccess:
    return x509.AuthorityInformationAccess([
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in (
            (x509.AuthorityInformationAccessOID.OCSP, ocsp),
            (x509.AuthorityInformationAccessOID.CA_ISSUERS, issuer),
        )
    ])  # fmt: skip


def crl_at(url: str, issuer: str | None = None) -> x509.CRLDistributionPoints:
    named = None if issuer is None else [x509.UniformResourceIdentifier(issuer)]
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, named)
    return x509.CRLDistributionPoints([point])


def policies(*oids: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids]
    )


def of_shards(in_force: frozenset[int], shard: int) -> CertificateContent:
    """What an issuer signs that spreads its certificates over two CRLs."""
    issuer = replace(an_issuer(), shards=2, in_force=in_force)
    serial_number = SerialNumber(a_content().serial_number | 1)  # of the second shard
    return a_content(issuer=issuer, serial_number=serial_number, shard=shard)


OTHER_KEY = a_key().public_key()
URLS = an_issuer().urls
STAFF_POLICY = load_profile("staff").policy_oids[0]
CLIENT, SERVER = x509.ExtendedKeyUsageOID.CLIENT_AUTH, x509.ExtendedKeyUsageOID.SERVER_AUTH


def with_unreadable_extension(content: CertificateContent) -> x509.Certificate:
    wrong = x509.UnrecognizedExtension(x509.ExtensionOID.BASIC_CONSTRAINTS, b"\x04\0")
    return with_extensions(content, [(wrong, True), *content.expected_extensions()[1:]])


def without_certificate(key: ec.EllipticCurvePrivateKey | None = None) -> Issuer:
    """A root that has no certificate yet, and perhaps another key than it is asked to certify."""
    root = a_root()
    return replace(root, certificate=None, key=key or root.key)


def a_root_content(**changes: object) -> CertificateContent:
    """What stands in a root's own certificate, changed."""
    content = a_prepared("root", a_root(), "EC-P384").content
    own = {"issuer": without_certificate(), "public_key": a_root().key.public_key()}
    named = SubjectName.from_x509(a_root().subject)
    return replace(content, subject=named, **(own | changes))  # type: ignore[arg-type]


def a_profile(**changes: object) -> CertificateContent:
    content = a_content()
    return replace(content, profile=replace(content.profile, **changes))  # type: ignore[arg-type]


REFUSALS = (
    Refusal("certificate.version", "the version is not 3", copy=of_version_one),
    Refusal("certificate.serial", "not the one that was reserved",
            copy=encoded_as(serial_number=SerialNumber.random())),
    Refusal("certificate.serial", "fewer than 96 bits",
            lambda: a_content(serial_number=SerialNumber(2**95 - 1))),
    Refusal("certificate.issuer", "not the issuing CA's own name",
            copy=lambda c: encoded_as(issuer=replace(c.issuer, subject=OTHER_NAME))(c)),
    Refusal("certificate.issuer", "can certify only itself",
            lambda: a_content(issuer=without_certificate())),
    Refusal("certificate.path", "no certificate authority",
            lambda: a_content(issuer=replace(an_issuer(), certificate=a_prepared().copy))),
    Refusal("certificate.path", "leaves no room",
            lambda: a_prepared("issuing", kind="EC-P256").content),
    Refusal("certificate.path", "cannot be read back",
            copy=lambda c: with_extensions(c, c.expected_extensions()[1:])),
    Refusal("certificate.subject", "reads back as another name",
            copy=encoded_as(subject=SubjectName.of(
                [("C", "DK"), ("O", "Tillid A/S"), ("CN", "A"), ("pseudonym", "B")]))),
    Refusal("certificate.subject", "must hold C, O, CN, pseudonym in this order",
            lambda: a_content(subject=SubjectName.of([("CN", "Karen")]))),
    Refusal("certificate.names", "needs at least one host name",
            lambda: replace(a_prepared("tls-server").content, host_names=())),
    Refusal("certificate.names", "takes no host names",
            lambda: a_content(host_names=("ca.tillid.example",))),
    Refusal("certificate.names", "needs at least one e-mail address",
            lambda: replace(a_prepared("smime").content, email_addresses=())),
    Refusal("certificate.names", "takes no e-mail addresses",
            lambda: a_content(email_addresses=("karen@tillid.example",))),
    Refusal("certificate.names", "neither a host name",
            lambda: replace(a_prepared("tls-server").content, host_names=("*.example",))),
    Refusal("certificate.names", "not of the form local-part@host",
            lambda: replace(a_prepared("smime").content, email_addresses=("karen",))),
    Refusal("certificate.validity", "longer than its profile allows",
            lambda: a_content(not_after=NOW + timedelta(days=365))),
    Refusal("certificate.validity", "not the one that was decided",
            copy=encoded_as(not_before=NOW - timedelta(days=900))),
    Refusal("certificate.outlives", "begins before its issuer's does",
            lambda: a_content(not_before=NOW - SECOND, not_after=NOW)),
    Refusal("certificate.outlives", "would outlive its issuer, which ends 2036-02-27",
            lambda: a_content(not_before=NOW + timedelta(days=3649),
                              not_after=NOW + timedelta(days=3651))),
    Refusal("certificate.key", "not the one that was asked for",
            copy=encoded_as(public_key=a_key().public_key())),
    Refusal("certificate.key", "a key of type EC-P384 is not allowed",
            lambda: a_content(public_key=a_key("EC-P384").public_key())),
    Refusal("certificate.key", "the RSA exponent is not 65537",
            lambda: a_content(public_key=an_rsa_key(2048, 3).public_key())),
    Refusal("certificate.qualified", "not for what (QcType)",
            lambda: a_content(profile=replace(
                load_profile("staff"), qualified=Qualified(compliance=True)))),
    Refusal("certificate.own-key", "the issuing CA's own",
            lambda: a_content(public_key=an_issuer().key.public_key())),
    Refusal("certificate.own-key", "holds another key than the CA's own",
            lambda: a_root_content(public_key=a_key("EC-P384").public_key())),
    Refusal("certificate.authority-key", "not the issuer's subject key identifier",
            copy=instead(x509.AuthorityKeyIdentifier.from_issuer_public_key(OTHER_KEY))),
    Refusal("certificate.authority-key", "not the issuer's subject key identifier",
            copy=without(x509.AuthorityKeyIdentifier)),
    Refusal("certificate.subject-key", "not that of the public key",
            copy=instead(x509.SubjectKeyIdentifier.from_public_key(OTHER_KEY))),
    Refusal("certificate.subject-key", "not that of the public key",
            copy=without(x509.SubjectKeyIdentifier)),
    Refusal("certificate.key-usage", "not the profile's",
            copy=instead(a_usage("digital_signature"))),
    Refusal("certificate.key-usage", "not the profile's",
            copy=instead(a_usage("digital_signature", "content_commitment", "key_cert_sign"))),
    Refusal("certificate.key-usage", "encipher that is no RSA key",
            lambda: a_profile(key_usage=("digital_signature", "key_encipherment"))),
    Refusal("certificate.key-usage", "a holder sign CRLs",
            lambda: a_profile(key_usage=("digital_signature", "crl_sign"))),
    Refusal("certificate.policies", "not the profile's", copy=instead(policies("1.2.3"))),
    Refusal("certificate.policies", "not the profile's", copy=without(x509.CertificatePolicies)),
    Refusal("certificate.policies", "not the profile's",
            copy=instead(policies(STAFF_POLICY, "2.5.29.32.0"))),
    Refusal("certificate.policies", "stands twice",
            lambda: a_profile(policy_oids=(STAFF_POLICY, STAFF_POLICY))),
    Refusal("certificate.purposes", "not the profile's",
            copy=instead(x509.ExtendedKeyUsage([CLIENT, SERVER]))),
    Refusal("certificate.purposes", "not the profile's", copy=without(x509.ExtendedKeyUsage)),
    Refusal("certificate.purposes", "named by no host name",
            lambda: a_profile(extended_key_usage=("server_auth",))),
    Refusal("certificate.purposes", "a purpose stands twice",
            lambda: a_profile(extended_key_usage=("client_auth", "client_auth"))),
    Refusal("certificate.crl", "not where the issuer's CRL is served",
            copy=instead(crl_at("http://127.0.0.1:8080/crl/root.crl"))),
    Refusal("certificate.crl", "not where the issuer's CRL is served",
            copy=instead(crl_at(URLS.crl, URLS.crl))),
    Refusal("certificate.crl", "not where the issuer's CRL is served",
            copy=without(x509.CRLDistributionPoints)),
    Refusal("certificate.crl", "not where the issuer's CRL is served",
            lambda: of_shards(frozenset({1, 2}), shard=1)),
    Refusal("certificate.crl", "shard 2 of the CRL of issuing is not served yet",
            lambda: of_shards(frozenset({1}), shard=2)),
    Refusal("certificate.access", "not where issuer and OCSP are served",
            copy=instead(access(URLS.ocsp, URLS.crl))),
    Refusal("certificate.access", "not where issuer and OCSP are served",
            copy=instead(access("http://127.0.0.1:8080/ocsp/root", URLS.certificate))),
    Refusal("certificate.access", "not where issuer and OCSP are served",
            copy=without(x509.AuthorityInformationAccess)),
    Refusal("certificate.extensions", "not exactly those of the profile",
            copy=with_added_extension),
    Refusal("certificate.extensions", "not exactly those of the profile",
            copy=lambda c: with_extensions(c, c.expected_extensions()[:-1])),
    Refusal("certificate.extensions", "not exactly those of the profile",
            copy=lambda c: with_extensions(c, [(e, False) for e, _ in c.expected_extensions()])),
    Refusal("certificate.extensions", "cannot be read back", copy=with_unreadable_extension),
)  # fmt: skip


OF_ONE_EXTENSION = {
    f"certificate.{topic}"
    for topic in (
        "authority-key", "subject-key", "key-usage", "policies", "purposes", "crl", "access"
    )
}  # fmt: skip


@pytest.mark.parametrize("profile", LEAF_PROFILES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_certificate_as_its_profile_says_passes(rule: object, profile: str) -> None:
    prepared = a_prepared(profile)
    assert rule.broken(Encoded.of(prepared.copy), prepared.content) is None  # type: ignore[attr-defined]


def test_a_root_and_an_issuing_authority_pass() -> None:
    for content in (a_root_content(), a_prepared("issuing", a_root()).content):
        lint(content.throw_away_copy(), content)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.sentence)
def test_a_rule_refuses_what_it_is_about(refusal: Refusal) -> None:
    content = refusal.content()
    with pytest.raises(Refused) as refused:
        lint(refusal.copy(content), content)
    found = {f.rule: f for f in refused.value.findings}
    assert refusal.sentence in found[refusal.rule].sentence
    assert content.profile.name in found[refusal.rule].way_out


@pytest.mark.parametrize(
    "refusal",
    [refusal for refusal in REFUSALS if refusal.rule in OF_ONE_EXTENSION],
    ids=lambda refusal: f"{refusal.rule} {refusal.sentence}",
)
def test_one_wrong_extension_is_found_by_its_own_rule_and_no_other(refusal: Refusal) -> None:
    content = refusal.content()
    encoded = Encoded.of(refusal.copy(content))
    broken = [rule.id for rule in RULES if is_broken(rule, encoded, content)]
    assert set(broken) - {"certificate.extensions"} == {refusal.rule}


def is_broken(rule: Rule, encoded: Encoded, content: CertificateContent) -> bool:
    try:
        return rule.broken(encoded, content) is not None
    except Refused:
        return True


def test_the_identifier_of_an_issuer_without_one_is_that_of_its_key() -> None:
    old = with_extensions(a_content(), [(x509.BasicConstraints(ca=True, path_length=None), True)])
    content = a_content(issuer=replace(an_issuer(), certificate=old))
    rule = next(rule for rule in RULES if rule.id == "certificate.authority-key")
    assert not is_broken(rule, Encoded.of(content.throw_away_copy()), content)


def test_the_gate_takes_less_than_a_millisecond() -> None:
    took = []
    for _ in range(50):
        content = a_content()
        copy = content.throw_away_copy()
        began = time.thread_time()
        lint(copy, content)
        took.append(time.thread_time() - began)
    assert min(took) < 0.001


def test_every_rule_has_a_refusing_example_and_a_clause() -> None:
    assert {refusal.rule for refusal in REFUSALS} == {rule.id for rule in RULES}
    assert all(rule.clause for rule in RULES)
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_every_broken_rule_is_named_at_once() -> None:
    content = a_content(
        subject=SubjectName.of([("CN", "Karen")]),
        host_names=("ca.tillid.example",),
        not_after=NOW + timedelta(days=4000),
        public_key=a_key("EC-P384").public_key(),
    )
    with pytest.raises(Refused) as refused:
        lint(content.throw_away_copy(), content)
    assert [f.rule for f in refused.value.findings] == [
        "certificate.subject",
        "certificate.names",
        "certificate.validity",
        "certificate.outlives",
        "certificate.key",
    ]


def test_a_profile_that_changed_after_the_encoding_is_noticed() -> None:
    copy, content = a_prepared().copy, a_profile(policy_oids=("1.3.6.1.4.1.32473.1",))
    with pytest.raises(Refused, match=r"certificate\.extensions"):
        lint(copy, content)


def test_the_profiles_of_authorities_are_the_shipped_ones() -> None:
    shipped = {*CA_PROFILES, *LEAF_PROFILES}
    assert {n for n in shipped if load_profile(n).certificate_authority} == set(CA_PROFILES)
