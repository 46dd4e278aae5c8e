"""Entries of certificate authorities: cross certificates, and entries of another's making."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ca import der
from ca.identifiers import IssuerName
from ca.issuers import CertificateKind, IssuerCertificate, IssuerRecord
from demo.slapd import PrivateSlapd
from publish_ldap.authority import (
    AuthorityCrls,
    authority_entry,
    authority_values,
    check_template,
    crossed_by,
    digest_of,
    merged,
    shard_values,
)
from publish_ldap.authority_entries import put_authority, shows_authority
from publish_ldap.directory import Directory
from publish_ldap.settings import AuthorityTemplate
from tests.support.directory_certificates import NOW, Published, an_issuer
from tests.support.slapd import ldapadd, ldapsearch

TEMPLATE = AuthorityTemplate()


def an_authority(common_name: str, *kinds: CertificateKind) -> IssuerRecord:
    certificates = tuple(
        IssuerCertificate(kind, x509.load_der_x509_certificate(Published().der), None)
        for kind in kinds
    )
    return IssuerRecord(
        IssuerName("issuing"),
        IssuerName("root"),
        "token",
        "key",
        an_issuer(common_name),
        "http://localhost",
        certificates[0].certificate,
        certificates=certificates,
    )


def test_cross_certificates_stand_as_pairs_and_the_others_by_themselves(
    slapd: PrivateSlapd, directory: Directory
) -> None:
    record = an_authority("Crossed CA", CertificateKind.OWN, CertificateKind.CROSS)
    values = authority_values(record, AuthorityCrls(), TEMPLATE)
    put_authority(directory, values)
    assert shows_authority(directory, values)
    (found,) = ldapsearch(slapd, "(cn=Crossed CA)")
    (pair,) = found["crossCertificatePair;binary"]
    own, crossed = (_der(each.certificate) for each in record.certificates)
    assert found["cACertificate;binary"] == [own]
    ((tag, content),) = der.elements(der.children(pair)[0])
    assert (tag, content) == (0xA0, crossed)


def test_who_signed_a_cross_certificate_of_ours_shows_it_as_issued_by_itself(
    slapd: PrivateSlapd, directory: Directory
) -> None:
    signer = an_authority("Signing CA", CertificateKind.OWN)
    crossed = an_authority("Other CA", CertificateKind.OWN, CertificateKind.CROSS)
    by_signer = replace(crossed.certificates[1], signer=signer.name)
    of_another = replace(crossed.certificates[1], signer=None)
    other = replace(crossed, certificates=(crossed.certificates[0], by_signer, of_another))
    given = crossed_by(signer, [signer, other])
    assert given == (by_signer.certificate,)
    put_authority(directory, authority_values(signer, AuthorityCrls(), TEMPLATE, given))
    (found,) = ldapsearch(slapd, "(cn=Signing CA)")
    (pair,) = found["crossCertificatePair;binary"]
    ((tag, content),) = der.elements(der.children(pair)[0])
    assert (tag, content) == (0xA1, _der(by_signer.certificate))


def test_each_shard_of_a_crl_has_an_entry_below_that_of_its_issuer(
    slapd: PrivateSlapd, directory: Directory
) -> None:
    record, crls = an_authority("Sharded CA", CertificateKind.OWN), [a_crl(1), a_crl(2)]
    put_authority(directory, authority_values(record, AuthorityCrls(), TEMPLATE))
    for shard, crl in enumerate(crls, 1):
        put_authority(directory, shard_values(record, shard, a_crl(9), TEMPLATE))
        values = shard_values(record, shard, crl, TEMPLATE)
        assert not shows_authority(directory, values)
        put_authority(directory, values)
        assert shows_authority(directory, values)
        (found,) = ldapsearch(slapd, f"(cn=issuing shard {shard})", scope="sub")
        assert found["objectClass"] == [b"cRLDistributionPoint"]
        assert found["certificateRevocationList;binary"] == [crl]
    root = replace(record, parent=record.name)
    assert "authorityRevocationList;binary" in shard_values(root, 1, crls[0], TEMPLATE).values


def test_an_entry_of_another_gets_the_class_and_keeps_what_it_had(
    slapd: PrivateSlapd, directory: Directory
) -> None:
    record = an_authority("Their CA", CertificateKind.OWN)
    theirs = Published().der
    ldapadd(
        slapd,
        f"dn: cn=Their CA,{slapd.suffix}\nobjectClass: organizationalRole\ncn: Their CA\n"
        "description: kept\n",
    )
    values = authority_values(record, AuthorityCrls(), TEMPLATE)
    assert not shows_authority(directory, values)
    put_authority(directory, replace(values, values={"cACertificate;binary": (theirs,)}))
    put_authority(directory, values)
    assert shows_authority(directory, values)
    (found,) = ldapsearch(slapd, "(cn=Their CA)")
    assert found["description"] == [b"kept"]
    assert set(found["cACertificate;binary"]) == {theirs, _der(record.certificates[0].certificate)}


def test_generations_of_one_name_stand_in_one_entry_each_with_its_crl(
    slapd: PrivateSlapd, directory: Directory
) -> None:
    first = an_authority("Two Keys CA", CertificateKind.OWN)
    second = replace(an_authority("Two Keys CA", CertificateKind.OWN), name=IssuerName("issuing-2"))
    crls = [a_crl(1), a_crl(2)]
    values = merged(
        [
            authority_values(first, AuthorityCrls(crls[0]), TEMPLATE),
            authority_values(second, AuthorityCrls(crls[1], crls[0]), TEMPLATE),
        ]
    )
    put_authority(directory, values)
    put_authority(directory, values)
    assert shows_authority(directory, values)
    (found,) = ldapsearch(slapd, "(cn=Two Keys CA)")
    assert set(found["certificateRevocationList;binary"]) == set(crls)
    assert found["deltaRevocationList;binary"] == [crls[0]]
    assert len(found["cACertificate;binary"]) == 2
    apart = AuthorityTemplate("cn={CN}+serialNumber={serialNumber}")
    assert len({authority_entry(one, apart).name for one in (first, second)}) == 2


def a_crl(number: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateRevocationListBuilder(an_issuer(), NOW, NOW + timedelta(days=1))
    numbered = builder.add_extension(x509.CRLNumber(number), critical=False)
    return numbered.sign(key, SHA256()).public_bytes(Encoding.DER)


def test_another_crl_base_or_certificate_is_another_entry() -> None:
    record = an_authority("CA", CertificateKind.OWN)
    more = an_authority("CA", CertificateKind.OWN, CertificateKind.NEW_WITH_OLD)
    digests = {
        digest_of(record, [b"1"], TEMPLATE, "dc=x"),
        digest_of(record, [b"2"], TEMPLATE, "dc=x"),
        digest_of(record, [b"1"], TEMPLATE, "dc=y"),
        digest_of(record, [b"1"], AuthorityTemplate("cn={CN},ou=pki"), "dc=x"),
        digest_of(more, [b"1"], TEMPLATE, "dc=x"),
    }
    assert len(digests) == 5


def test_a_template_that_no_issuer_fills_is_refused() -> None:
    check_template(AuthorityTemplate("cn={CN}+serialNumber={serialNumber}"), ["CN"])
    with pytest.raises(ValueError, match=r"has no \{OU\}"):
        check_template(AuthorityTemplate("ou={OU}"), ["CN"])


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
