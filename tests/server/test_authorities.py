"""Authorities over time: more than one, new certificates, new keys."""

import itertools
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import ocsp

from ca.errors import Refused
from ca.identifiers import IssuerName
from ca.issuance import prepare
from ca.issuers import CertificateKind, IssuerPolicy, IssuerState
from ca.key_quality import key_type
from ca.names import SubjectName
from ca.profiles import load_profile
from revocation.reasons import Reason
from server.authorities import (
    create_authority,
    rekey_authority,
    renew_authority,
)
from server.clock import utc_now
from server.errors import IssuerOffline
from server.jobs import run_job
from server.metrics import Metrics
from server.own_certificates import ensure_ocsp_signer, ocsp_signer
from server.public import PublicApp
from tests.support.authorities import OPERATOR, SERVERS, Site
from tests.support.ca_builders import an_order
from tests.support.hierarchy import (
    certtool_says,
    openssl_says,
)
from tests.support.softhsm import SoftHsm
from tests.support.wsgi import ask


def test_a_further_authority_is_seen_at_once_and_takes_nothing_over(site: Site) -> None:
    assert ask(site.app, "/ca/servers.cer").status == 404
    done = [step.done for step in site.create()]
    assert done[-2:] == ["CRL issued", "OCSP signer certified"]
    assert ask(site.app, "/readyz").status == 200
    servers = site.parts.issuers.get(SERVERS)
    assert site.parts.issuing(load_profile("tls-server")).name == "issuing"
    leaf = site.leaf(site.parts.issuing(load_profile("tls-server"), SERVERS))
    assert leaf.issuer == servers.subject
    assert site.ocsp_status(SERVERS, leaf) is ocsp.OCSPCertStatus.GOOD
    path = site.file("chain", site.certificate("servers"))
    root = site.file("root", site.certificate("root"))
    crls = site.crls("root", "servers")
    assert openssl_says(site.file("leaf", leaf), root, untrusted=path, crls=crls) == "OK"
    assert site.parts.crl_policy(servers).validity == timedelta(hours=6)
    assert [step.done for step in site.create()] == ["certificate was there"]


def test_an_authority_has_a_token_and_a_kind_of_key_of_its_own(
    site: Site, softhsm: SoftHsm
) -> None:
    token = f"{site.parts.settings.hsm.issuing_token}-servers"
    softhsm.store.create_token(token)
    site.create(token=token, key_label="rsa", key_kind="RSA-3072", base_url="http://ca.example")
    leaf = site.leaf(site.parts.issuing(load_profile("tls-server"), SERVERS))
    assert site.parts.issuers.get(SERVERS).token == token
    assert "http://ca.example/crl/servers.crl" in _addresses(leaf)
    path = site.file("chain", site.certificate("servers"))
    root = site.file("root", site.certificate("root"))
    crls = site.crls("root", "servers")
    assert openssl_says(site.file("leaf", leaf), root, untrusted=path, crls=crls) == "OK"
    assert certtool_says(site.file("both", leaf, site.certificate("servers")), root, *crls)
    assert site.ocsp_status(SERVERS, leaf) is ocsp.OCSPCertStatus.GOOD
    assert run_job("check-tokens", site.parts, Metrics.of_process()) == 0


