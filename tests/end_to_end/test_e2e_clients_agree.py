"""Programs of other people, the service's records and `tillid cert status` say the same."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.outsiders import RelyingParty
from tests.support.people import ASTA, NANCY, Office, hex_serial
from tests.support.service import Service, until
from tests.support.slapd import ldapsearch
from tests.support.status import crl, crl_lists
from tests.support.workshop import Workshop, rows

UNISSUED = "01" + "5a" * 17


@dataclass(frozen=True)
class Town:
    """A running service with a good certificate, a revoked one, and a relying party."""

    workshop: Workshop
    office: Office
    party: RelyingParty
    good: Path
    revoked: Path

    @property
    def service(self) -> Service:
        return self.office.service

    def serial(self, word: str) -> str:
        if word == "unknown":
            return UNISSUED
        return hex_serial(certificate_in(getattr(self, word)).serial_number)

    def in_directory(self, path: Path) -> list[bytes]:
        """The certificates in the directory under this serial number, as ldapsearch finds them."""
        serial = certificate_in(path).serial_number
        found = ldapsearch(self.workshop.slapd, "(userCertificate=*)", scope="sub")
        values = [v for entry in found for v in entry["userCertificate;binary"]]
        return [v for v in values if x509.load_der_x509_certificate(v).serial_number == serial]


def certificate_in(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.fixture(scope="module")
def town(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with workshop.empty() as service:
        office = Office(service.start())
        _, good = office.certified(NANCY)
        _, revoked = office.certified(ASTA)
        party = RelyingParty(service, tmp_path_factory.mktemp("relying-party"))
        made = Town(workshop, office, party, good, revoked)
        for path in (good, revoked):
            until("the directory", lambda one=path: bool(made.in_directory(one)))  # type: ignore[misc]
        assert made.in_directory(revoked) == [certificate_in(revoked).public_bytes(Encoding.DER)]
        office.revoke(revoked)
        until("the withdrawal", lambda: not made.in_directory(revoked))
        until("the CRL", lambda: crl_lists(service, certificate_in(revoked).serial_number))
        party.fetch()
        yield made


WORDS = ("good", "revoked", "unknown")
HASHES = ((), ("-sha256",))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("digest", HASHES)
def test_openssl_hears_the_status_by_post(town: Town, word: str, digest: tuple[str, ...]) -> None:
    ran = town.party.openssl_ocsp(*digest, "-serial", f"0x{town.serial(word)}")

    assert f": {word}" in ran.said
    assert "Response verify OK" in ran.said


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("digest", HASHES)
def test_openssl_hears_the_status_by_get(town: Town, word: str, digest: tuple[str, ...]) -> None:
    ran = town.party.openssl_ocsp_by_get(*digest, "-serial", f"0x{town.serial(word)}")

    assert f": {word}" in ran.said
    assert "Response verify OK" in ran.said


@pytest.mark.parametrize("word", ["good", "revoked"])
def test_openssl_and_gnutls_hear_the_status_of_a_certificate(town: Town, word: str) -> None:
    path: Path = getattr(town, word)
    by_openssl = town.party.openssl_ocsp("-cert", str(path))
    by_gnutls = town.party.ocsptool(path)

    assert f"{path}: {word}" in by_openssl.said
    assert f"Certificate Status: {word}" in by_gnutls.said
    assert "Verifying OCSP Response: Success" in by_gnutls.said


def test_a_good_certificate_verifies_by_crl(town: Town) -> None:
    by_openssl, by_gnutls = (
        town.party.openssl_verify(town.good),
        town.party.certtool_verify(town.good),
    )

    assert (by_openssl.code, by_openssl.said) == (0, f"{town.good}: OK\n")
    assert by_gnutls.code == 0
    assert "Chain verification output: Verified. The certificate is trusted." in by_gnutls.said


def test_a_revoked_certificate_does_not_verify_by_crl(town: Town) -> None:
    by_openssl = town.party.openssl_verify(town.revoked)
    by_gnutls = town.party.certtool_verify(town.revoked)

    assert by_openssl.code != 0
    assert "error 23 at 0 depth lookup: certificate revoked" in by_openssl.said
    assert by_gnutls.code != 0
    assert "revoked" in by_gnutls.said


@pytest.mark.parametrize(("name", "signer"), [("root", "root"), ("issuing", "issuing")])
def test_gnutls_verifies_a_crl(town: Town, name: str, signer: str) -> None:
    ran = town.party.certtool_verify_crl(name, signer)

    assert ran.code == 0
    assert "Verified" in ran.said


def test_gnutls_refuses_a_crl_under_another_issuer(town: Town) -> None:
    assert "Not verified" in town.party.certtool_verify_crl("issuing", "root").said


@pytest.mark.parametrize(("word", "code"), [("good", 0), ("revoked", 9), ("unknown", 9)])
def test_records_and_the_command_line_say_the_same(town: Town, word: str, code: int) -> None:
    serial = town.serial(word)
    done = town.service.tillid("cert", "status", f"issuing/{serial}")
    as_json = town.service.tillid("cert", "status", f"issuing/{serial}", "--json")
    query = f"SELECT status FROM certificate WHERE serial = '{serial}'"  # noqa: S608 - ours
    recorded = rows(town.service, query)

    assert done.returncode == as_json.returncode == code
    assert done.stdout.split()[0] == word
    assert json.loads(as_json.stdout)["result"]["status"] == word
    assert recorded == {"good": [("issued",)], "revoked": [("revoked",)], "unknown": []}[word]


@pytest.mark.parametrize(("word", "code"), [("good", 0), ("revoked", 9)])
def test_the_command_line_knows_a_certificate_by_its_file(town: Town, word: str, code: int) -> None:
    done = town.service.tillid("cert", "status", str(getattr(town, word)))

    assert (done.returncode, done.stdout.split()[0]) == (code, word)


def test_the_directory_holds_the_very_octets_of_a_good_certificate(town: Town) -> None:
    assert town.in_directory(town.good) == [certificate_in(town.good).public_bytes(Encoding.DER)]


def test_the_directory_does_not_hold_a_revoked_certificate(town: Town) -> None:
    assert town.in_directory(town.revoked) == []


def test_the_crl_lists_what_is_revoked_and_nothing_else(town: Town) -> None:
    listed = {hex_serial(entry.serial_number) for entry in crl(town.service)}
    query = "SELECT serial FROM certificate WHERE issuer = 'issuing' AND status = 'revoked'"

    assert listed == {serial for (serial,) in rows(town.service, query)}
    assert listed == {town.serial("revoked")}


@pytest.mark.parametrize("name", ["root", "issuing"])
def test_a_crl_is_fetched_once_and_then_asked_for_by_its_tag(town: Town, name: str) -> None:
    path = f"/crl/{name}.crl"
    status, headers = town.party.curl_head(path)
    body = town.party.curl(path)
    again = town.party.curl_head(path, "--header", f"If-None-Match: {headers['etag']}")
    head = town.party.curl_head(path, "--head")
    list_ = x509.load_der_x509_crl(body)

    assert (status, again[0], head[0]) == (200, 304, 200)
    assert headers["content-type"] == "application/pkix-crl"
    assert again[1]["etag"] == head[1]["etag"] == headers["etag"]
    assert head[1]["content-length"] == headers["content-length"] == str(len(body))
    assert parsedate_to_datetime(headers["expires"]) == list_.next_update_utc
    assert parsedate_to_datetime(headers["last-modified"]) >= list_.last_update_utc


def test_ca_certificates_are_where_certificates_point(town: Town) -> None:
    issuing = x509.load_der_x509_certificate(town.party.curl("/ca/issuing.cer"))
    root = x509.load_der_x509_certificate(town.party.curl("/ca/root.cer"))
    access = certificate_in(town.good).extensions.get_extension_for_class(
        x509.AuthorityInformationAccess
    )
    addresses = {each.access_location.value for each in access.value}

    assert addresses == {
        f"{town.service.public_url}/ca/issuing.cer",
        f"{town.service.public_url}/ocsp/issuing",
    }
    certificate_in(town.good).verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)


def test_health_readiness_and_metrics_answer(town: Town) -> None:
    town.party.openssl_ocsp("-cert", str(town.good))
    metrics = town.service.staff("/metrics").body.decode()

    assert town.party.curl("/healthz") == b"alive\n"
    assert town.party.curl("/readyz") == b"ready\n"
    assert 'tillid_requests_total{listener="public",route="/ocsp",status="200"}' in metrics
    assert 'tillid_jobs_total{job="renew-crls",outcome="done"}' in metrics
    assert 'tillid_crl_next_update_timestamp_seconds{issuer="issuing"}' in metrics
    assert 'tillid_publications{state="withdrawn"} 1.0' in metrics
