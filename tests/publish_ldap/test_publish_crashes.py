"""Our process dies between a directory and the records: nothing is lost, and nothing doubled."""

import signal
import subprocess
import sys
from collections import Counter

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.failpoints import VARIABLE
from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory
from publish_ldap.publication import DrainResult, drain
from records.certificates import Certificates
from records.database import Database
from server.clock import utc_now
from tests.support.command_line import ROOT, clean_environment
from tests.support.slapd import ldapsearch
from tests.support.stores import DIRECTORY, Stores, server_order

_PROCESS = """
import sys
from pathlib import Path
from publish_ldap.directory import Directory
from publish_ldap.publication import drain
from publish_ldap.settings import DirectorySettings
from records.database import Database
from server.clock import utc_now
from tests.support.stores import DIRECTORY, Stores
database, url, base_dn, bind_dn, password_file = sys.argv[1:]
settings = DirectorySettings(DIRECTORY, url, base_dn, bind_dn, Path(password_file))
drain(Stores(Database(database)).publications, Directory(settings), utc_now(), 10)
"""


@pytest.fixture
def stores(database: Database) -> Stores:
    """Records whose directory shows hosts."""
    made = Stores(database)
    made.certificates = Certificates(database, made.personal, {DIRECTORY: ("tls-server",)})
    return made


def killed(stores: Stores, slapd: PrivateSlapd) -> None:
    """Let another process do what is due, and die before it is recorded."""
    url = stores.database.engine.url.render_as_string(hide_password=False)
    place = (url, slapd.url, slapd.suffix, slapd.admin_dn, str(slapd.password_file))
    environment = clean_environment({"PYTHONPATH": str(ROOT), VARIABLE: "publish.seen:kill"})
    command = [sys.executable, "-c", _PROCESS, *place]
    ended = subprocess.run(command, env=environment, cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL


def shown(slapd: PrivateSlapd) -> Counter[bytes]:
    """How often each certificate of a host stands there, in whatever entry."""
    found = ldapsearch(slapd, "(&(cn=localhost)(userCertificate=*))", scope="sub")
    return Counter(der for entry in found for der in entry["userCertificate;binary"])


def octets(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def test_a_process_killed_after_the_directory_was_written_costs_one_repetition(
    stores: Stores, slapd: PrivateSlapd
) -> None:
    kept, gone = ([stores.issue(server_order(), utc_now()) for _ in range(4)] for _ in range(2))
    with Directory(slapd.settings(DIRECTORY)) as directory:
        drain(stores.publications, directory, utc_now(), 8)
        for certificate in gone:
            stores.revoked(certificate, utc_now())
        late = [stores.issue(server_order(), utc_now()) for _ in range(4)]
        killed(stores, slapd)
        assert shown(slapd) == Counter(map(octets, [*kept, *late]))
        again = drain(stores.publications, directory, utc_now(), 10)
    assert again == DrainResult(done=8, failed=0)
    assert shown(slapd) == Counter(map(octets, [*kept, *late]))
    assert stores.publications.counts() == {"published": 8, "withdrawn": 4}
    with Directory(slapd.settings(DIRECTORY)) as directory:
        for certificate in (*kept, *late):
            stores.revoked(certificate, utc_now())
        drain(stores.publications, directory, utc_now(), 10)
    assert not shown(slapd)
