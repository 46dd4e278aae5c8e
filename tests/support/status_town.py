"""A running public listener with a certificate in every state, and what a relying party has of it.

The authority was founded 25 days ago, so its first OCSP signer was renewed meanwhile; then its key
was changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.certificates import assemble, sign_octets
from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, issue_all, prepare
from ca.names import SubjectName
from ca.profiles import load_profile
from ca.rules import lint
from records.database import Database
from records.schema import migrate
from revocation.reasons import Reason
from server.assembly import Assembly, assembled
from server.authorities import rekey_authority, renew_root_crls
from server.ceremony import hold_ceremony
from server.clock import utc_now
from server.crls import renew_crl
from server.own_certificates import ensure_ocsp_signer, ocsp_responder
from server.settings_sources import load_settings
from tests.support.installation import leave_nothing_to_watch
from tests.support.service import Service, quiet_port
from tests.support.softhsm import SoftHsm
from tests.support.status_matrix import BY_NAME, STATES, Party, State, Verdict
from tests.support.tap import tapped

ISSUERS = (IssuerName("issuing"), IssuerName("issuing-2"))
_PROFILES = {"": "tls-server", ".client": "tls-client"}
_ACTOR = "system:test"
_FOUNDED = timedelta(days=25)
_OLDER = tuple(state for state in STATES if state.generation == ISSUERS[0])
_NEWER = tuple(state for state in STATES if state.generation == ISSUERS[1])
Keys = dict[tuple[str, str], ec.EllipticCurvePrivateKey]


@dataclass(frozen=True)
class Town:
    """The service, and a relying party of it."""

    service: Service
    party: Party


@contextmanager
def a_town(softhsm: SoftHsm, folder: Path) -> Iterator[Town]:
    """Prepare, serve, and lay out the files; one at a time in a process of tests."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    listener, tap = quiet_port(), quiet_port()
    environment = {
        "TILLID_STATE": str(state),
        "TILLID_HSM__SOFTHSM_DIRECTORY": str(softhsm.store.directory),
        "TILLID_HSM__ROOT_TOKEN": "town-root",
        "TILLID_HSM__ISSUING_TOKEN": "town-issuing",
        "TILLID_HSM__SERVICE_TOKEN": "town-service",
        "TILLID_PUBLIC__PORT": str(listener),
        "TILLID_PUBLIC__URL": f"http://127.0.0.1:{tap}",
        "TILLID_STAFF__PORT": str(quiet_port()),
    }
    files = folder / "relying-party"
    files.mkdir()
    settings = load_settings(environment, state)
    database = Database(settings.database.url.reveal())
    migrate(database)
    database.close()
    with assembled(settings) as parts:
        _Founding(parts, files, utc_now()).hold()
    service = Service(state, environment).start()
    try:
        with tapped(tap, listener) as passed:
            party = Party(f"http://127.0.0.1:{tap}", files, passed)
            _fetch(service, party)
            yield Town(service, party)
    finally:
        service.discard()


