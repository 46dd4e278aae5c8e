"""An installation with two directories, one of them with a replica."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca.issuance import CertificateOrder, issue, prepare
from ca.names import SubjectName
from ca.profiles import load_profile
from demo.processes import free_port
from demo.slapd import PrivateSlapd
from publish_ldap.reconciliation import DriftKind
from records.certificates import CertificateRecord
from records.officers import Role
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.directory_checks import check_directory, mend
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.installation import an_installation
from tests.support.slapd import ProviderSlapd, ReplicaSlapd, started
from tests.support.slow_proxy import SlowProxy, slow_proxy
from tests.support.softhsm import SoftHsm
from tests.support.staff import EnrolledOfficer, an_officer, certified


@dataclass
class Town:
    """An installation with a directory that has a replica, and a second one behind a proxy."""

    parts: Assembly
    metrics: Metrics
    north: PrivateSlapd
    replica: PrivateSlapd
    south: PrivateSlapd
    to_south: SlowProxy
    officers: tuple[EnrolledOfficer, EnrolledOfficer]

    def person(self) -> CertificateRecord:
        """Somebody with a certificate, who consented to its publication."""
        vetting, approving = self.officers
        application = certified(self.parts, vetting.officer, approving, published=True)
        (record,) = self.parts.certificates.find(application_id=application.id)
        return record

    def device(self) -> CertificateRecord:
        """A device, which north shows and south does not."""
        name = [("C", "DK"), ("O", "Ærø"), ("CN", "reader 7"), ("serialNumber", "SN=7")]
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        order = CertificateOrder(load_profile("device"), SubjectName.of(name), key)
        prepared = prepare(order, self.parts.issuing(), utc_now())
        certificate = issue(prepared, self.parts.certificates, "system:operator", utc_now())
        fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        (record,) = self.parts.certificates.find(fingerprint=fingerprint)
        return record

    def der(self, record: CertificateRecord) -> bytes:
        body = self.parts.certificates.body(record.issuer, record.serial_number)
        return body.public_bytes(Encoding.DER)

    def turn(self) -> None:
        run_job("publish-entries", self.parts, self.metrics)

    def settle(self) -> None:
        """Go on until nothing waits; what failed is due at once, as if its time had come."""
        self.until(lambda: not self.parts.directory_desk.waiting())

    def until(self, holds: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, self.parts.directory_desk.waiting()
            for name in ("north", "south"):
                self.parts.directory_desk.retry(name, None, "system:operator", utc_now())
            self.turn()

    def go_on_until(self, holds: Callable[[], bool], seconds: float = 20) -> float:
        """Go on, with nothing made due by hand; the longest that one turn took, in seconds."""
        longest, end = 0.0, time.monotonic() + seconds
        while not holds():
            began = time.monotonic()
            self.turn()
            longest = max(longest, time.monotonic() - began)
            assert time.monotonic() < end, self.parts.directory_desk.waiting()
        return longest

    def securer(self) -> str:
        """A security administrator's name in the records."""
        return an_officer(self.parts, Role.SECURITY_ADMINISTRATOR).officer.id

    def mend(self, name: str) -> None:
        """Repair a directory, until it shows what it should."""
        with self.parts.directory(name) as directory:
            found = check_directory(self.parts, directory)
            assert mend(self.parts, directory, found.drift, "system:operator", utc_now())
        self.settle()
        self.until(lambda: not self.drift(name))

    def revoke(self, record: CertificateRecord) -> None:
        place = (record.issuer, record.serial_number)
        self.parts.statuses.revoke(*place, Reason.SUPERSEDED, "system:operator", utc_now())

    def states(self, record: CertificateRecord) -> dict[str, str]:
        found = self.parts.publications.of_certificate(record.issuer, record.serial_number)
        return {each.directory: each.state for each in found}

    def drift(self, name: str = "north") -> list[tuple[DriftKind, int]]:
        with self.parts.directory(name) as directory:
            return [
                (each.kind, each.server) for each in check_directory(self.parts, directory).drift
            ]


def a_town(softhsm: SoftHsm, folder: Path, **environment: str) -> Iterator[Town]:
    for north in started(ProviderSlapd(folder / "north", free_port())):
        for replica in started(ReplicaSlapd(folder / "replica", free_port(), north)):
            for south in started(PrivateSlapd(folder / "south", free_port())):
                state = folder / "state"
                state.mkdir(mode=0o700)
                settings = _table("north", north, f'replicas = ["{replica.url}"]')
                settings += "[directories.north.entries.device]\n"
                with slow_proxy(south.url) as proxy:
                    settings += _table("south", south, "timeout_seconds = 1", url=proxy.url)
                    (state / "tillid.toml").write_text(settings)
                    with an_installation(softhsm, state, **environment) as parts:
                        officers = (
                            an_officer(parts, Role.REGISTRATION_OFFICER),
                            an_officer(parts, Role.APPROVING_OFFICER),
                        )
                        metrics = Metrics.of_process()
                        yield Town(parts, metrics, north, replica, south, proxy, officers)


def _table(name: str, slapd: PrivateSlapd, *lines: str, url: str = "") -> str:
    more = "\n".join(lines)
    return f"""
[directories.{name}]
url = "{url or slapd.url}"
base_dn = "{slapd.suffix}"
bind_dn = "{slapd.admin_dn}"
password_file = "{slapd.password_file}"
processor = "this machine"
region = "EU"
{more}
"""
