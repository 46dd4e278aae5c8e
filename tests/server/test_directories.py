"""Directories kept as they should be: two of them, one with a replica, beside real records."""

import base64
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from prometheus_client import Gauge

from ca.identifiers import IssuerName
from ca.issuers import IssuerPolicy
from ca.store_hashes import store_hashes
from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory
from publish_ldap.errors import DirectoryUnavailable
from publish_ldap.reconciliation import DriftKind, Expected
from records.directory_desk import DirectoryDesk
from records.errors import Conflict, NotFound
from records.leases import Leases
from server.clock import utc_now
from server.directories import serve_directory
from server.directory_checks import check_directory
from server.directory_jobs import check_directories
from server.heartbeat import LEASE_LIFE
from server.jobs import run_job
from server.public import PublicApp
from tests.support.directory_certificates import Published, an_entry
from tests.support.directory_town import Town, a_town
from tests.support.set_aside import set_aside
from tests.support.slapd import ldapsearch, silence
from tests.support.softhsm import SoftHsm
from tests.support.staff import certified

CERTIFICATES = "userCertificate;binary"
ISSUING = IssuerName("issuing")
_CN = NameOID.COMMON_NAME
JAVA = Path(__file__).parents[1] / "support" / "java"


@pytest.fixture(scope="module")
def town(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    yield from a_town(softhsm, folder)


def shown(slapd: PrivateSlapd, der: bytes) -> int:
    """How many entries hold these octets, as OpenLDAP's own client says."""
    entries = ldapsearch(slapd, "(userCertificate=*)", scope="sub")
    return sum(der in entry[CERTIFICATES] for entry in entries)


def curl(url: str) -> bytes:
    found = subprocess.run(["curl", "-sg", url], capture_output=True, check=True, timeout=20)
    values = re.findall(rb"^\t?[A-Za-z;]+:: ?(\S+)", found.stdout, re.MULTILINE)
    return b"".join(base64.b64decode(value) for value in values)


def test_a_certificate_stands_in_every_directory_and_replica_until_it_is_revoked(
    town: Town,
) -> None:
    person = town.person()
    der = town.der(person)
    town.settle()
    town.until(lambda: shown(town.replica, der) == 1)
    assert [shown(slapd, der) for slapd in (town.north, town.south)] == [1, 1]
    assert town.states(person) == {"north": "published", "south": "published"}
    town.revoke(person)
    town.settle()
    assert [shown(slapd, der) for slapd in (town.north, town.replica, town.south)] == [0, 0, 0]
    assert town.states(person) == {"north": "withdrawn", "south": "withdrawn"}


def test_authorities_show_their_certificates_and_crls_byte_for_byte(
    town: Town, tmp_path: Path
) -> None:
    parts = town.parts
    parts.issuers.configure(ISSUING, IssuerPolicy(crl_deltas=True, crl_shards=2), utc_now())
    run_job("renew-crls", parts, town.metrics)
    town.revoke(town.person())
    for job in ("renew-crls", "publish-crls"):
        run_job(job, parts, town.metrics)
    town.settle()
    record = parts.issuers.get("issuing")
    complete, delta = parts.crls.whole(ISSUING), parts.crls.whole(ISSUING, -1)
    assert record.certificate is not None
    assert delta
    (name,) = record.subject.get_attributes_for_oid(_CN)
    (entry,) = ldapsearch(town.north, f"(cn={name.value})", scope="sub")
    assert entry["certificateRevocationList;binary"] == [complete]
    assert entry["deltaRevocationList;binary"] == [delta]
    for shard in (1, 2):
        (below,) = ldapsearch(town.north, f"(cn=issuing shard {shard})", scope="sub")
        assert below["certificateRevocationList;binary"] == [parts.crls.whole(ISSUING, shard)]
    assert entry["cACertificate;binary"] == [record.certificate.public_bytes(Encoding.DER)]
    url = f"{town.north.url}/cn={quote(str(name.value))},{town.north.suffix}"
    fetched = curl(f"{url}?certificateRevocationList;binary?base")
    assert fetched == complete
    files = tmp_path / "issuing.der", tmp_path / "fetched.crl"
    files[0].write_bytes(record.certificate.public_bytes(Encoding.DER))
    files[1].write_bytes(fetched)
    gnutls = ["certtool", "--verify-crl", "--load-ca-certificate", files[0]]
    subprocess.run([*gnutls, "--inder", "--infile", files[1]], check=True, capture_output=True)
    java = ["java", str(JAVA / "FetchCrl.java"), url]
    said = subprocess.run(java, capture_output=True, check=True, timeout=60).stdout
    assert said.decode().split() == [sha256(complete).hexdigest()]
    assert town.drift() == []


def test_a_device_stands_there_while_it_is_good_and_nobody_is_asked(town: Town) -> None:
    town.settle()
    device = town.device()
    der, place = town.der(device), (device.issuer, device.serial_number)
    town.settle()
    assert town.states(device) == {"north": "published"}
    (entry,) = ldapsearch(town.north, "(serialNumber=SN=7)", scope="sub")
    assert (entry["cn"], entry[CERTIFICATES]) == ([b"reader 7"], [der])
    with Directory(town.north.settings("north")) as other:
        other.remove_certificate(None, _issuer(town), device.serial_number)
    town.until(lambda: {(DriftKind.MISSING, 0), (DriftKind.MISSING, 1)} == {*town.drift()})
    town.mend("north")
    with Directory(town.south.settings("south")) as other:
        other.add_certificate(an_entry(), der)
    assert town.drift("south") == []  # whoever put it there needed nobody's consent
    for change, count in ((town.parts.statuses.hold, 0), (town.parts.statuses.release, 1)):
        change(*place, town.securer(), utc_now())
        town.settle()
        town.until(lambda count=count: shown(town.replica, der) == count)  # type: ignore[misc]
    town.revoke(device)
    town.settle()
    assert town.states(device) == {"north": "withdrawn"}
    assert town.drift("south") == [(DriftKind.ENDED, 0)]
    town.mend("south")
    assert [shown(slapd, der) for slapd in (town.north, town.south)] == [0, 0]


def test_several_certificates_of_one_directory_and_a_hold_that_is_lifted(town: Town) -> None:
    person = town.person()
    der, place = town.der(person), (person.issuer, person.serial_number)
    town.settle()
    town.parts.statuses.hold(*place, "system:operator", utc_now())
    town.settle()
    assert shown(town.north, der) == 0
    town.parts.statuses.release(*place, town.securer(), utc_now())
    town.settle()
    assert shown(town.north, der) == 1


def test_what_has_expired_is_withdrawn(town: Town) -> None:
    person = town.person()
    town.settle()
    later = utc_now() + timedelta(days=1000)
    assert town.parts.directory_desk.withdraw_expired(later, 100)
    assert set(town.states(person).values()) == {"withdrawing"}
    town.settle()
    assert shown(town.south, town.der(person)) == 0


def test_every_kind_of_drift_is_found_on_each_server_and_mended(town: Town) -> None:
    parts = town.parts
    missing, withdrawn, twice = (town.person() for _ in range(3))
    unasked = certified(parts, town.officers[0].officer, town.officers[1])
    (quiet,) = parts.certificates.find(application_id=unasked.id)
    town.settle()
    town.revoke(withdrawn)
    town.settle()
    town.until(lambda: shown(town.replica, town.der(twice)) == 1)
    assert town.drift() == []
    with Directory(town.north.settings("north")) as other:
        other.remove_certificate(None, _issuer(town), missing.serial_number)
        for record in (withdrawn, twice, quiet):
            other.add_certificate(an_entry(), town.der(record))
    kinds = {"missing", "withdrawn", "duplicate", "unasked"}
    town.until(lambda: {(kind, 1) for kind in kinds} <= {*town.drift()})
    assert {*town.drift()} == {(kind, server) for kind in kinds for server in (0, 1)}
    town.mend("north")
    assert shown(town.north, town.der(missing)) == shown(town.north, town.der(twice)) == 1
    assert shown(town.north, town.der(withdrawn)) == shown(town.north, town.der(quiet)) == 0


class Early(DirectoryDesk):
    """Records read before anything was published."""

    def expected(self, directory: str) -> Iterator[tuple[str, Expected]]:
        del directory
        yield from ()


def test_what_is_published_during_a_comparison_is_no_drift(town: Town) -> None:
    person = town.person()
    town.settle()
    town.until(lambda: shown(town.replica, town.der(person)) == 1)
    before = replace(town.parts, directory_desk=Early(town.parts.database))
    with town.parts.directory("north") as directory:
        assert check_directory(before, directory).drift == ()


def test_what_another_puts_back_after_an_erasure_is_found_every_night(town: Town) -> None:
    run_job("check-directories", town.parts, town.metrics)
    stranger = Published(issuer=_issuer(town))
    with Directory(town.north.settings("north")) as other:
        other.add_certificate(an_entry(), stranger.der)
    town.until(lambda: shown(town.replica, stranger.der) == 1)
    assert {*town.drift()} == {(DriftKind.ENDED, 0), (DriftKind.ENDED, 1)}
    assert run_job("check-directories", town.parts, town.metrics) == 0  # it is not yet night
    tomorrow = utc_now() + timedelta(days=1, minutes=1)
    assert check_directories(town.parts, town.metrics, tomorrow) == 2
    assert shown(town.north, stranger.der) == 0
    assert drift_counted(town.metrics.directory_drift, "north", "ended") == 2


def test_a_silent_directory_holds_up_nobody_and_gets_everything_on_its_return(town: Town) -> None:
    before = town.person()
    town.settle()
    with silence(town.south):
        after = town.person()
        town.revoke(before)
        reached = {"north": "published", "south": "pending"}
        assert town.go_on_until(lambda: town.states(after) == reached) < 2
        assert town.states(before) == {"north": "withdrawn", "south": "withdrawing"}
    town.settle()
    assert shown(town.south, town.der(after)) == 1
    assert shown(town.south, town.der(before)) == 0


def test_a_silent_directory_is_compared_later(town: Town) -> None:
    run_job("check-directories", town.parts, town.metrics)
    tomorrow = utc_now() + timedelta(days=3)
    with silence(town.south), pytest.raises(DirectoryUnavailable):
        check_directories(town.parts, town.metrics, tomorrow)
    assert check_directories(town.parts, town.metrics, tomorrow) == 0  # not at every tick
    town.parts.directory_work.could_not_check("south", time.monotonic() - 301)
    assert check_directories(town.parts, town.metrics, tomorrow) == 1


def test_a_directory_killed_in_the_middle_of_a_write_ends_with_everything_once(town: Town) -> None:
    town.settle()
    people = [town.person() for _ in range(4)]
    # The four requests are some 4 kB: the server dies with one of them half read.
    town.to_south.after = 2500
    town.to_south.strike = lambda: os.kill(town.south.pid or 0, signal.SIGKILL)
    reached = [{"north": "published", "south": "pending"}] * 4
    assert town.go_on_until(lambda: [*map(town.states, people)] == reached) < 2
    assert town.to_south.strike is None
    town.south.stop()
    town.south.start()
    town.settle()
    assert [shown(town.south, town.der(person)) for person in people] == [1] * 4
    assert town.drift("south") == []


def test_a_slow_directory_gets_everything_once_and_holds_up_nobody(town: Town) -> None:
    town.settle()
    town.to_south.delay = 0.4
    people = [town.person() for _ in range(3)]
    town.revoke(people[0])
    try:
        wanted = ["withdrawn", "published", "published"]
        turn = town.go_on_until(lambda: [town.states(one)["north"] for one in people] == wanted)
        assert turn < 2
        town.go_on_until(lambda: [town.states(one)["south"] for one in people] == wanted)
    finally:
        town.to_south.delay = 0.0
    assert [shown(town.south, town.der(person)) for person in people] == [0, 1, 1]
    assert town.drift("south") == []


def test_a_poisoned_certificate_is_set_aside_and_others_go_by(town: Town) -> None:
    town.settle()
    desk = town.parts.directory_desk
    poisoned = town.person()
    (task,) = (one.id for one in desk.waiting("north"))
    set_aside(town.parts.publications, task, utc_now())
    other = town.person()
    town.go_on_until(lambda: town.states(other)["north"] == "published")
    assert town.states(poisoned)["north"] == "pending"
    assert [one.id for one in desk.waiting("north", set_aside=True)] == [task]
    desk.discard("north", task, "system:operator", utc_now())
    with pytest.raises(Conflict, match="never given up"):
        desk.discard("north", task, "system:operator", utc_now())
    town.settle()
    assert town.states(poisoned)["north"] == "withdrawn"
    with pytest.raises(NotFound):
        desk.retry("north", task, "system:operator", utc_now())


def test_one_process_at_a_time_works_in_a_directory(town: Town) -> None:
    town.settle()
    leases = Leases(town.parts.database)
    assert leases.take("directory:north", "another", utc_now(), LEASE_LIFE)
    person = town.person()
    assert serve_directory(town.parts, "north") == 0
    assert town.states(person)["north"] == "pending"
    leases.give_back("directory:north", "another", utc_now())
    assert serve_directory(town.parts, "north") >= 1
    assert town.states(person)["north"] == "published"


def asked(app: PublicApp, place: str, attribute: str, sha1: bytes) -> tuple[str, bytes]:
    """Ask the HTTP store as RFC 4387 says: base64 without its last sign."""
    said: list[str] = []
    value = quote(base64.b64encode(sha1).decode().rstrip("="))
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/{place}/search.cgi",
        "QUERY_STRING": f"{attribute}={value}",
    }
    body = b"".join(app(environ, lambda status, _headers: said.append(status)))
    return said[0][:3], body