def test_an_authority_issues_only_what_its_policy_names(site: Site) -> None:
    site.create()
    device = load_profile("device")
    order, servers = an_order(device), site.parts.issuing(device, SERVERS)
    with pytest.raises(Refused, match="servers does not issue under profile device"):
        prepare(order, servers, utc_now())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"profile": "tls-server"}, "not one for a certificate authority"),
        ({"policy": IssuerPolicy(("nothing",))}, "there is no profile nothing"),
        ({"key_kind": "EC-P521"}, "takes keys of EC-P256"),
        ({"name": IssuerName("a" * 29)}, "no room for later keys"),
    ],
)
def test_an_authority_that_could_not_work_is_not_made(
    site: Site, changes: dict[str, object], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        site.create(**changes)
    assert [record.name for record in site.parts.issuers.all()] == ["root", "issuing"]


def test_under_a_root_that_is_offline_nothing_is_made(site: Site) -> None:
    with pytest.raises(IssuerOffline):
        list(create_authority(site.parts, site.asked(), utc_now()))
    with pytest.raises(IssuerOffline):
        list(rekey_authority(site.parts, "issuing", None, utc_now()))
    with pytest.raises(IssuerOffline):
        renew_authority(site.parts, "issuing", utc_now())
    assert [record.name for record in site.parts.issuers.all()] == ["root", "issuing"]


def test_several_roots_stand_side_by_side(site: Site) -> None:
    second = IssuerName("second")
    subject = SubjectName.of([("C", "SE"), ("O", "Tillid Test"), ("CN", "Second Root")])
    site.create(
        name=second,
        parent=second,
        profile="root",
        subject=subject,
        key_kind="EC-P384",
        token=site.parts.settings.hsm.root_token,
        key_label="second",
        policy=IssuerPolicy(),
    )
    site.create(parent=second, policy=IssuerPolicy())
    leaf = site.leaf(site.parts.issuing(None, SERVERS))
    path = site.file("servers", site.certificate("servers"))
    own, other = (site.file(name, site.certificate(name)) for name in ("second", "root"))
    crls = site.crls("second", "servers")
    assert openssl_says(site.file("leaf", leaf), own, untrusted=path, crls=crls) == "OK"
    assert openssl_says(site.file("leaf", leaf), other, untrusted=path, crls=crls) != "OK"


def test_a_renewal_keeps_key_crl_and_ocsp_and_is_refused_while_nothing_is_gained(
    site: Site,
) -> None:
    old, leaf = site.certificate("issuing"), site.leaf()
    with site.online(), pytest.raises(Refused, match="a new certificate would end on"):
        renew_authority(site.parts, "issuing", utc_now())
    later = utc_now() + timedelta(days=40)
    with site.online():
        renew_authority(site.parts, "issuing", later)
        renew_authority(site.parts, "root", later)
    new = site.certificate("issuing")
    assert new.public_key() == old.public_key()
    assert new.not_valid_after_utc - old.not_valid_after_utc >= timedelta(days=39)
    assert site.parts.issuers.get("issuing").certificate == new
    assert site.certificate("root").not_valid_before_utc == later.replace(microsecond=0)
    root = site.file("root", site.parts.issuers.get("root").certificates[0].certificate)
    crls = site.crls("root", "issuing")
    path = site.file("path", old)
    assert openssl_says(site.file("leaf", leaf), root, untrusted=path, crls=crls) == "OK"
    assert site.ocsp_status("issuing", leaf) is ocsp.OCSPCertStatus.GOOD
    served = pkcs7.load_der_pkcs7_certificates(
        ask(PublicApp(site.parts, site.app.metrics), "/ca/issuing.p7c").body
    )
    assert set(served) == {old, new}


def test_after_a_new_key_both_generations_are_verified_each_by_its_own_crl_and_ocsp(
    site: Site,
) -> None:
    before = site.leaf()
    site.rekey("issuing")
    after = site.leaf()
    old, new = site.certificate("issuing"), site.certificate("issuing-2")
    assert old.subject == new.subject
    assert old.public_key() != new.public_key()
    assert site.parts.issuers.get("issuing").state is IssuerState.SUPERSEDED
    root = site.file("root", site.certificate("root"))
    both = site.file("both", old, new)
    crls = site.crls("root", "issuing", "issuing-2")
    for name, leaf, issuer, other in (
        ("before", before, "issuing", "issuing-2"),
        ("after", after, "issuing-2", "issuing"),
    ):
        file = site.file(name, leaf)
        assert openssl_says(file, root, untrusted=both, crls=crls) == "OK"
        chain = site.file("chain", leaf, site.certificate(issuer))
        assert certtool_says(chain, root, *site.crls("root", issuer))
        assert f"/crl/{issuer}.crl" in _addresses(leaf)
        assert site.ocsp_status(issuer, leaf) is ocsp.OCSPCertStatus.GOOD
        assert site.ocsp_status(other, leaf) is ocsp.OCSPCertStatus.UNKNOWN


@pytest.mark.parametrize("kind", ["RSA-3072-PSS", "RSA-3072", "EC-P384"])
def test_a_new_key_is_of_the_kind_of_the_one_before(site: Site, kind: str) -> None:
    site.create(key_kind=kind)
    site.rekey("servers")
    assert [_kind_of(site, name) for name in ("servers", "servers-2")] == [kind, kind]
    leaf = site.leaf(site.parts.issuing(load_profile("tls-server"), SERVERS))
    root, above = (site.file(n, site.certificate(n)) for n in ("root", "servers-2"))
    crls = site.crls("root", "servers-2")
    assert openssl_says(site.file("leaf", leaf), root, untrusted=above, crls=crls) == "OK"
    uses_pss = leaf.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS
    assert uses_pss is kind.endswith("PSS")


def test_a_new_key_may_be_of_another_kind_that_the_profile_takes(site: Site) -> None:
    site.create(key_kind="RSA-3072-PSS")
    with pytest.raises(Refused, match="takes keys of"):
        site.rekey("servers", "EC-P521")
    site.rekey("servers", "RSA-3072")
    assert _kind_of(site, "servers-2") == "RSA-3072"


def _kind_of(site: Site, name: str) -> str:
    key = site.parts.issuer(name).key
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return key_type(key.public_key()) + "-PSS" * getattr(key, "pss", False)


def _addresses(certificate: x509.Certificate) -> str:
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    return str([str(name.value) for point in points for name in point.full_name or ()])


def test_what_the_old_key_issued_is_revoked_by_the_old_key(site: Site) -> None:
    leaf = site.leaf()
    site.rekey("issuing")
    (record,) = site.parts.certificates.find(issuer="issuing", profile="tls-server")
    why = Reason.SUPERSEDED
    site.parts.statuses.revoke(record.issuer, record.serial_number, why, OPERATOR, utc_now())
    assert run_job("renew-crls", site.parts, Metrics.of_process()) == 1
    assert site.ocsp_status("issuing", leaf) is ocsp.OCSPCertStatus.REVOKED
    root = site.file("root", site.certificate("root"))
    both = site.file("both", site.certificate("issuing"), site.certificate("issuing-2"))
    crls = site.crls("root", "issuing", "issuing-2")
    told = openssl_says(site.file("leaf", leaf), root, untrusted=both, crls=crls)
    assert "certificate revoked" in told


def test_an_issuer_that_gave_way_signs_ocsp_signers_and_nothing_else(site: Site) -> None:
    site.rekey("issuing")
    with pytest.raises(Refused, match="does not issue under profile tls-server"):
        site.leaf(site.parts.issuer("issuing"))
    later = utc_now() + timedelta(days=25)
    old = site.parts.issuers.get("issuing")
    assert ensure_ocsp_signer(site.parts, old, later)
    assert ocsp_signer(site.parts, old, later) is not None


def test_who_trusts_either_key_of_a_root_reaches_what_stands_under_the_other(site: Site) -> None:
    before = site.leaf()
    done = [(step.issuer, step.done) for step in site.rekey("root")]
    assert ("root-2", "new-with-old certificate issued") in done
    assert ("root", "old-with-new certificate issued") in done
    assert done[-1] == ("root", "gave way to root-2")
    site.rekey("issuing")
    after = site.leaf()
    own, links = CertificateKind.OWN, (CertificateKind.NEW_WITH_OLD, CertificateKind.OLD_WITH_NEW)
    old_root = site.file("old", site.certificate("root", own))
    new_root = site.file("new", site.certificate("root-2", own))
    new_with_old = site.certificate("root-2", links[0])
    old_with_new = site.certificate("root", links[1])
    crls = site.crls("root", "root-2", "issuing", "issuing-2")
    path = site.file("path-1", site.certificate("issuing-2"), new_with_old)
    assert openssl_says(site.file("after", after), old_root, untrusted=path, crls=crls) == "OK"
    path = site.file("path-2", site.certificate("issuing"), old_with_new)
    assert openssl_says(site.file("before", before), new_root, untrusted=path, crls=crls) == "OK"
    chain = (after, site.certificate("issuing-2"), new_with_old)
    assert certtool_says(site.file("chain", *chain), old_root)
    bundle = ask(site.app, "/ca/root-2.p7c").body
    assert new_with_old in pkcs7.load_der_pkcs7_certificates(bundle)


def test_the_same_key_is_certified_again_under_a_new_key_of_its_root(site: Site) -> None:
    leaf = site.leaf()
    site.rekey("root")
    with site.online():
        renew_authority(site.parts, "issuing", utc_now())
        with pytest.raises(Refused):
            renew_authority(site.parts, "issuing", utc_now())
    assert site.parts.issuers.get("issuing").own_signer == "root-2"
    new_root = site.file("root", site.certificate("root-2", CertificateKind.OWN))
    path = site.file("path", site.certificate("issuing"))
    crls = site.crls("root-2", "issuing")
    assert openssl_says(site.file("leaf", leaf), new_root, untrusted=path, crls=crls) == "OK"


@pytest.mark.parametrize("told", range(6))
def test_a_new_key_of_a_root_that_was_interrupted_is_finished(site: Site, told: int) -> None:
    with site.online():
        steps = rekey_authority(site.parts, "root", None, utc_now())
        list(itertools.islice(steps, told))
        steps.close()  # type: ignore[attr-defined]
    site.rekey("root")
    names = [record.name for record in site.parts.issuers.all()]
    assert names == ["root", "root-2", "issuing"]
    assert site.parts.issuers.get("root").state is IssuerState.SUPERSEDED
    kinds = [each.kind for each in site.parts.issuers.get("root-2").certificates]
    assert kinds == [CertificateKind.OWN, CertificateKind.NEW_WITH_OLD]
