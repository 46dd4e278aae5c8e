"""The lists of an issuer: its complete CRL, shards of it, a delta; made, served, and relied on."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca.errors import Refused
from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, issue, prepare
from ca.issuers import AS_SETTINGS, IssuerPolicy
from ca.names import SubjectName
from ca.profiles import load_profile
from records.database import Database
from revocation.crl_issue import issue_list
from revocation.errors import Conflict
from revocation.publication import DELTA, NEVER
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.crl_work import CrlWork
from server.crls import last_crls, renew_crl
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from server.verification import Outcome, verify
from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm
from tests.support.wsgi import ask

ISSUING = IssuerName("issuing")
ACTOR = "system:test"
SHARDS = 3


@pytest.fixture(scope="module")
def parts(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path_factory.mktemp("lists") / "state") as found:
        configure(found, IssuerPolicy(crl_shards=SHARDS, crl_deltas=True))
        run_job("renew-crls", found, Metrics.of_process())
        yield found


@pytest.fixture
def app(parts: Assembly) -> PublicApp:
    for job in ("own-certificates", "renew-crls", "publish-crls"):
        run_job(job, parts, Metrics.of_process())
    return PublicApp(parts, Metrics.of_process())


def configure(parts: Assembly, policy: IssuerPolicy) -> None:
    parts.issuers.configure(ISSUING, policy, utc_now())


def a_server(parts: Assembly) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    subject = SubjectName.of([("CN", "web.example")])
    order = CertificateOrder(load_profile("tls-server"), subject, key, ("web.example",))
    prepared = prepare(order, parts.issuing(), utc_now())
    return issue(prepared, parts.certificates, ACTOR, utc_now())


def revoke(parts: Assembly, certificate: x509.Certificate) -> None:
    serial = SerialNumber(certificate.serial_number)
    parts.statuses.revoke(ISSUING, serial, Reason.SUPERSEDED, ACTOR, utc_now())


def url_of(certificate: x509.Certificate) -> str:
    (point,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    (name,) = point.full_name or ()
    return str(name.value)


def served(app: PublicApp, certificate: x509.Certificate) -> x509.CertificateRevocationList:
    """What a relying party gets at the address that a certificate names."""
    path = url_of(certificate).removeprefix("http://127.0.0.1:8080")
    return x509.load_der_x509_crl(ask(app, path).body)


def test_a_certificate_names_its_shard_which_says_the_same_name_octet_for_octet(
    app: PublicApp, parts: Assembly
) -> None:
    certificates = [a_server(parts) for _ in range(8)]
    urls = {url_of(each) for each in certificates}
    base = parts.issuers.get(ISSUING).urls.crl.removesuffix(".crl")
    assert urls <= {f"{base}/{shard}.crl" for shard in range(1, SHARDS + 1)}
    for certificate in certificates:
        crl = served(app, certificate)
        point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
        assert point.critical
        (name,) = point.value.full_name or ()
        (named,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        (there,) = named.full_name or ()
        assert (name, str(name.value)) == (there, url_of(certificate))


def test_a_revocation_is_in_its_shard_and_the_complete_crl_and_in_no_other(
    app: PublicApp, parts: Assembly
) -> None:
    certificate = a_server(parts)
    names = [f"/crl/issuing/{shard}.crl" for shard in range(1, SHARDS + 1)]
    before = [x509.load_der_x509_crl(ask(app, name).body) for name in names]
    revoke(parts, certificate)
    run_job("renew-crls", parts, Metrics.of_process())
    serial, mine = certificate.serial_number, url_of(certificate)
    complete = x509.load_der_x509_crl(ask(app, "/crl/issuing.crl").body)
    assert complete.get_revoked_certificate_by_serial_number(serial) is not None
    for name, old in zip(names, before, strict=True):
        new = x509.load_der_x509_crl(ask(app, name).body)
        found = new.get_revoked_certificate_by_serial_number(serial)
        if mine.endswith(name):
            assert found is not None
            assert number(new) == number(old) + 1
        else:
            assert new == old
    checks = verify(parts, certificate, utc_now(), utc_now())
    own = next(each for each in checks if each.name == "crl")
    assert own.outcome is Outcome.FAILS
    assert f"shard {mine[-5]}" in own.said


def number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


@pytest.mark.parametrize("done", [True, False])
def test_who_comes_second_has_failed_only_if_something_is_still_due(
    parts: Assembly, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    record = parts.issuing_record()
    revoke(parts, a_server(parts))

    def second(*asked: Any) -> Any:
        if done:
            issue_list(*asked)
        raise Conflict

    monkeypatch.setattr("server.crls.issue_list", second)
    if done:
        assert renew_crl(parts, record, utc_now()) is None
    else:
        with pytest.raises(Conflict):
            renew_crl(parts, record, utc_now())
    monkeypatch.undo()
    renew_crl(parts, record, utc_now())


def test_the_delta_is_served_and_has_what_changed(app: PublicApp, parts: Assembly) -> None:
    certificate = a_server(parts)
    revoke(parts, certificate)
    run_job("renew-crls", parts, Metrics.of_process())
    complete = x509.load_der_x509_crl(ask(app, "/crl/issuing.crl").body)
    delta = x509.load_der_x509_crl(ask(app, "/crl/issuing/delta.crl").body)
    assert number(delta) == number(complete)
    assert delta.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
    (point,) = complete.extensions.get_extension_for_class(x509.FreshestCRL).value
    (name,) = point.full_name or ()
    assert str(name.value).endswith("/crl/issuing/delta.crl")


def test_a_shard_is_kept_up_after_certificates_are_spread_otherwise(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    certificate = a_server(parts)
    configure(parts, AS_SETTINGS)
    try:
        assert url_of(a_server(parts)) == parts.issuers.get(ISSUING).urls.crl
        revoke(parts, certificate)
        run_job("renew-crls", parts, metrics)
        found = served(app, certificate)
        serial = certificate.serial_number
        assert found.get_revoked_certificate_by_serial_number(serial) is not None
        run_job("publish-crls", parts, metrics)
        assert ask(app, "/crl/issuing/delta.crl").status == 404  # it would say too little now
    finally:
        configure(parts, IssuerPolicy(crl_shards=SHARDS, crl_deltas=True))


def test_nothing_is_issued_under_a_shard_that_cannot_be_fetched(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    configure(parts, IssuerPolicy(crl_shards=SHARDS + 40, crl_deltas=True))
    try:
        with pytest.raises(Refused) as refusal:
            [a_server(parts) for _ in range(200)]
        (finding,) = refusal.value.findings
        assert finding.rule == "issuer.crl"
        assert ask(app, f"/crl/issuing/{SHARDS + 1}.crl").status == 404
        run_job("renew-crls", parts, metrics)
        assert url_of(a_server(parts)).startswith("http://127.0.0.1:8080/crl/issuing/")
        assert ask(app, f"/crl/issuing/{SHARDS + 1}.crl").status == 200
    finally:
        configure(parts, IssuerPolicy(crl_shards=SHARDS, crl_deltas=True))


def test_nothing_is_issued_without_a_crl_or_once_the_last_one_has_ended(
    softhsm: SoftHsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        latest = parts.crls.latest(ISSUING)
        assert latest is not None
        later = latest.next_update + timedelta(seconds=1)
        for place, instead in (
            ("records.crls.Crls.lists", lambda _, __: []),
            ("server.assembly.utc_now", lambda: later),
        ):
            forgetful = replace(parts, crl_work=CrlWork())
            with monkeypatch.context() as patched:
                patched.setattr(place, instead)
                with pytest.raises(Refused) as refusal:
                    a_server(forgetful)
            (finding,) = refusal.value.findings
            assert finding.rule == "issuer.crl"
            assert finding.sentence == "the CRL of issuing is not served yet, or has ended"
        assert parts.certificates.find(profile="tls-server") == []
        a_server(parts)


def test_a_lost_shard_is_put_back(app: PublicApp, parts: Assembly, metrics: Metrics) -> None:
    revoke(parts, a_server(parts))  # the first complete CRL has no delta
    run_job("renew-crls", parts, metrics)
    for path in (parts.crl_file(ISSUING, 2), parts.crl_file(ISSUING, DELTA)):
        was = path.read_bytes()
        path.write_bytes(b"torn")
        assert run_job("publish-crls", parts, metrics) == 1
        assert path.read_bytes() == was
    assert ask(app, "/crl/issuing/2.crl").status == 200


@pytest.mark.parametrize(
    "path",
    ["/crl/issuing/0.crl", "/crl/issuing/-1.crl", "/crl/issuing/07.crl", "/crl/issuing/99999.crl",
     "/crl/issuing/999999.crl", "/crl/issuing/٣.crl", "/crl/issuing/../root.crl", "/crl/root/1.crl",
     "/crl/root/delta.crl", "/crl/other/1.crl", "/crl/issuing/1", "/crl/issuing/1.crl/2.crl"],
)  # fmt: skip
def test_there_is_no_list_of_another_name(app: PublicApp, path: str) -> None:
    assert ask(app, path).status == 404


def test_part_of_a_crl_can_be_asked_for(app: PublicApp) -> None:
    whole = ask(app, "/crl/issuing.crl")
    size, tag = len(whole.body), whole.headers["ETag"]
    date = whole.headers["Last-Modified"]
    assert whole.headers["Accept-Ranges"] == "bytes"
    for asked, part in (
        ("bytes=0-99", slice(0, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-50", slice(size - 50, None)),
        ("bytes=10-999999", slice(10, None)),
        ("bytes=-999999", slice(0, None)),
    ):
        for unless in ({}, {"HTTP_IF_RANGE": tag}, {"HTTP_IF_RANGE": date}):
            found = ask(app, "/crl/issuing.crl", HTTP_RANGE=asked, **unless)
            expected = whole.body[part]
            first = size - len(expected) if part.stop is None else 0
            assert (found.status, found.body) == (206, expected)
            of = f"bytes {first}-{first + len(expected) - 1}/{size}"
            assert found.headers["Content-Range"] == of
            assert found.headers["ETag"] == tag
    for asked in (f"bytes={size}-", "bytes=-0", "bytes=5-2", "bytes=-"):
        found = ask(app, "/crl/issuing.crl", HTTP_RANGE=asked)
        assert (found.status, found.body) == (416, b"")
        assert found.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    "asked",
    [{"HTTP_RANGE": "bytes=0-1,5-6"}, {"HTTP_RANGE": "lines=0-1"}, {"HTTP_RANGE": "bytes=a-b"},
     {"HTTP_RANGE": "bytes=0-99", "HTTP_IF_RANGE": '"another"'}],
)  # fmt: skip
def test_all_of_it_is_sent_when_a_part_is_not_understood_or_of_another(
    app: PublicApp, asked: dict[str, str]
) -> None:
    whole = ask(app, "/crl/issuing.crl")
    found = ask(app, "/crl/issuing.crl", **asked)
    assert (found.status, found.body) == (200, whole.body)


def test_who_has_it_is_told_so(app: PublicApp) -> None:
    whole = ask(app, "/crl/issuing.crl")
    tag, date = whole.headers["ETag"], whole.headers["Last-Modified"]
    for asked, status in (
        ({"HTTP_IF_NONE_MATCH": tag}, 304),
        ({"HTTP_IF_NONE_MATCH": f'"other", {tag}'}, 304),
        ({"HTTP_IF_NONE_MATCH": "*"}, 304),
        ({"HTTP_IF_NONE_MATCH": '"other"', "HTTP_IF_MODIFIED_SINCE": date}, 200),
        ({"HTTP_IF_MODIFIED_SINCE": date}, 304),
        ({"HTTP_IF_MODIFIED_SINCE": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200),
        ({"HTTP_IF_NONE_MATCH": tag, "HTTP_RANGE": "bytes=0-1"}, 304),
    ):
        found = ask(app, "/crl/issuing.crl", **asked)
        assert (found.status, found.body) == (status, whole.body if status == 200 else b"")


def test_head_says_what_get_would(app: PublicApp) -> None:
    get, head = (ask(app, "/crl/issuing.crl", method) for method in ("GET", "HEAD"))
    assert (head.status, head.body, head.headers) == (200, b"", get.headers)


def test_the_file_that_was_opened_is_sent_whatever_replaces_it(
    app: PublicApp, parts: Assembly
) -> None:
    path = parts.crl_file(ISSUING)
    begun = app._crls.answer(path, {}, utc_now())
    assert begun is not None
    assert begun.body is not None
    before = path.read_bytes()
    revoke(parts, a_server(parts))
    run_job("renew-crls", parts, Metrics.of_process())
    assert b"".join(begun.body) == before != path.read_bytes()
    assert begun.body.file.closed


def test_without_the_database_crls_are_served_on(app: PublicApp, parts: Assembly) -> None:
    assert ask(app, "/crl/issuing/1.crl").status == 200
    away = replace(parts, database=Database("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    assert PublicApp(away, Metrics.of_process()).parts is away
    app.parts = away
    assert ask(app, "/crl/issuing/1.crl").status == 200


def test_what_expired_is_kept_as_long_as_was_said(
    softhsm: SoftHsm, tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        configure(parts, IssuerPolicy(crl_keep_expired=timedelta(days=30)))
        certificate = a_server(parts)
        revoke(parts, certificate)
        found = []
        for days in (0, 5, 25, 35, 36):
            moment = certificate.not_valid_after_utc + timedelta(days=days, seconds=1)
            monkeypatch.setattr("server.jobs.utc_now", lambda moment=moment: moment)
            run_job("renew-crls", parts, metrics)
            crl = x509.load_der_x509_crl(parts.crls.whole(ISSUING))
            oid = x509.ObjectIdentifier("2.5.29.60")
            since = crl.extensions.get_extension_for_oid(oid)
            assert not since.critical
            assert isinstance(since.value, x509.UnrecognizedExtension)
            found.append((len(crl), since.value.value[2:].decode()))
    assert [count for count, _ in found] == [1, 1, 1, 1, 0]
    issuer = certificate.not_valid_before_utc
    assert found[0][1] <= f"{issuer:%Y%m%d%H%M%SZ}"
    assert [since for _, since in found] == sorted(since for _, since in found)


def test_the_last_crl_keeps_what_was_said_too(
    softhsm: SoftHsm, tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        configure(parts, IssuerPolicy(crl_keep_expired=timedelta(days=30), crl_shards=1))
        run_job("renew-crls", parts, metrics)
        certificate = a_server(parts)
        for each in parts.issuers.unended(ISSUING, utc_now(), 100):
            parts.statuses.revoke(ISSUING, each.serial_number, Reason.SUPERSEDED, ACTOR, utc_now())
        moment = certificate.not_valid_after_utc + timedelta(days=1)
        monkeypatch.setattr("server.jobs.utc_now", lambda: moment)
        run_job("renew-crls", parts, metrics)
        parts.issuers.supersede(ISSUING, moment)
        parts.issuers.retire(ISSUING, moment)
        made = list(last_crls(parts, parts.issuers.get(ISSUING), moment + timedelta(days=5)))
        for record in made:
            last = x509.load_der_x509_crl(parts.crls.whole(ISSUING, record.shard))
            assert last.next_update_utc == NEVER
            assert last.get_revoked_certificate_by_serial_number(certificate.serial_number)
            assert x509.ObjectIdentifier("2.5.29.60") in {each.oid for each in last.extensions}
    assert [record.shard for record in made] == [0, 1]
