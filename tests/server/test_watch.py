"""The watcher counts what relying parties see at our public address, and nothing before that."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ca.identifiers import IssuerName, SerialNumber
from ca.issuers import IssuerState
from records.database import Database
from records.officers import Role
from records.visibility import Channel
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from server.watch import open_changes, watch_status
from tests.support.installation import an_installation
from tests.support.public_address import Answer, genuine, listening
from tests.support.service import quiet_port
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer

ISSUING = IssuerName("issuing")
Place = tuple[IssuerName, SerialNumber]
OPERATOR = "system:operator"


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path, database: Database) -> Iterator[Assembly]:
    settings = {
        "TILLID_DATABASE__URL": database.engine.url.render_as_string(hide_password=False),
        "TILLID_PUBLIC__PORT": str(quiet_port()),
    }
    with an_installation(softhsm, tmp_path / "state", **settings) as found:
        run_job("own-certificates", found, Metrics.of_process())
        run_job("renew-crls", found, Metrics.of_process())
        yield found


@pytest.fixture
def metrics() -> Metrics:
    return Metrics.of_process()


@pytest.fixture
def place(parts: Assembly) -> Place:
    return ISSUING, SerialNumber(an_officer(parts, Role.AUDITOR).certificate.serial_number)


def revoke(parts: Assembly, place: Place) -> None:
    parts.statuses.revoke(*place, Reason.SUPERSEDED, "system:job", utc_now())


def waiting(parts: Assembly) -> set[Channel]:
    return {channel for _, channel, _ in open_changes(parts)}


def count(metrics: Metrics, channel: Channel) -> float:
    (family,) = metrics.revocation_visible.labels(channel).collect()
    return next(s.value for s in family.samples if s.name.endswith("_count"))


def test_a_revocation_is_seen_in_ocsp_at_once_and_in_the_crl_when_one_lists_it(
    parts: Assembly, metrics: Metrics, place: Place
) -> None:
    assert watch_status(parts, metrics, utc_now()) == 0
    revoke(parts, place)
    with listening(parts, genuine(parts)):
        assert watch_status(parts, metrics, utc_now()) == 1
        assert waiting(parts) == {Channel.CRL}
        assert count(metrics, Channel.OCSP) == 1
        run_job("renew-crls", parts, metrics)
        assert watch_status(parts, metrics, utc_now()) == 1
    assert waiting(parts) == set()
    assert count(metrics, Channel.CRL) == 1
    taken = parts.visible.latencies(Channel.CRL, utc_now() - timedelta(minutes=1))
    assert taken is not None
    assert timedelta(0) < taken.worst < timedelta(minutes=1)


def test_a_hold_and_its_return_are_each_seen(
    parts: Assembly, metrics: Metrics, place: Place
) -> None:
    with listening(parts, genuine(parts)):
        for change, actor in (
            (parts.statuses.hold, OPERATOR),
            (parts.statuses.release, "system:x"),
        ):
            change(*place, actor, utc_now())
            run_job("renew-crls", parts, metrics)
            assert watch_status(parts, metrics, utc_now()) == 2
    assert waiting(parts) == set()


def test_a_hold_that_is_lifted_before_anybody_saw_it_is_closed_with_its_return(
    parts: Assembly, metrics: Metrics, place: Place
) -> None:
    parts.statuses.hold(*place, OPERATOR, utc_now())
    parts.statuses.release(*place, "system:x", utc_now())
    run_job("renew-crls", parts, metrics)
    with listening(parts, genuine(parts)):
        assert watch_status(parts, metrics, utc_now()) == 2
    assert (waiting(parts), count(metrics, Channel.CRL)) == (set(), 2)


def stale(parts: Assembly) -> Answer:
    """What was served before, from then on: a cache that does not ask again."""
    kept: dict[str, tuple[int, bytes]] = {}
    inside = genuine(parts)

    def answer(path: str) -> tuple[int, bytes]:
        return kept.setdefault(path, inside(path))

    return answer


def elsewhere(status: int, body: bytes) -> Callable[[Assembly], Answer]:
    return lambda _: lambda _: (status, body)


@pytest.mark.parametrize(
    "outside",
    [stale, elsewhere(404, b""), elsewhere(200, b"junk"), elsewhere(302, b"/healthz")],
    ids=["a stale cache", "nothing there", "junk", "sent elsewhere"],
)
def test_what_is_not_served_is_not_seen(
    parts: Assembly, metrics: Metrics, place: Place, outside: Callable[[Assembly], Answer]
) -> None:
    answer = outside(parts)
    with listening(parts, answer):
        parts.statuses.hold(*place, OPERATOR, utc_now())
        run_job("renew-crls", parts, metrics)
        watch_status(parts, metrics, utc_now())
        parts.statuses.release(*place, "system:x", utc_now())
        run_job("renew-crls", parts, metrics)
        assert watch_status(parts, metrics, utc_now() + timedelta(seconds=9)) == 0
    assert waiting(parts) == {Channel.CRL, Channel.OCSP}
    assert metrics.status_unseen.labels(Channel.CRL)._value.get() > 8
    # Once the right ones are served it is seen, whoever looked before.
    with listening(parts, genuine(parts)):
        assert watch_status(parts, Metrics.of_process(), utc_now()) == 2


def test_an_answer_that_another_key_signed_is_not_seen(
    parts: Assembly, metrics: Metrics, place: Place, softhsm: SoftHsm, tmp_path: Path
) -> None:
    other = {"TILLID_HSM__ISSUING_TOKEN": "other-issuing", "TILLID_HSM__ROOT_TOKEN": "other-root"}
    with an_installation(softhsm, tmp_path / "other", **other) as stranger:
        forged = genuine(stranger)
        revoke(parts, place)
        run_job("renew-crls", parts, metrics)
        with listening(parts, forged):
            assert watch_status(parts, metrics, utc_now()) == 0
    assert waiting(parts) == {Channel.CRL, Channel.OCSP}


def test_many_revocations_are_one_fetch_of_the_crl_and_a_sample_of_ocsp(
    parts: Assembly, metrics: Metrics
) -> None:
    for _ in range(40):
        revoke(parts, (ISSUING, an_issued(parts)))
    run_job("renew-crls", parts, metrics)
    with listening(parts, genuine(parts)) as asked:
        assert watch_status(parts, metrics, utc_now()) == 2
    assert sum(path.endswith(".crl") for path in asked) == 1
    assert 2 <= sum(path.startswith("/ocsp/") for path in asked) <= 16
    assert (count(metrics, Channel.CRL), count(metrics, Channel.OCSP)) == (40, 40)


def an_issued(parts: Assembly) -> SerialNumber:
    return SerialNumber(an_officer(parts, Role.AUDITOR).certificate.serial_number)


def test_nothing_is_fetched_while_no_crl_could_show_it(
    parts: Assembly, metrics: Metrics, place: Place
) -> None:
    revoke(parts, place)
    with listening(parts, genuine(parts)) as asked:
        watch_status(parts, metrics, utc_now())
    assert not any(path.endswith(".crl") for path in asked)


def test_a_retired_issuer_and_a_root_are_watched_only_where_they_answer(
    parts: Assembly, place: Place
) -> None:
    revoke(parts, place)
    assert {(r.name, c) for r, c, _ in open_changes(parts)} == {
        (ISSUING, Channel.CRL),
        (ISSUING, Channel.OCSP),
    }
    with parts.database.write() as tx:
        tx.exec_driver_sql("UPDATE issuer SET state = 'superseded' WHERE name = 'issuing'")
        tx.exec_driver_sql("UPDATE issuer SET state = 'retired' WHERE name = 'issuing'")
    assert parts.issuers.get(ISSUING).state is IssuerState.RETIRED
    assert waiting(parts) == set()


def test_the_public_app_and_the_watcher_agree_on_what_was_made_ahead(
    parts: Assembly, metrics: Metrics, place: Place
) -> None:
    run_job("ocsp-responses", parts, metrics)
    app = PublicApp(parts, metrics)
    app.held.look(parts.ocsp_responses)
    revoke(parts, place)
    run_job("ocsp-responses", parts, metrics)
    with listening(parts, genuine(parts)):
        assert watch_status(parts, metrics, utc_now()) == 1
    assert waiting(parts) == {Channel.CRL}