@dataclass(frozen=True)
class _Founding:
    """Everything up to the day on which the listener is asked."""

    parts: Assembly
    files: Path
    now: datetime

    def hold(self) -> None:
        then, issuing = self.now - _FOUNDED, ISSUERS[0]
        for _ in hold_ceremony(self.parts, "Tillid Test", "DK", then):
            pass
        ensure_ocsp_signer(self.parts, self.parts.issuers.get(issuing), then)
        renew_crl(self.parts, self.parts.issuers.get(issuing), self.now)  # nothing is issued before
        self._issue(_OLDER, then)
        self._answer_by_the_first_signer(BY_FIRST_SIGNER)
        assert ensure_ocsp_signer(self.parts, self.parts.issuers.get(issuing), self.now)
        with self.parts.tokens.online(self.parts.settings.hsm.root_token):
            for _ in rekey_authority(self.parts, issuing, None, self.now):
                pass
            for _ in renew_root_crls(self.parts, self.now):
                pass
        self._issue(_NEWER, self.now)
        self._put_on_hold()
        for state in STATES:
            for serial in self._serials(state):
                self._decide(state, serial)
        leave_nothing_to_watch(self.parts)

    def _issue(self, states: tuple[State, ...], then: datetime) -> None:
        """Both certificates of every state, in one batch."""
        signer = self.parts.issuing()
        wanted = [(state, kind) for state in states for kind in _PROFILES]
        batch = []
        for state, kind in wanted:
            key = ec.generate_private_key(ec.SECP256R1())
            (self.files / f"{state.name}{kind}.key").write_bytes(
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            )
            batch.append(prepare(_order(state, kind, key, then), signer, then))
        recorded = [
            prepared
            for (state, _), prepared in zip(wanted, batch, strict=True)
            if state.status is not Verdict.UNKNOWN
        ]
        issued = dict(
            zip(
                (prepared.content.serial_number for prepared in recorded),
                issue_all(recorded, self.parts.certificates, _ACTOR, then),
                strict=True,
            )
        )
        for (state, kind), prepared in zip(wanted, batch, strict=True):
            made = issued.get(prepared.content.serial_number)
            if made is None:  # signed behind the back of the records
                lint(prepared.copy, prepared.content)
                signature = sign_octets(signer.key, prepared.tbs_certificate)
                made = assemble(prepared.copy, signature, signer)
            assert isinstance(made, x509.Certificate), made
            _write(self.files / f"{state.name}{kind}.pem", made)

    def _answer_by_the_first_signer(self, name: str) -> None:
        """Make the responses about one certificate ahead; they are served until half-life."""
        responder = ocsp_responder(self.parts, self.parts.issuers.get(ISSUERS[0]), self.now)
        assert responder is not None
        serials = self._serials(BY_NAME[name])
        responses = self.parts.ocsp_responses
        due = responses.due(ISSUERS[0], self.now, 100)
        produced = [responder.produce(each, self.now) for each in due if each.serial in serials]
        assert len(produced) == len(serials)
        responses.keep(ISSUERS[0], produced)

    def _serials(self, state: State) -> list[SerialNumber]:
        return [_serial(self.files / f"{state.name}{kind}.pem") for kind in _PROFILES]

    def _put_on_hold(self) -> None:
        held = {serial for state in STATES if state.was_held for serial in self._serials(state)}
        issuer = ISSUERS[1]
        for serial in held:
            self.parts.statuses.hold(issuer, serial, _ACTOR, self.now)
        renew_crl(self.parts, self.parts.issuers.get(issuer), self.now)
        crl = x509.load_der_x509_crl(self.parts.crl_file(issuer).read_bytes())
        assert {entry.serial_number for entry in crl} == held

    def _decide(self, state: State, serial: SerialNumber) -> None:
        issuer, statuses = IssuerName(state.generation), self.parts.statuses
        if state.was_held and state.status is Verdict.GOOD:
            statuses.release(issuer, serial, "system:other", self.now)
        elif state.reason not in {None, Reason.CERTIFICATE_HOLD}:
            assert state.reason is not None
            statuses.revoke(issuer, serial, state.reason, _ACTOR, self.now)


BY_FIRST_SIGNER = "older-responder"


def _order(
    state: State, kind: str, key: ec.EllipticCurvePrivateKey, then: datetime
) -> CertificateOrder:
    host = f"{state.name.lower()}.example"
    return CertificateOrder(
        load_profile(_PROFILES[kind]),
        SubjectName.of([("CN", host)]),
        key.public_key(),
        (host, "localhost", "127.0.0.1"),
        # Both seconds count (RFC 5280 section 4.1.2.5), and a fraction of one is none.
        not_after=then.replace(microsecond=0) + timedelta(days=1) if state.expired else None,
    )


def _serial(path: Path) -> SerialNumber:
    return SerialNumber(x509.load_pem_x509_certificate(path.read_bytes()).serial_number)


def _write(path: Path, *made: x509.Certificate | x509.CertificateRevocationList) -> None:
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in made))


def _fetch(service: Service, party: Party) -> None:
    """What anyone gets from the listener: certificates of the authorities, and CRLs."""
    names = ("root", *ISSUERS)
    above = [
        x509.load_der_x509_certificate(service.public(f"/ca/{name}.cer").body) for name in names
    ]
    crls = [service.public(f"/crl/{name}.crl").body for name in names]
    lists = [x509.load_der_x509_crl(body) for body in crls]
    for name, certificate, body, crl in zip(names, above, crls, lists, strict=True):
        _write(party.folder / f"{name}.pem", certificate)
        _write(party.folder / f"{name}.crl", crl)
        (party.folder / f"{name}.crl.der").write_bytes(body)
    _write(party.folder / "between.pem", *above[1:])
    _write(party.folder / "all.pem", *above)
    _write(party.folder / "crls.pem", *lists)
    for name, crl in zip(ISSUERS, lists[1:], strict=True):
        _write(party.folder / f"{name}.crls.pem", lists[0], crl)
    for state in STATES:
        issuer = (party.folder / f"{state.generation}.pem").read_bytes()
        (party.folder / f"{state.name}.issuer.pem").write_bytes(issuer)
        for kind in _PROFILES:
            own = (party.folder / f"{state.name}{kind}.pem").read_bytes()
            (party.folder / f"{state.name}{kind}.chain.pem").write_bytes(own + issuer)
