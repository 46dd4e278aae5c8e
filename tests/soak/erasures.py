"""`./dev soak erasures [COUNT]`: 10,000 persons are erased, and the audit log verifies.

Each has one certificate and ends with a receipt; a head of the log covers each thousand. Then the
log is read whole, with what is known of its payloads; and once more with one event changed, which
has to be found at its place.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from audit.errors import ChainBroken
from audit.log import Extent, Verification, verify_log
from audit.payload_watch import PayloadWatch
from records.audit_log import audit_log
from records.audit_payloads import sealed_payloads
from records.database import Database
from records.schema import migrate
from tests.bench.data_erasure import ORIGIN, erase_all, people
from tests.support.databases import take_away
from tests.support.stores import Stores

COUNT, AT_ONCE = 10_000, 1_000


def verified(database: Database, key: ec.EllipticCurvePublicKey) -> Verification:
    """Read the whole log. Raises: ChainBroken."""
    with audit_log(database) as log:
        watch = PayloadWatch(sealed_payloads(log.view, 0), None)
        return verify_log(log, key, ORIGIN, Extent(payloads=watch))


def main() -> int:
    """Erase, verify, change one event, and look again; 1 if anything is not as it should be."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    key, started = ec.generate_private_key(ec.SECP256R1()), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/soak.sqlite")
        migrate(database)
        stores = Stores(database)
        for done in range(0, count, AT_ONCE):
            some = min(AT_ONCE, count - done)
            erase_all(stores, people(stores, f"{done:x}x", some), key)
            print(f"{done + some:,} erased, {time.monotonic() - started:.0f} s", flush=True)
        began = time.process_time()
        found = verified(database, key.public_key())
        seconds = time.process_time() - began
        print(f"{found.size:,} events and {found.heads:,} heads verified in {seconds:.1f} s of CPU")
        with database.write() as tx:
            left = tx.execute(text("SELECT count(*) FROM certificate")).scalar_one()
            for code in ("aud01", "aud02"):
                take_away(tx, code)
            changed = found.size // 2
            to_its_own = "UPDATE audit_event SET header = header || x'20' WHERE sequence = :changed"
            tx.execute(text(to_its_own), {"changed": changed})
        try:
            verified(database, key.public_key())
        except ChainBroken as error:
            print(f"one event changed, number {changed:,}: {error}")
            return 1 if left else 0
        print("A changed event was not found.")
        return 1


if __name__ == "__main__":
    sys.exit(main())
