"""`./dev bench scale`: the few figures that docs/scale.md is made from."""

import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select, text, update

from ca.identifiers import IssuerName, SerialNumber
from hsm.softhsm import SoftHsmStore
from records.tables import ocsp_response
from revocation.crl import encode_entry
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.nginx import nginx_configuration
from server.static_files import StaticFiles
from tests.bench.growth import load_certificates
from tests.bench.scale_plan import Measured, render
from tests.support.command_line import ROOT
from tests.support.installation import an_installation
from tests.support.ocsp_client import request_for
from tests.support.postgres import a_postgres
from tests.support.service import quiet_port
from tests.support.softhsm import SoftHsm
from tests.support.static_server import an_nginx

PAGE = ROOT / "docs" / "scale.md"
_CERTIFICATES = 10_000
_ASKED = 3000
ISSUING = IssuerName("issuing")


def main() -> int:
    """Measure, and write the page."""
    with tempfile.TemporaryDirectory() as name, a_postgres() as server:
        store = SoftHsmStore(Path(name) / "softhsm")
        store.activate()
        url = server.create("scale")
        state = Path(name) / "state"
        with an_installation(SoftHsm(store), state, TILLID_DATABASE__URL=url) as parts:
            measured = measure(parts, Path(name))
    PAGE.write_text(render(measured))
    sys.stdout.write(f"{measured}\nwritten: {PAGE}\n")
    return 0


def measure(parts: Assembly, folder: Path) -> Measured:
    """All figures, on an installation whose database is a PostgreSQL."""
    run_job("own-certificates", parts, Metrics.of_process())
    load_certificates(parts.database, _CERTIFICATES)
    with parts.database.write() as tx:  # they were put there with no life
        tx.execute(update(ocsp_response).values(not_after=utc_now() + timedelta(days=365)))
    produced = _produce(parts)
    files = StaticFiles(parts, folder / "files")
    started = time.perf_counter()
    written = files.publish(utc_now())
    files_a_second = written / (time.perf_counter() - started)
    return Measured(
        row_octets=_octets_a_row(parts, "certificate"),
        answer_row_octets=_octets_a_row(parts, "ocsp_response"),
        answer_octets=_answer_octets(parts),
        entry_octets=len(encode_entry(SerialNumber.random(), utc_now(), Reason.SUPERSEDED)),
        produced_a_second=produced,
        files_a_second=files_a_second,
        nginx_a_second=_ask_nginx(parts, folder),
    )


def _produce(parts: Assembly) -> float:
    """Certificates a second whose answers are made and kept."""
    started = time.perf_counter()
    before = parts.ocsp_responses.count_due(ISSUING, utc_now())
    while parts.ocsp_responses.count_due(ISSUING, utc_now()):
        run_job("ocsp-responses", parts, Metrics.of_process())
    return before / (time.perf_counter() - started)


def _octets_a_row(parts: Assembly, table: str) -> float:
    with parts.database.read() as tx:
        size = tx.execute(text(f"SELECT pg_total_relation_size('{table}')")).scalar_one()
        rows = tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608
    return float(size / rows)


def _answer_octets(parts: Assembly) -> float:
    with parts.database.read() as tx:
        query = select(func.avg(func.length(ocsp_response.c.sha1)))
        return float(tx.execute(query).scalar_one())


def _ask_nginx(parts: Assembly, folder: Path) -> float:
    """Answers a second from files, by a client that costs more than the server: CPU time of it."""
    port = quiet_port()
    with parts.database.read() as tx:
        serials = tx.scalars(select(ocsp_response.c.serial).limit(_ASKED)).all()
    paths = [b64encode(request_for(parts, int(each, 16))).decode() for each in serials]
    with an_nginx(
        folder / "nginx", port, nginx_configuration(folder / "files", f"127.0.0.1:{port}", 900)
    ):
        (pid,) = [(folder / "nginx" / "nginx.pid").read_text().strip()]
        before = _cpu_seconds(pid)
        for path in paths:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ocsp/issuing/{path}").read()
        return len(paths) / max(_cpu_seconds(pid) - before, 0.01)


def _cpu_seconds(pid: str) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / 100


if __name__ == "__main__":
    sys.exit(main())
