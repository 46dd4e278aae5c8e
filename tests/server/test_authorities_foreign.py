"""Foreign authorities: their certificates for our keys, and ours for theirs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.errors import Conflict, MalformedRequest, Refused
from ca.foreign_certificates import read_certificates
from ca.hierarchy import CeremonyStep
from ca.issuers import CertificateKind, IssuerPolicy
from ca.profiles import load_profile, parse_profile
from server.authorities import (
    cross_certify,
    install_certificate,
    request_authority,
)
from server.clock import utc_now
from server.errors import IssuerOffline
from tests.support.authorities import SERVERS, Site
from tests.support.hierarchy import (
    ForeignRoot,
    a_request,
    openssl,
    openssl_says,
)
from tests.support.wsgi import ask

GOOD = ocsp.OCSPCertStatus.GOOD
EXTERNAL = {"parent": None, "policy": IssuerPolicy()}


@dataclass(frozen=True)
class Partner:
    """An authority that waits for a foreign root's certificate."""

    site: Site
    root: ForeignRoot
    request: Path

    def offered(self, *lines: str, **days: int) -> tuple[x509.Certificate, ...]:
        made = self.root.certify(self.request, self.site.folder / "it.pem", *lines, **days)
        return (
            *read_certificates(made.read_bytes()),
            *read_certificates(self.root.certificate.read_bytes()),
        )

    def install(self, offered: tuple[x509.Certificate, ...]) -> list[CeremonyStep]:
        own = CertificateKind.OWN
        return list(install_certificate(self.site.parts, "servers", offered, own, utc_now()))


@pytest.fixture
def partner(site: Site) -> Partner:
    site.create(**EXTERNAL)
    request = site.folder / "servers.csr"
    request.write_bytes(request_authority(site.parts, "servers", utc_now()))
    return Partner(site, ForeignRoot(site.folder / "foreign").make(), request)


def test_an_authority_under_a_foreign_root_is_requested_and_installed(partner: Partner) -> None:
    site = partner.site
    openssl("req", "-in", partner.request, "-noout", "-verify")
    assert ask(site.app, "/ca/servers.cer").status == 404
    assert ask(site.app, "/readyz").status == 200
    offered = partner.offered()
    steps = [step.done for step in partner.install(offered)]
    assert steps == ["own certificate installed", "CRL issued", "OCSP signer certified"]
    leaf = site.leaf(site.parts.issuing(None, SERVERS))
    path = site.file("path", site.certificate("servers"))
    told = openssl_says(site.file("leaf", leaf), partner.root.certificate, untrusted=path)
    assert told == "OK"
    assert site.ocsp_status(SERVERS, leaf) is ocsp.OCSPCertStatus.GOOD
    assert partner.install(offered) == []


def test_a_new_key_under_a_foreign_root_takes_over_when_its_certificate_is_installed(
    partner: Partner,
) -> None:
    partner.install(partner.offered())
    site = partner.site
    site.rekey("servers")
    assert site.parts.issuing(None, SERVERS).name == "servers"
    partner.request.write_bytes(request_authority(site.parts, "servers", utc_now()))
    done = [step.done for step in partner.install(partner.offered())]
    assert done[-1] == "gave way to servers-2"
    assert site.parts.issuing(None, SERVERS).name == "servers-2"


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (("basicConstraints=critical,CA:false",), "install.authority"),
        (("basicConstraints=",), "install.authority"),
        (("keyUsage=critical,keyCertSign",), "install.authority"),
        (("keyUsage=critical,cRLSign",), "install.authority"),
        (("subjectKeyIdentifier=none",), "install.key-identifier"),
        (("nameConstraints=critical,permitted;DNS:example.org",), "install.critical"),
    ],
)
def test_a_foreign_certificate_with_which_nothing_would_work_is_refused(
    partner: Partner, lines: tuple[str, ...], rule: str
) -> None:
    before = partner.site.parts.issuers.get("servers")
    with pytest.raises(Refused) as refused:
        partner.install(partner.offered(*lines))
    assert rule in {finding.rule for finding in refused.value.findings}
    assert partner.site.parts.issuers.get("servers") == before


Spoil = Callable[[Partner], tuple[x509.Certificate, ...]]


def _for_another_key(partner: Partner) -> tuple[x509.Certificate, ...]:
    other = partner.site.folder / "other.csr"
    a_request(other, "/C=DK/CN=x")
    return replace(partner, request=other).offered()


def _chain_of_another(partner: Partner) -> tuple[x509.Certificate, ...]:
    other = ForeignRoot(partner.site.folder / "other").make()
    return (partner.offered()[0], *read_certificates(other.certificate.read_bytes()))


def _root_that_may_not(partner: Partner) -> tuple[x509.Certificate, ...]:
    extensions = ("basicConstraints=critical,CA:true,pathlen:0", "keyUsage=critical,keyCertSign")
    narrow = ForeignRoot(partner.site.folder / "narrow").make(*extensions)
    return replace(partner, root=narrow).offered()


