"""The service's own certificates, the look from outside, and the parts joined."""

import base64
import dataclasses
import os
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.identifiers import IssuerName, SerialNumber
from ca.issuers import AS_SETTINGS, IssuerPolicy
from gdpr_erasure.erasures import Place
from records.database import Database
from records.errors import DatabaseUnavailable
from records.officers import Role
from records.schema import migrate
from revocation.preproduction import DueResponse
from revocation.reasons import Reason
from revocation.status import Good
from server.assembly import Assembly, assembled
from server.clock import utc_now
from server.errors import IssuerOffline, NoRegisters, ServiceFailed
from server.jobs import run_job
from server.metrics import Metrics
from server.own_certificates import (
    ensure_ocsp_signer,
    ensure_staff_listener,
    ocsp_policy,
    ocsp_responder,
    ocsp_signer,
)
from server.probe import PublicProbe
from server.service import _pid_file
from server.settings_sources import load_settings
from tests.support.installation import an_installation
from tests.support.public_address import Answer, genuine, listening
from tests.support.revocation_pki import new_key
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer

ISSUING = IssuerName("issuing")
EVER = datetime(2000, 1, 1, tzinfo=UTC)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def parts(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    state = tmp_path_factory.mktemp("own") / "state"
    with an_installation(softhsm, state, TILLID_PUBLIC__PORT=str(free_port())) as found:
        run_job("own-certificates", found, Metrics.of_process())
        yield found


@pytest.fixture(scope="module")
def revoked(parts: Assembly) -> Place:
    certificate = an_officer(parts, Role.AUDITOR).certificate
    place = (ISSUING, SerialNumber(certificate.serial_number))
    parts.statuses.revoke(*place, Reason.SUPERSEDED, "system:operator", utc_now())
    run_job("renew-crls", parts, Metrics.of_process())
    return place


def test_an_ocsp_signer_is_renewed_when_a_third_of_its_life_is_left(parts: Assembly) -> None:
    record = parts.issuers.get(ISSUING)
    first = ocsp_signer(parts, record, utc_now())
    assert first is not None
    whole = first.not_valid_after_utc - first.not_valid_before_utc
    turn = first.not_valid_after_utc - whole / 3
    assert not ensure_ocsp_signer(parts, record, turn - timedelta(seconds=1))
    assert ocsp_signer(parts, record, turn) == first
    assert ensure_ocsp_signer(parts, record, turn)
    second = ocsp_signer(parts, record, turn)
    assert second is not None
    assert second.not_valid_before_utc > first.not_valid_before_utc
    assert second.public_key() == first.public_key()
    assert not ensure_ocsp_signer(parts, record, turn)
    # A clock that was ahead and is set right again finds the one that is valid now.
    assert ocsp_signer(parts, record, utc_now()) == first
    assert not ensure_ocsp_signer(parts, record, utc_now())


def test_the_listeners_key_is_its_owners_alone_and_its_certificate_is_renewed(
    parts: Assembly,
) -> None:
    now = utc_now()
    chain, key = ensure_staff_listener(parts, now)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    first, issuing = x509.load_pem_x509_certificates(chain.read_bytes())
    first.verify_directly_issued_by(issuing)
    before = key.read_bytes(), chain.read_bytes()
    ensure_staff_listener(parts, now)
    assert (key.read_bytes(), chain.read_bytes()) == before
    whole = first.not_valid_after_utc - first.not_valid_before_utc
    ensure_staff_listener(parts, first.not_valid_after_utc - whole / 3)
    second, _ = x509.load_pem_x509_certificates(chain.read_bytes())
    assert second.not_valid_after_utc > first.not_valid_after_utc
    assert key.read_bytes() == before[0]


def test_a_lost_listener_key_is_made_anew_with_its_certificate(parts: Assembly) -> None:
    chain, key = ensure_staff_listener(parts, utc_now())
    (before, _) = x509.load_pem_x509_certificates(chain.read_bytes())
    key.unlink()
    ensure_staff_listener(parts, utc_now())
    (after, _) = x509.load_pem_x509_certificates(chain.read_bytes())
    assert after.public_key() != before.public_key()


def test_what_the_public_listener_says_is_believed(parts: Assembly, revoked: Place) -> None:
    probe = PublicProbe(parts.issuers)
    with listening(parts, genuine(parts)):
        crl, answer = probe.revoked_in_crl(revoked, EVER), probe.revoked_in_ocsp(revoked)
        assert crl is not None
        assert answer is not None
        assert (crl.channel, answer.channel, len(answer.sha256)) == ("crl", "ocsp", 32)
        assert crl.number is not None
        # Not for a certificate that is good, nor by a CRL that is older than asked for.
        good = an_officer(parts, Role.AUDITOR).certificate
        other = (ISSUING, SerialNumber(good.serial_number))
        assert probe.revoked_in_crl(other, EVER) is None
        assert probe.revoked_in_ocsp(other) is None
        assert probe.revoked_in_crl(revoked, utc_now() + timedelta(seconds=2)) is None


def test_nothing_is_believed_while_nobody_answers(parts: Assembly, revoked: Place) -> None:
    probe = PublicProbe(parts.issuers)
    assert probe.revoked_in_crl(revoked, EVER) is None
    assert probe.revoked_in_ocsp(revoked) is None


def test_a_proxy_in_the_environment_is_not_asked(
    parts: Assembly, revoked: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with listening(parts, genuine(parts)):
        assert PublicProbe(parts.issuers).revoked_in_crl(revoked, EVER) is not None


def a_responder(
    issuer: x509.Certificate, key: ec.EllipticCurvePrivateKey, signer: object, *, may_sign: bool
) -> x509.Certificate:
    """A certificate for the key, signed by whichever key is given, with or without the right."""
    now = utc_now()
    purpose = ExtendedKeyUsageOID.OCSP_SIGNING if may_sign else ExtendedKeyUsageOID.SERVER_AUTH
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "OCSP")])
    return (
        x509.CertificateBuilder(issuer.subject, name, key.public_key(), 77)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    )


