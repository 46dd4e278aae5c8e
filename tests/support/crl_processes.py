"""Processes that issue CRLs on one database, and die where they are told to."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from revocation.crl_issue import Workplace, issue_list
from revocation.errors import CrlNumberTaken
from revocation.publication import CrlScope, IssuingKey
from revocation.published_files import alone_in
from server.clock import utc_now
from tests.support.command_line import ROOT, clean_environment
from tests.support.stores import CRL_POLICY, ISSUING, Stores

_PROCESS = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from records.database import Database
from server.clock import utc_now
from tests.support.crl_processes import issue_one
from tests.support.stores import ISSUING, Stores, server_order
url, path, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
stores = Stores(Database(url), issuer_key=load_pem_private_key(sys.stdin.buffer.read(), None))
for _ in range(count):
    now = utc_now()
    serial = stores.intend(server_order(), now).content.serial_number
    stores.certificates.revoke_orphan(ISSUING, serial, now)
    print(serial.hex, flush=True)
    issue_one(stores, path)
"""


def issue_one(stores: Stores, path: Path) -> None:
    """Issue and publish the next CRL and its delta; one that another process made is as good."""
    certificate = stores.issuer().certificate
    assert certificate is not None
    scope = CrlScope(ISSUING, delta_url="http://127.0.0.1:8080/crl/issuing/delta.crl")
    issuing = IssuingKey(ISSUING, certificate, stores.issuer_key)
    place = Workplace(path, alone=lambda: alone_in(path.parent))
    while True:
        try:
            issue_list(stores.crls, (issuing, scope), utc_now(), CRL_POLICY, place)
        except CrlNumberTaken:
            continue
        return


@dataclass(frozen=True)
class Ended:
    """How a process ended, and the serials that it had revoked by then."""

    returncode: int
    revoked: list[int]


def issue_in(
    stores: Stores, path: Path, count: int, *, processes: int = 1, failpoint: str = ""
) -> list[Ended]:
    """Let processes revoke and issue `count` times each, all at once."""
    stores.issuer()
    url = stores.database.engine.url.render_as_string(hide_password=False)
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key = stores.issuer_key.private_bytes(*form)
    environment = clean_environment({"PYTHONPATH": str(ROOT), "TILLID_FAILPOINT": failpoint})
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, url, str(path), str(count)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        for _ in range(processes)
    ]
    for each in started:
        assert each.stdin is not None
        each.stdin.write(key)
        each.stdin.close()
        each.stdin = None
    said = [each.communicate()[0].decode().split() for each in started]
    return [
        Ended(each.returncode, [int(serial, 16) for serial in serials])
        for each, serials in zip(started, said, strict=True)
    ]