def test_the_http_store_gives_what_a_directory_shows_and_nothing_else(town: Town) -> None:
    shown_one, hidden = (
        town.person(),
        certified(town.parts, town.officers[0].officer, town.officers[1]),
    )
    (secret,) = town.parts.certificates.find(application_id=hidden.id)
    town.settle()
    app = PublicApp(town.parts, town.metrics)
    of = store_hashes(x509.load_der_x509_certificate(town.der(shown_one)))
    assert of.key is not None
    for attribute, sha1 in (
        ("certHash", of.certificate),
        ("iAndSHash", of.issuer_and_serial),
        ("sKIDHash", of.key),
    ):
        assert asked(app, "certificates", attribute, sha1) == ("200", town.der(shown_one))
    never = store_hashes(x509.load_der_x509_certificate(town.der(secret)))
    assert asked(app, "certificates", "certHash", never.certificate)[0] == "404"
    assert asked(app, "certificates", "sHash", of.subject)[0] == "404"
    town.revoke(shown_one)
    assert asked(app, "certificates", "certHash", of.certificate)[0] == "404"


def test_the_http_store_gives_ca_certificates_and_crls(town: Town) -> None:
    for job in ("renew-crls", "publish-crls"):
        run_job(job, town.parts, town.metrics)
    app = PublicApp(town.parts, town.metrics)
    certificate = town.parts.issuers.get("issuing").certificate
    assert certificate is not None
    of = store_hashes(certificate)
    assert of.key is not None
    octets = certificate.public_bytes(Encoding.DER)
    assert asked(app, "certificates", "sHash", of.subject) == ("200", octets)
    crl = town.parts.crls.whole(ISSUING)
    assert asked(app, "crls", "iHash", of.subject) == ("200", crl)
    assert asked(app, "crls", "sKIDHash", of.key) == ("200", crl)
    assert asked(app, "crls", "iHash", bytes(20))[0] == "404"
    for attribute, sha1 in (("name", b"Kirsten"), ("iHash", b"short"), ("certHash", bytes(20))):
        assert asked(app, "crls", attribute, sha1)[0] == "400"


def test_no_name_is_in_any_log(town: Town) -> None:
    logs = town.parts.settings.state / "logs"
    text = "".join(path.read_text() for path in logs.glob("*")) if logs.exists() else ""
    for secret in ("Berggren", "uid=", "cn="):
        assert secret not in text


def _issuer(town: Town) -> x509.Name:
    return town.parts.issuers.get("issuing").subject


def drift_counted(gauge: Gauge, directory: str, kind: str) -> float:
    (metric,) = gauge.collect()
    wanted = {"directory": directory, "kind": kind}
    return next(sample.value for sample in metric.samples if sample.labels == wanted)