def forged_ocsp(
    parts: Assembly, *, by_issuer: bool, may_sign: bool, keep_nonce: bool = True
) -> Answer:
    issuing = parts.issuing()
    key = new_key()
    signer = issuing.key if by_issuer else new_key()
    responder = a_responder(issuing.certificate, key, signer, may_sign=may_sign)

    def answer(path: str) -> tuple[int, bytes]:
        octets = base64.b64decode(unquote(path).partition("/issuing/")[2])
        request = ocsp.load_der_ocsp_request(octets)
        now = utc_now().replace(microsecond=0)
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                request.issuer_name_hash,
                request.issuer_key_hash,
                request.serial_number,
                request.hash_algorithm,
                ocsp.OCSPCertStatus.REVOKED,
                now,
                now + timedelta(hours=1),
                now,
                None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, responder)
            .certificates([responder])
        )
        nonce = request.extensions.get_extension_for_class(x509.OCSPNonce).value
        builder = builder.add_extension(
            nonce if keep_nonce else x509.OCSPNonce(bytes(32)), critical=False
        )
        return 200, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)

    return answer


@pytest.mark.parametrize(
    ("forgery", "believed"),
    [
        # Sound but for what is changed in the others.
        ({"by_issuer": True, "may_sign": True}, True),
        ({"by_issuer": False, "may_sign": True}, False),
        ({"by_issuer": True, "may_sign": False}, False),
        ({"by_issuer": True, "may_sign": True, "keep_nonce": False}, False),
    ],
    ids=str,
)
def test_only_a_delegated_responder_that_answers_this_request_is_believed(
    parts: Assembly, revoked: Place, forgery: dict[str, bool], *, believed: bool
) -> None:
    with listening(parts, forged_ocsp(parts, **forgery)) as asked:
        found = PublicProbe(parts.issuers).revoked_in_ocsp(revoked)
    assert (found is not None) is believed
    assert len(asked) == 1


def forged_crl(parts: Assembly, place: Place, signer: object) -> bytes:
    issuing, now = parts.issuing(), utc_now()
    entry = x509.RevokedCertificateBuilder().serial_number(place[1]).revocation_date(now).build()
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuing.certificate.subject)
        .last_update(now)
        .next_update(now + timedelta(days=1))
        .add_revoked_certificate(entry)
        .add_extension(x509.CRLNumber(9), critical=False)
        .sign(signer, hashes.SHA256())  # type: ignore[arg-type]
        .public_bytes(Encoding.DER)
    )


