"""Each job does what is missing and nothing else."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, prepare
from ca.issuers import IssuerRecord
from ca.names import SubjectName
from ca.profiles import load_profile
from ra.applications import Application
from records.audit_log import audit_log
from records.issuers import Issuers
from records.officers import Role
from revocation.reasons import Reason
from server.assembly import Assembly
from server.authorities import renew_root_crls
from server.clock import utc_now
from server.errors import IssuerOffline, TokenOffline
from server.fulfilment import certificate_order
from server.job_loop import UNHURRIED
from server.jobs import JOBS, run_job
from server.metrics import Metrics
from server.service import jobs_by_hand
from tests.support.installation import an_installation, leave_nothing_to_watch
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer, certified

ISSUING = IssuerName("issuing")


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path / "state") as found:
        yield found


@pytest.fixture
def metrics() -> Metrics:
    return Metrics.of_process()


def an_intent(parts: Assembly, now: datetime) -> SerialNumber:
    """An intent whose process died before it signed."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    subject = SubjectName.of([("CN", "web.example")])
    order = CertificateOrder(load_profile("tls-server"), subject, key, ("web.example",))
    prepared = prepare(order, parts.issuing(), now)
    parts.certificates.record_intents([prepared], "system:test", now)
    return prepared.content.serial_number


def served_number(parts: Assembly) -> int:
    crl = x509.load_der_x509_crl(parts.crl_file(ISSUING).read_bytes())
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def without(parts: Assembly, issuer: str) -> Assembly:
    """The same installation on a host where one issuer's key is not at hand."""

    @dataclasses.dataclass(frozen=True)
    class _Tokens:
        inner: object

        def find(self, token: str, label: str) -> object:
            return None if label == f"{issuer}-ca" else parts.tokens.find(token, label)

        def __getattr__(self, name: str) -> object:
            return getattr(parts.tokens, name)

    return dataclasses.replace(parts, tokens=_Tokens(parts.tokens))  # type: ignore[arg-type]


def test_every_job_does_nothing_when_all_is_well(parts: Assembly, metrics: Metrics) -> None:
    for _ in range(3):
        for name in JOBS:
            run_job(name, parts, metrics)
    assert {name: run_job(name, parts, metrics) for name in JOBS} == dict.fromkeys(JOBS, 0)


def test_an_intent_is_closed_once_it_belongs_to_nobody(parts: Assembly, metrics: Metrics) -> None:
    young, old = utc_now(), utc_now() - timedelta(minutes=1)
    serials = an_intent(parts, young), an_intent(parts, old)
    assert run_job("close-intents", parts, metrics) == 1
    found = [parts.certificates.record(ISSUING, serial).status for serial in serials]
    assert found == ["intent", "revoked"]


def test_a_revocation_is_in_the_next_crl(parts: Assembly, metrics: Metrics) -> None:
    run_job("renew-crls", parts, metrics)
    before = served_number(parts)
    serial = SerialNumber(an_officer(parts, Role.AUDITOR).certificate.serial_number)
    parts.statuses.revoke(ISSUING, serial, Reason.SUPERSEDED, "system:operator", utc_now())
    assert run_job("renew-crls", parts, metrics) == 1
    assert served_number(parts) == before + 1
    crl = x509.load_der_x509_crl(parts.crl_file(ISSUING).read_bytes())
    assert crl.get_revoked_certificate_by_serial_number(serial) is not None


