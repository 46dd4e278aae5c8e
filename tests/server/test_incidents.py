"""What has happened to other authorities: status not set up, own certificates, silent CRLs."""

import dataclasses
import errno
import json
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from ca.errors import Conflict
from ca.identifiers import IssuerName
from revocation.errors import PublicationFailed
from revocation.reasons import Reason
from server.alarms import AlarmName
from server.assembly import Assembly
from server.clock import utc_now
from server.errors import IssuerOffline
from server.jobs import JOBS, run_job
from server.logs import log_to
from server.metrics import Metrics
from server.observations import alarms_now
from server.public import PublicApp
from server.service import _staff_server, _try_to_publish, _try_to_renew, _try_to_trust
from tests.support.authorities import OPERATOR, Site
from tests.support.installation import an_installation
from tests.support.ocsp_client import request_for, said
from tests.support.service import quiet_port
from tests.support.settings_files import faults
from tests.support.softhsm import SoftHsm
from tests.support.wsgi import ask

ISSUING = IssuerName("issuing")


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    port = str(quiet_port())
    with an_installation(softhsm, tmp_path / "state", TILLID_STAFF__PORT=port) as found:
        for job in ("own-certificates", "renew-crls", "publish-crls"):
            run_job(job, found, Metrics.of_process())
        yield found


@pytest.fixture
def metrics() -> Metrics:
    return Metrics.of_process()


def on(parts: Assembly, now: datetime) -> set[tuple[AlarmName, str]]:
    return {(alarm.name, alarm.subject) for alarm in alarms_now(parts, now)}


def test_a_new_authority_answers_at_once_and_readiness_asks_for_every_issuer(
    site: Site, metrics: Metrics
) -> None:
    """Incident 8: OCSP was not set up for one of the issuers. Nothing is restarted here."""
    site.create()
    run_job("publish-crls", site.parts, metrics)
    asked = request_for(site.parts, 7, issuer="servers")
    answer = said(ask(site.app, "/ocsp/servers", "POST", asked))
    assert answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    assert ask(site.app, "/readyz").status == 200

    (signer,) = site.parts.certificates.find(profile="ocsp-signer", issuer="servers")
    place = (signer.issuer, signer.serial_number)
    site.parts.statuses.revoke(*place, Reason.SUPERSEDED, OPERATOR, utc_now())
    lacking = ask(PublicApp(site.parts, metrics), "/readyz")
    assert (lacking.status, lacking.body) == (503, b"servers: no OCSP responder\n")


@pytest.mark.parametrize(
    ("old", "key"),
    [
        ("validity_hours = 12", "ocsp.validity_hours"),
        ("validity = 720", "ocsp.validity"),
        ("validity_minutes = 43200", "ocsp.validity_minutes"),
        ("validity_minutes = 864000", "ocsp.validity_minutes"),
        ('validity_minutes = "12h"', "ocsp.validity_minutes"),
    ],
    ids=["hours", "another word", "thirty days", "ten days in seconds", "with a unit"],
)
def test_an_old_configuration_in_other_words_or_units_is_refused(
    tmp_path: Path, old: str, key: str
) -> None:
    """Incident 7: after an upgrade OCSP answers were valid for longer than they may be."""
    assert set(faults(tmp_path, f"[ocsp]\n{old}\n")) == {key}


def test_the_longest_validity_that_is_configured_stays_in_bounds_once_signed(
    softhsm: SoftHsm, tmp_path: Path, metrics: Metrics
) -> None:
    """Incident 7, looked at in the octets."""
    longest = {"TILLID_OCSP__VALIDITY_MINUTES": "14400"}
    with an_installation(softhsm, tmp_path / "state", **longest) as found:
        for job in ("own-certificates", "publish-crls"):
            run_job(job, found, metrics)
        (signer,) = found.certificates.find(profile="ocsp-signer", issuer="issuing")
        asked = request_for(found, signer.serial_number)
        answer = said(ask(PublicApp(found, metrics), "/ocsp/issuing", "POST", asked))
    assert answer.next_update_utc is not None
    told = answer.next_update_utc - answer.this_update_utc
    assert timedelta(days=9) < told <= timedelta(days=10)


