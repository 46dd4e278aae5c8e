"""Logins over TLS: by certificate, and only to the server that is meant."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from demo.processes import free_port
from publish_ldap.directory import Directory
from publish_ldap.errors import DirectoryUnavailable
from publish_ldap.settings import DirectorySettings
from server.clock import utc_now
from tests.support.directory_certificates import Published, an_entry
from tests.support.slapd import TlsSlapd, ldapsearch, silence, started

DAY = timedelta(days=1)


class Anchor:
    """A CA for TLS, and the files that it made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test TLS CA")])
        self.issue("ca", self.name, None)

    def issue(self, file: str, subject: x509.Name, host: str | None, ends: timedelta = DAY) -> None:
        key = self.key if file == "ca" else ec.generate_private_key(ec.SECP256R1())
        now = utc_now()
        builder = (
            x509.CertificateBuilder(self.name, subject, key.public_key(), 1000 + len(file))
            .not_valid_before(now - 2 * DAY)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=file == "ca", path_length=None), critical=True)
        )
        if host is not None:
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        (self.folder / file).write_bytes(certificate.public_bytes(Encoding.PEM))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / f"{file}.key").write_bytes(pem)

    def server(self, host: str = "localhost", ends: timedelta = DAY) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        self.issue("server", name, host, ends)


@pytest.fixture(scope="module")
def anchor(tmp_path_factory: pytest.TempPathFactory) -> Anchor:
    folder = tmp_path_factory.mktemp("tls")
    anchor = Anchor(folder)
    publisher = [(NameOID.ORGANIZATION_NAME, "Tillid Test"), (NameOID.COMMON_NAME, "publisher")]
    anchor.issue("client", x509.Name([x509.NameAttribute(*each) for each in publisher]), None)
    anchor.server()
    return anchor


@pytest.fixture(scope="module")
def tls(anchor: Anchor) -> Iterator[TlsSlapd]:
    yield from started(TlsSlapd(anchor.folder, free_port(), free_port()))


@pytest.fixture
def settings(tls: TlsSlapd, anchor: Anchor) -> DirectorySettings:
    """Log in by certificate, over LDAPS."""
    return DirectorySettings(
        "north",
        tls.tls_url,
        tls.suffix,
        ca_file=anchor.folder / "ca",
        certificate_file=anchor.folder / "client",
        key_file=anchor.folder / "client.key",
        timeout_seconds=1,
    )


@pytest.mark.parametrize("by", ["ldaps", "starttls"])
def test_a_login_by_certificate_publishes_and_its_entries_go_with_it(
    tls: TlsSlapd, settings: DirectorySettings, by: str
) -> None:
    certificate, entry = Published(), an_entry()
    url = tls.tls_url if by == "ldaps" else tls.url.replace("127.0.0.1", "localhost")
    with Directory(replace(settings, url=url)) as directory:
        (identifier,) = directory.add_certificates([(entry, certificate.der)])
        assert directory.find_certificate(certificate.issuer, certificate.serial) == (identifier,)
        (found,) = ldapsearch(tls, f"(uid={entry.holder[1]})")
        assert found["userCertificate;binary"] == [certificate.der]
        directory.remove_certificate(None, certificate.issuer, certificate.serial)
        assert ldapsearch(tls, f"(uid={entry.holder[1]})") == []


def test_a_password_goes_over_starttls(tls: TlsSlapd, anchor: Anchor) -> None:
    by_name = tls.url.replace("127.0.0.1", "localhost")
    with_password = replace(tls.settings("north"), url=by_name, ca_file=anchor.folder / "ca")
    with Directory(with_password) as directory:
        directory.open()
        assert directory.is_reachable()


@pytest.mark.parametrize("fault", ["expired", "another host", "another anchor"])
def test_a_server_that_is_not_the_one_meant_gets_nothing(
    tls: TlsSlapd, anchor: Anchor, settings: DirectorySettings, fault: str, tmp_path: Path
) -> None:
    faults = {"expired": ("localhost", -DAY), "another host": ("other.example", DAY)}
    anchors = settings
    if fault in faults:
        anchor.server(*faults[fault])
    else:
        Anchor(tmp_path)
        anchors = replace(settings, ca_file=tmp_path / "ca")
    tls.stop()
    tls.start()
    for url in (tls.tls_url, tls.url.replace("127.0.0.1", "localhost")):
        with Directory(replace(anchors, url=url)) as directory:
            with pytest.raises(DirectoryUnavailable) as caught:
                directory.open()
            assert "localhost" not in str(caught.value)
    anchor.server()
    tls.stop()
    tls.start()
    with Directory(settings) as directory:
        assert directory.is_reachable()


def test_a_server_that_is_silent_during_the_handshake_is_waited_for_no_longer(
    tls: TlsSlapd, settings: DirectorySettings
) -> None:
    with silence(tls), Directory(settings) as directory:
        started_at = time.monotonic()
        with pytest.raises(DirectoryUnavailable):
            directory.open()
        assert time.monotonic() - started_at < 30