def test_a_crl_is_renewed_before_it_ends(
    parts: Assembly, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_job("renew-crls", parts, metrics)
    latest = parts.crls.latest(ISSUING)
    assert latest is not None
    margin = parts.crl_policy(parts.issuers.get(ISSUING)).renew_margin
    for moment, done in ((latest.next_update - margin, 0), (latest.next_update, 1)):
        monkeypatch.setattr("server.jobs.utc_now", lambda moment=moment: moment)
        assert run_job("renew-crls", parts, metrics) == done


def test_a_lost_file_is_put_back_without_a_new_number(parts: Assembly, metrics: Metrics) -> None:
    run_job("renew-crls", parts, metrics)
    number = served_number(parts)
    parts.crl_file(ISSUING).write_bytes(b"torn")
    assert run_job("renew-crls", parts, metrics) == 0
    assert run_job("publish-crls", parts, metrics) == 1
    assert served_number(parts) == number
    assert jobs_by_hand(parts, ("publish-crls",)) == {"publish-crls": 0}


def test_a_root_that_is_locked_away_holds_up_no_other_issuer(
    parts: Assembly, metrics: Metrics
) -> None:
    assert [record.name for record in parts.issuers.all()] == ["root", "issuing"]
    served = parts.crl_file(IssuerName("root")).read_bytes()
    an_orphan = an_intent(parts, utc_now())
    assert parts.certificates.revoke_orphan(ISSUING, an_orphan, utc_now())
    assert run_job("renew-crls", without(parts, "root"), metrics) == 1
    assert served_number(parts) == 2
    assert parts.crl_file(IssuerName("root")).read_bytes() == served


def test_the_service_never_uses_the_token_of_a_root(parts: Assembly, metrics: Metrics) -> None:
    with pytest.raises(IssuerOffline):
        parts.issuer("root")
    (under_root,) = parts.certificates.find(issuer="root", profile="issuing")
    place = under_root.issuer, under_root.serial_number
    parts.statuses.revoke(*place, Reason.SUPERSEDED, "system:operator", utc_now())
    assert run_job("renew-crls", parts, metrics) == 0
    root = parts.crls.latest(IssuerName("root"))
    assert root is not None
    assert root.number == 1
    with parts.tokens.online(parts.settings.hsm.root_token):
        assert [step.issuer for step in renew_root_crls(parts, utc_now())] == ["root"]
    with pytest.raises(TokenOffline):
        parts.tokens.open(parts.settings.hsm.root_token)


def test_a_token_that_is_not_there_is_an_issuer_offline(parts: Assembly) -> None:
    class _Elsewhere(Issuers):
        def get(self, name: str) -> IssuerRecord:
            return dataclasses.replace(super().get(name), token="elsewhere")

    moved = dataclasses.replace(parts, issuers=_Elsewhere(parts.database))
    with pytest.raises(IssuerOffline):
        moved.issuer(ISSUING)


def test_crls_by_two_processes_at_once_have_rising_numbers(
    parts: Assembly, metrics: Metrics
) -> None:
    run_job("renew-crls", parts, metrics)
    served, done = [served_number(parts)], Event()

    def watch() -> None:
        while not done.wait(0.001):
            served.append(served_number(parts))

    def work() -> None:
        for _ in range(8):
            serial = an_intent(parts, utc_now() - timedelta(minutes=1))
            parts.certificates.revoke_orphan(ISSUING, serial, utc_now())
            attempt(lambda: run_job("renew-crls", parts, metrics))
            run_job("publish-crls", parts, metrics)

    watcher = Thread(target=watch)
    workers = [Thread(target=work) for _ in range(3)]
    watcher.start()
    in_threads(workers)
    done.set()
    watcher.join()
    assert all(earlier <= later for earlier, later in pairwise(served))
    latest = parts.crls.latest(ISSUING)
    assert latest is not None
    assert served_number(parts) == latest.number > 1


def attempt(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - only the one that is meant
        assert type(error).__name__ == "CrlNumberTaken"  # noqa: PT017


def in_threads(threads: list[Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_fails_again_and_again_is_tried_less_and_less(
    parts: Assembly, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = an_officer(parts, Role.REGISTRATION_OFFICER).officer
    approver = an_officer(parts, Role.APPROVING_OFFICER)
    left = certified(without(parts, "issuing"), clerk, approver)
    begun = utc_now()

    def orphaned(_: Assembly, batch: list[Application], __: datetime) -> list[Application]:
        (application,) = batch
        _, signed = parts.applications.approval(application)
        order = certificate_order(application, signed)
        prepared = prepare(order, parts.issuing(), now)
        parts.certificates.record_intents([prepared], "system:test", now)
        parts.certificates.revoke_orphan(ISSUING, prepared.content.serial_number, now)
        return batch

    monkeypatch.setattr("server.jobs.fulfil_all", orphaned)
    for second in range(120):
        now = begun + timedelta(seconds=second)
        monkeypatch.setattr("server.jobs.utc_now", lambda now=now: now)
        run_job("fulfil-applications", parts, metrics)
    assert 6 <= len(parts.certificates.find(application_id=left.id)) <= 8


def test_the_log_is_sealed_when_there_is_something_new(parts: Assembly, metrics: Metrics) -> None:
    assert run_job("seal-audit-log", parts, metrics) == 1
    assert run_job("seal-audit-log", parts, metrics) == 0
    with audit_log(parts.database) as log:
        head = log.latest_head()
    assert head is not None
    kept = parts.settings.state / "public" / "audit" / "checkpoint"
    assert kept.read_text() == head.text


def test_jobs_that_find_nothing_to_do_write_nothing(
    parts: Assembly, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        for name in JOBS:
            run_job(name, parts, metrics)
    leave_nothing_to_watch(parts)
    for database in (parts.database, parts.vault.keys.database):
        monkeypatch.setattr(database, "_begin_write", "not SQL")
    for name in sorted(JOBS.keys() - UNHURRIED):
        assert run_job(name, parts, metrics) == 0, name
