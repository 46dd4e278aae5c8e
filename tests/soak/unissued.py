"""`./dev soak unissued [COUNT]`: an OCSP responder is asked about 100,000 serials that nobody has.

Random ones, and such as lie near those that were issued: one bit off, cut short, or longer. None
may be good. Prints what was said, and how often.
"""

import itertools
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography.x509 import ocsp

from ca.identifiers import IssuerName, SerialNumber
from hsm.softhsm import SoftHsmStore
from records.officers import Role
from revocation import der
from revocation.cert_ids import CertIdHash, IssuerCertIds
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.own_certificates import ocsp_responder
from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer

COUNT = 100_000
_AT_ONCE = 10


def main() -> int:
    """Ask, count, and say so; 1 if anything was said but unknown."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        store = SoftHsmStore(Path(folder) / "softhsm")
        store.activate()
        with an_installation(SoftHsm(store), Path(folder) / "state") as parts:
            run_job("own-certificates", parts, Metrics.of_process())
            issued = [an_officer(parts, role).certificate.serial_number for role in Role]
            record = parts.issuers.get(IssuerName("issuing"))
            responder = ocsp_responder(parts, record, utc_now())
            assert responder is not None
            assert record.certificate is not None
            cert_ids, said = IssuerCertIds.of(record.certificate), Counter[str]()
            serials = itertools.islice(strangers(issued), count)
            while asked := list(itertools.islice(serials, _AT_ONCE)):
                listed = (der.sequence(cert_ids.encode(CertIdHash.SHA1, each)) for each in asked)
                question = der.sequence(der.sequence(der.sequence(*listed)))
                answer = ocsp.load_der_ocsp_response(responder.answer(question, utc_now()).body)
                said.update(single.certificate_status.name for single in answer.responses)
    print(f"{said.total():,} serials that nobody has: {dict(said)}")
    return 0 if said == {"UNKNOWN": count} else 1


def strangers(issued: list[int]) -> Iterator[SerialNumber]:
    """Near misses of what was issued, then random ones, without end."""
    chance = random.Random(20261122)  # noqa: S311 - repeatable on purpose
    near = {number ^ 1 << bit for number in issued for bit in range(159)}
    near |= {part for number in issued for part in (number >> 8, number + 1, number - 1)}
    yield from (SerialNumber(each) for each in sorted(near - {*issued}) if 0 < each < 1 << 159)
    while True:
        node = chance.choice((1, chance.randint(1, 127)))
        yield SerialNumber(node << 136 | chance.getrandbits(136))


if __name__ == "__main__":
    sys.exit(main())
