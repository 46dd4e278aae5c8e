"""Processes that issue at the same time on one database, and what they leave behind."""

import subprocess
import sys

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select

from records.database import Database
from records.tables import certificate
from tests.support.command_line import ROOT, clean_environment
from tests.support.stores import Stores

BATCH = 100
_PROCESS = """
import sys
from ca.issuance import issue_all, prepare
from ca.identifiers import SerialNumber
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from records.database import Database
from server.clock import utc_now
from tests.support.stores import Stores, server_order
url, count, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
stores = Stores(Database(url), issuer_key=load_pem_private_key(sys.stdin.buffer.read(), None))
issuer = stores.issuer()
print("ready", flush=True)
for start in range(0, count, batch):
    now = utc_now()
    some = [prepare(server_order(), issuer, now) for _ in range(min(batch, count - start))]
    for outcome in issue_all(some, stores.certificates, "system:test", now):
        if isinstance(outcome, Exception):
            raise outcome
        print(SerialNumber(outcome.serial_number).hex, flush=True)
"""


def issue_at_once(stores: Stores, url: str, processes: int, count: int) -> list[list[str]]:
    """The serials that each process was given, when so many issue `count` each at once."""
    stores.issuer()
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key = stores.issuer_key.private_bytes(*form)
    words = [sys.executable, "-c", _PROCESS, url, str(count), str(BATCH)]
    environment = clean_environment({"PYTHONPATH": str(ROOT)})
    started = [
        subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        for _ in range(processes)
    ]
    for each in started:
        assert each.stdin is not None
        each.stdin.write(key)
        each.stdin.close()
        each.stdin = None
    found = []
    for each in started:
        out, _ = each.communicate()
        assert each.returncode == 0
        ready, *serials = out.decode().split()
        assert ready == "ready"
        found.append(serials)
    return found


def rows_by_status(database: Database) -> dict[str, int]:
    """How many certificates the records hold, by status."""
    with database.read() as tx:
        query = select(certificate.c.status, func.count()).group_by(certificate.c.status)
        return {str(status): int(number) for status, number in tx.execute(query)}
