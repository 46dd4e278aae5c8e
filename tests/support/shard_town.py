"""A small town whose certificates name shards of the CRL, and whose complete CRL has a delta.

The complete CRL is kept as first.crl when nothing was revoked yet, and as base.crl when all was
revoked and held but one; that one was revoked afterwards, and one that was on hold released.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, issue, prepare
from ca.issuers import IssuerPolicy
from ca.names import SubjectName
from ca.profiles import load_profile
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.crls import renew_crl
from tests.support.installation import before_its_first_crl, leave_nothing_to_watch
from tests.support.service import Service, quiet_port
from tests.support.softhsm import SoftHsm
from tests.support.status_matrix import Party, State, Verdict
from tests.support.tap import tapped

SHARDS = 2
SPREAD = (
    State("good", Verdict.GOOD, "issuing"),
    State("revoked", Verdict.REVOKED, "issuing", Reason.KEY_COMPROMISE),
    State("held", Verdict.REVOKED, "issuing", Reason.CERTIFICATE_HOLD, was_held=True),
    State("returned", Verdict.GOOD, "issuing", was_held=True),
    State("revoked-later", Verdict.REVOKED, "issuing", Reason.SUPERSEDED),
)
"""Of the last two, the base tells what was so before: on hold, and good."""
WHOLE = "whole-"
"""Before the name of a state: its certificate from before there were shards."""
_AFTER_BASE = "revoked-later"
_ISSUING = IssuerName("issuing")
_ACTOR = "system:test"


@contextmanager
def a_shard_town(softhsm: SoftHsm, folder: Path) -> Iterator[Party]:
    """Prepare, serve, and lay out the files of a relying party."""
    listener, tap = quiet_port(), quiet_port()
    environment = {
        "TILLID_STATE": str(folder / "state"),
        "TILLID_HSM__SOFTHSM_DIRECTORY": str(softhsm.store.directory),
        "TILLID_HSM__ROOT_TOKEN": "shards-root",
        "TILLID_HSM__ISSUING_TOKEN": "shards-issuing",
        "TILLID_HSM__SERVICE_TOKEN": "shards-service",
        "TILLID_PUBLIC__PORT": str(listener),
        "TILLID_PUBLIC__URL": f"http://127.0.0.1:{tap}",
        "TILLID_STAFF__PORT": str(quiet_port()),
    }
    files = folder / "relying-party"
    files.mkdir()
    with before_its_first_crl(softhsm, folder / "state", **environment) as parts:
        _befall(parts, files)
    service = Service(folder / "state", environment).start()
    try:
        with tapped(tap, listener) as passed:
            party = Party(f"http://127.0.0.1:{tap}", files, passed)
            _fetch(service, party)
            yield party
    finally:
        service.discard()


def _befall(parts: Assembly, files: Path) -> None:
    """Issue, revoke and hold; keep the complete CRL that says so; then revoke and release."""
    now = utc_now()
    serials: dict[str, list[SerialNumber]] = {state.name: [] for state in SPREAD}
    for shards, prefix in ((0, WHOLE), (SHARDS, "")):
        policy = IssuerPolicy(crl_shards=shards, crl_deltas=True)
        parts.issuers.configure(_ISSUING, policy, now)
        renew_crl(parts, parts.issuers.get(_ISSUING), now)
        for state in SPREAD:
            serials[state.name].append(_issue(parts, files, f"{prefix}{state.name}"))
    _keep(parts, files / "first.crl")
    for state in SPREAD:
        for serial in serials[state.name]:
            _decide(parts, state, serial)
    renew_crl(parts, parts.issuers.get(_ISSUING), now)
    _keep(parts, files / "base.crl")
    for serial in serials["returned"]:
        parts.statuses.release(_ISSUING, serial, "system:other", now)
    for serial in serials[_AFTER_BASE]:
        parts.statuses.revoke(_ISSUING, serial, Reason.SUPERSEDED, _ACTOR, now)
    renew_crl(parts, parts.issuers.get(_ISSUING), now)
    leave_nothing_to_watch(parts)


def _decide(parts: Assembly, state: State, serial: SerialNumber) -> None:
    """What the base tells."""
    if state.was_held:
        parts.statuses.hold(_ISSUING, serial, _ACTOR, utc_now())
    elif state.reason is not None and state.name != _AFTER_BASE:
        parts.statuses.revoke(_ISSUING, serial, state.reason, _ACTOR, utc_now())


def _keep(parts: Assembly, path: Path) -> None:
    _write(path, x509.load_der_x509_crl(parts.crl_file(_ISSUING).read_bytes()))


def _issue(parts: Assembly, files: Path, name: str) -> SerialNumber:
    host = f"{name}.example"
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    subject = SubjectName.of([("CN", host)])
    order = CertificateOrder(load_profile("tls-server"), subject, key, (host,))
    prepared = prepare(order, parts.issuing(), utc_now())
    made = issue(prepared, parts.certificates, _ACTOR, utc_now())
    _write(files / f"{name}.pem", made)
    return SerialNumber(made.serial_number)


def shard_of(file: Path) -> str:
    """The path of the CRL that a certificate names."""
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    (point,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    (name,) = point.full_name or ()
    return "/" + str(name.value).split("/", 3)[3]


def _fetch(service: Service, party: Party) -> None:
    """What anyone gets from the listener; NAME.own.crl is a certificate's shard."""
    folder = party.folder
    for name in ("root", "issuing"):
        made = x509.load_der_x509_certificate(service.public(f"/ca/{name}.cer").body)
        _write(folder / f"{name}.pem", made)
    (folder / "between.pem").write_bytes((folder / "issuing.pem").read_bytes())
    shards = {f"/crl/issuing/{number}.crl" for number in range(1, SHARDS + 1)}
    paths = {"/crl/root.crl", "/crl/issuing.crl", "/crl/issuing/delta.crl", *shards}
    served = {path: x509.load_der_x509_crl(service.public(path).body) for path in paths}
    root = served["/crl/root.crl"]
    _write(folder / "root.crl", root)
    _write(folder / "complete.crl", served["/crl/issuing.crl"])
    _write(folder / "delta.crl", served["/crl/issuing/delta.crl"])
    for name, path in (("root", "/crl/root.crl"), ("issuing", "/crl/issuing.crl")):
        (folder / f"{name}.crl.der").write_bytes(served[path].public_bytes(Encoding.DER))
    for state in SPREAD:
        octets = (folder / f"{state.name}.pem").read_bytes()
        own = shard_of(folder / f"{state.name}.pem")
        (other,) = shards - {own}
        issuer = (folder / "issuing.pem").read_bytes()
        for name in (state.name, f"{WHOLE}{state.name}"):
            (folder / f"{name}.issuer.pem").write_bytes(issuer)
        (folder / f"{state.name}.chain.pem").write_bytes(octets + issuer)
        for name, path in (("own", own), ("other", other)):
            _write(folder / f"{state.name}.{name}.crl", root, served[path])
            alone = served[path].public_bytes(Encoding.DER)
            (folder / f"{state.name}.{name}.der").write_bytes(alone)


def _write(path: Path, *made: x509.Certificate | x509.CertificateRevocationList) -> None:
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in made))