SPOILT: dict[str, tuple[Spoil, str]] = {
    "another key and name": (_for_another_key, "install.key"),
    "a chain that is another's": (_chain_of_another, "install.chain"),
    "a chain without end": (
        lambda partner: (*partner.offered(), *partner.offered()[1:] * 8),
        "install.chain",
    ),
    "no chain": (lambda partner: partner.offered()[:1], "install.chain"),
    "a root without room": (_root_that_may_not, "install.chain"),
    "one that ended": (lambda partner: partner.offered(days=0), "install.validity"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_foreign_certificate_that_is_not_for_us_or_leads_nowhere_is_refused(
    partner: Partner, name: str
) -> None:
    spoil, rule = SPOILT[name]
    with pytest.raises(Refused) as refused:
        partner.install(spoil(partner))
    assert rule in {finding.rule for finding in refused.value.findings}
    assert partner.site.parts.issuers.get("servers").certificate is None


def test_an_authority_of_our_own_root_takes_no_foreign_certificate(partner: Partner) -> None:
    offered = partner.offered()
    with pytest.raises(Conflict):
        list(
            install_certificate(
                partner.site.parts, "issuing", offered, CertificateKind.OWN, utc_now()
            )
        )


def test_a_certificate_made_for_us_beside_our_own_is_kept_and_served(site: Site) -> None:
    request = site.folder / "issuing.csr"
    request.write_bytes(request_authority(site.parts, "issuing", utc_now()))
    partner = Partner(site, ForeignRoot(site.folder / "foreign").make(), request)
    leaf, cross = site.leaf(), CertificateKind.CROSS
    offered = partner.offered()
    list(install_certificate(site.parts, "issuing", offered, cross, utc_now()))
    record = site.parts.issuers.get("issuing")
    assert record.certificate != offered[0]
    assert offered[0] in [each.certificate for each in record.certificates]
    path, file = site.file("cross", offered[0]), site.file("leaf", leaf)
    assert openssl_says(file, partner.root.certificate, untrusted=path) == "OK"
    with pytest.raises(IssuerOffline):
        request_authority(site.parts, "root", utc_now())


@pytest.mark.parametrize("kind", ["EC-P384", "RSA-3072"])
def test_a_request_is_signed_by_keys_of_every_kind(site: Site, kind: str) -> None:
    site.create(**EXTERNAL, key_kind=kind)
    request = site.folder / "servers.csr"
    request.write_bytes(request_authority(site.parts, "servers", utc_now()))
    partner = Partner(site, ForeignRoot(site.folder / "foreign").make(), request)
    partner.install(partner.offered())
    assert site.ocsp_status(SERVERS, site.leaf(site.parts.issuing(None, SERVERS))) is GOOD


CROSS = b"""name = "cross-example"
description = "Cross-certificate to example.org"
validity_days = 365
key_types = ["EC-P384"]
subject = ["C?", "O?", "CN?"]
key_usage = ["key_cert_sign", "crl_sign"]
certificate_authority = true
path_length = 0
policy_oids = ["1.3.6.1.4.1.99999.1"]
permitted_names = ["dns:example.org", "email:example.org"]
require_explicit_policy = 0
reuse_key = true
"""


def test_a_foreign_authority_is_certified_within_bounds(site: Site) -> None:
    foreign = ForeignRoot(site.folder / "foreign").make()
    profile = parse_profile(CROSS, "cross-example.toml")
    with site.online():
        made = cross_certify(
            site.parts, "root", foreign.certificate.read_bytes(), profile, utc_now()
        )
    constraints = made.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [
        x509.DNSName("example.org"),
        x509.RFC822Name("example.org"),
    ]
    policy = made.extensions.get_extension_for_class(x509.PolicyConstraints)
    assert policy.critical
    root = site.file("root", site.certificate("root"))
    assert openssl_says(site.file("cross", made), root) == "OK"
    crossed = site.file("cross", made)
    for host, verdict in (("www.example.org", "OK"), ("www.example.com", "permitted subtree")):
        request, leaf = site.folder / "leaf.csr", site.folder / "leaf.pem"
        a_request(request, "/CN=x")
        lines = (
            "basicConstraints=critical,CA:false",
            "keyUsage=critical,digitalSignature",
            f"subjectAltName=DNS:{host}",
            "certificatePolicies=1.3.6.1.4.1.99999.1",
        )
        foreign.certify(request, leaf, *lines)
        assert verdict in openssl_says(leaf, root, untrusted=crossed)


def test_a_foreign_authority_is_certified_by_its_request(site: Site) -> None:
    request = site.folder / "them.csr"
    a_request(request, "/C=SE/O=Foreign/CN=Foreign CA")
    profile, now = load_profile("cross"), utc_now()
    with site.online():
        made = cross_certify(site.parts, "root", request.read_bytes(), profile, now)
    root = site.file("root", site.certificate("root"))
    assert openssl_says(site.file("cross", made), root, crls=site.crls("root")) == "OK"
    assert made.subject.rfc4514_string() == "CN=Foreign CA,O=Foreign,C=SE"


@pytest.mark.parametrize("octets", [b"", b"-----BEGIN CERTIFICATE-----", b"0" * 200_000])
def test_what_is_neither_request_nor_certificate_is_malformed(site: Site, octets: bytes) -> None:
    with site.online(), pytest.raises(MalformedRequest):
        cross_certify(site.parts, "root", octets, load_profile("cross"), utc_now())
    with pytest.raises(MalformedRequest):
        read_certificates(octets)


def test_a_foreign_authority_is_not_certified_without_proof_or_bounds(site: Site) -> None:
    foreign = ForeignRoot(site.folder / "foreign").make()
    profile = load_profile("cross")
    with site.online():
        for octets, given, why in (
            (foreign.certificate.read_bytes(), load_profile("root"), "bounded path"),
            (_pem(site.certificate("issuing")), profile, "not signed by its own key"),
        ):
            with pytest.raises(Refused, match=why):
                cross_certify(site.parts, "root", octets, given, utc_now())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
