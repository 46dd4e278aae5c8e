"""One installation with officers for the staff pages; one for each file of public tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from records.officers import Role
from server.assembly import Assembly
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from tests.support.authorities import site
from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm
from tests.support.staff import Browser, Office, an_app, an_officer, listing

__all__ = ["site"]


@contextmanager
def _an_office(softhsm: SoftHsm, state: Path) -> Iterator[Office]:
    with an_installation(softhsm, state) as installed:
        staff = {role: an_officer(installed, role) for role in Role}
        parts = replace(installed, decisions=listing(*staff.values()))
        yield Office(parts, an_app(parts), staff)


@pytest.fixture(scope="session")
def office(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with _an_office(softhsm, tmp_path_factory.mktemp("office") / "state") as found:
        yield found


@pytest.fixture
def office_at_another_time(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Office]:
    """For who records what happens on another day: no head of a shared log may cover it."""
    with _an_office(softhsm, tmp_path / "state") as found:
        yield found


@pytest.fixture
def vetting(office: Office) -> Browser:
    return office.browser(Role.REGISTRATION_OFFICER)


@pytest.fixture
def approving(office: Office) -> Browser:
    return office.browser(Role.APPROVING_OFFICER)


@pytest.fixture
def securing(office: Office) -> Browser:
    return office.browser(Role.SECURITY_ADMINISTRATOR)


@pytest.fixture
def auditing(office: Office) -> Browser:
    return office.browser(Role.AUDITOR)


@pytest.fixture(scope="module")
def parts(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path_factory.mktemp("public") / "state") as found:
        yield found


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return Metrics.of_process()


@pytest.fixture
def app(parts: Assembly, metrics: Metrics) -> PublicApp:
    for job in ("own-certificates", "renew-crls", "publish-crls"):
        run_job(job, parts, metrics)
    return PublicApp(parts, metrics)