@pytest.mark.parametrize("octets", [b"", b"0\x00", b"<html>", bytes(10_000)])
@pytest.mark.parametrize("status", [200, 404, 503])
def test_junk_is_not_believed(parts: Assembly, revoked: Place, octets: bytes, status: int) -> None:
    probe = PublicProbe(parts.issuers)
    with listening(parts, lambda _: (status, octets)):
        assert probe.revoked_in_crl(revoked, EVER) is None
        assert probe.revoked_in_ocsp(revoked) is None


def test_a_crl_that_another_key_signed_is_not_believed(parts: Assembly, revoked: Place) -> None:
    octets = forged_crl(parts, revoked, new_key())
    with listening(parts, lambda _: (200, octets)):
        assert PublicProbe(parts.issuers).revoked_in_crl(revoked, EVER) is None


def test_a_redirect_is_not_followed(parts: Assembly, revoked: Place) -> None:
    answer = genuine(parts)
    url = f"{parts.settings.public.url}/crl/issuing.crl?moved"

    def moved(path: str) -> tuple[int, bytes]:
        return answer(path.removesuffix("?moved")) if "?" in path else (302, url.encode())

    with listening(parts, moved) as asked:
        assert PublicProbe(parts.issuers).revoked_in_crl(revoked, EVER) is None
    assert len(asked) == 1


def test_parts_are_given_back_when_joining_fails(tmp_path: Path) -> None:
    settings = load_settings({"TILLID_STATE": str(tmp_path)}, tmp_path)
    with pytest.raises(DatabaseUnavailable, match="db migrate"), assembled(settings):
        pass
    assert not _open_below(tmp_path)


def _open_below(folder: Path) -> list[Path]:
    held = [place.readlink() for place in Path("/proc/self/fd").iterdir() if place.exists()]
    return [path for path in held if path.is_relative_to(folder)]


def test_without_a_ceremony_nobody_issues(tmp_path: Path) -> None:
    settings = load_settings({"TILLID_STATE": str(tmp_path)}, tmp_path)
    database = Database(settings.database.url.reveal())
    migrate(database)
    database.close()
    with assembled(settings) as parts:
        with pytest.raises(IssuerOffline):
            parts.issuing()
        with pytest.raises(NoRegisters):
            parts.registers()
        assert not parts.settings.directories


def test_one_state_directory_has_one_service(tmp_path: Path) -> None:
    path = tmp_path / "serve.pid"
    path.write_text(f"{os.getppid()}\n")  # left behind; its number belongs to another by now
    with _pid_file(path):
        assert path.read_text() == f"{os.getpid()}\n"
        with pytest.raises(ServiceFailed, match=str(os.getpid())), _pid_file(path):
            pass
    assert path.read_text() == ""
    with _pid_file(path):
        pass


def test_a_crl_policy_gives_a_root_a_month(parts: Assembly) -> None:
    root, issuing = parts.issuers.all()
    assert parts.crl_policy(root).validity == timedelta(days=31)
    assert parts.crl_policy(issuing).validity < timedelta(days=10)
    assert dataclasses.replace(parts).crl_file(root.name).name == "root.crl"


def test_responses_of_an_issuer_are_valid_for_longer_where_that_was_said(parts: Assembly) -> None:
    def validity(policy: IssuerPolicy) -> timedelta:
        record = dataclasses.replace(parts.issuing_record(), policy=policy)
        return ocsp_policy(parts.settings, record).validity

    assert validity(AS_SETTINGS) == timedelta(hours=1)
    assert validity(IssuerPolicy(ocsp_validity=timedelta(hours=8))) == timedelta(hours=8)
    # What caches and static files are told is by the settings, and must not be too long.
    assert validity(IssuerPolicy(ocsp_validity=timedelta(minutes=5))) == timedelta(hours=1)


def test_the_responder_signs_by_the_issuers_own_policy(parts: Assembly) -> None:
    policy = IssuerPolicy(ocsp_validity=timedelta(hours=8))
    record, now = dataclasses.replace(parts.issuing_record(), policy=policy), utc_now()
    responders = ocsp_responder(parts, record, now)
    assert responders is not None
    made = responders.produce(DueResponse(SerialNumber(4711), 0, Good()), now)
    assert made.life.next_update - made.life.this_update == timedelta(hours=8, seconds=-1)
