"""One installation with officers for all tests of the staff pages."""

from collections.abc import Iterator

import pytest

from records.officers import Role
from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm
from tests.support.staff import Browser, Office, an_app, an_officer


@pytest.fixture(scope="session")
def office(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with an_installation(softhsm, tmp_path_factory.mktemp("office") / "state") as parts:
        staff = {role: an_officer(parts, role) for role in Role}
        yield Office(parts, an_app(parts), staff)


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