def test_own_certificates_are_renewed_and_who_does_not_hears_of_it(
    parts: Assembly, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident 13: a certificate of the authority itself ended, and nobody was told."""
    staff = _staff_server(parts, metrics)
    thread = Thread(target=staff.serve)
    thread.start()
    try:
        before = shown(parts)
        later = utc_now() + timedelta(days=400)
        assert {
            (AlarmName.CERTIFICATE_ENDS, "ocsp-signer.issuing"),
            (AlarmName.CERTIFICATE_ENDS, "staff-listener"),
            (AlarmName.CRL_EXPIRED, "issuing"),
        } <= on(parts, later)
        for module in ("service", "assembly"):
            monkeypatch.setattr(f"server.{module}.utc_now", lambda: later)
        for job in ("own-certificates", "renew-crls"):
            assert JOBS[job](parts, metrics, later) == 1
        _try_to_renew(parts, staff)
        JOBS["seal-audit-log"](parts, metrics, later)
        after = shown(parts)
        assert after.not_valid_after_utc > later > before.not_valid_after_utc
        # Whose key is offline waits for people.
        assert on(parts, later) - {(AlarmName.CRL_EXPIRED, "root")} == set()
    finally:
        staff.stop()
        thread.join()


def shown(parts: Assembly) -> x509.Certificate:
    """The certificate that the staff listener shows."""
    pem = ssl.get_server_certificate(("127.0.0.1", parts.settings.staff.port))
    return x509.load_pem_x509_certificate(pem.encode())


def test_a_listener_that_cannot_renew_goes_on_with_what_it_has(
    parts: Assembly, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff = _staff_server(parts, metrics)
    later = utc_now() + timedelta(days=400)
    monkeypatch.setattr("server.service.utc_now", lambda: later)
    _try_to_renew(offline(parts), staff)
    assert (AlarmName.CERTIFICATE_ENDS, "staff-listener") in on(parts, later)
    staff.stop()


@pytest.mark.parametrize(
    "key", [b"", b"-----BEGIN PRIVATE KEY-----\n", None], ids=["empty", "cut short", "unreadable"]
)
def test_a_listener_whose_key_file_is_damaged_goes_on_with_what_it_has(
    parts: Assembly, metrics: Metrics, key: bytes | None
) -> None:
    staff = _staff_server(parts, metrics)
    file = parts.settings.state / "tls" / "staff.key"
    file.unlink()
    if key is None:
        file.mkdir()
    else:
        file.write_bytes(key)
    with log_to(parts.settings.state, "test") as log:
        _try_to_renew(parts, staff)
        assert log.read_text().count("serve.certificate_kept") == 1
    staff.stop()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "disk full"),
        ssl.SSLError("no match"),
        PublicationFailed(Path()),
        Conflict("it", "not"),
    ],
)
def test_the_service_goes_on_whatever_is_in_the_way_of_its_own_upkeep(
    parts: Assembly, metrics: Metrics, error: Exception
) -> None:
    staff = _staff_server(parts, metrics)

    class _Issuers:
        def all(self) -> object:
            raise error

        def __getattr__(self, name: str) -> object:
            raise error

    faulty = dataclasses.replace(parts, issuers=_Issuers())  # type: ignore[arg-type]
    with log_to(parts.settings.state, "test") as log:
        _try_to_trust(faulty, staff)
        _try_to_renew(faulty, staff)
        _try_to_publish(faulty, metrics)
        said = log.read_text()
    for event in ("issuers_unread", "certificate_kept", "crls_unwritten"):
        assert said.count(f"serve.{event}") == 1
    staff.stop()


def offline(parts: Assembly) -> Assembly:
    """The same installation on a host where the issuing key is not at hand."""

    class _Tokens:
        def find(self, token: str, label: str) -> object:
            return None if label == "issuing-ca" else parts.tokens.find(token, label)

        def __getattr__(self, name: str) -> object:
            return getattr(parts.tokens, name)

    return dataclasses.replace(parts, tokens=_Tokens())  # type: ignore[arg-type]


def test_a_crl_that_is_not_renewed_is_an_alarm_before_it_ends_and_comes_back_by_itself(
    parts: Assembly, metrics: Metrics
) -> None:
    """Incident 15: a renewal did not come, and nobody was told."""
    latest = parts.visible.latest_crl(ISSUING)
    assert latest is not None
    ends = latest[2]
    stale, expired = (AlarmName.CRL_STALE, "issuing"), (AlarmName.CRL_EXPIRED, "issuing")
    margin = parts.crl_policy(parts.issuers.get(ISSUING)).renew_margin
    for moment, alarm in ((ends - margin / 4, stale), (ends + timedelta(hours=3), expired)):
        with pytest.raises(IssuerOffline):
            JOBS["renew-crls"](offline(parts), metrics, moment)
        assert on(parts, moment) & {stale, expired} == {alarm}
    # The key is back: the next look is enough, whatever was missed.
    moment = ends + timedelta(hours=3)
    assert JOBS["renew-crls"](parts, metrics, moment) == 1
    assert on(parts, moment) & {stale, expired} == set()


def test_an_alarm_is_told_once_when_it_begins_and_once_when_it_ends(
    parts: Assembly, metrics: Metrics
) -> None:
    latest = parts.visible.latest_crl(ISSUING)
    assert latest is not None
    watch, expired = JOBS["watch-alarms"], metrics.alarms.labels(AlarmName.CRL_EXPIRED)
    later = latest[2] + timedelta(minutes=1)
    with log_to(parts.settings.state, "alarms-test", strict=True) as path:
        assert watch(parts, metrics, utc_now()) == 0
        begun = watch(parts, metrics, later)
        assert begun >= 1
        assert expired._value.get() == 1
        assert watch(parts, metrics, later) == 0
        assert watch(parts, metrics, utc_now()) == begun
        assert expired._value.get() == 0
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = [line["event"] for line in lines if line.get("alarm") == "CRL_EXPIRED"]
    assert told == ["alarm.begins", "alarm.ends"]
