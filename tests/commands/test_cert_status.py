"""`tillid cert revoke|hold|release` as the system operator, here."""

from pathlib import Path

import pytest
from cryptography import x509

from ca.identifiers import SerialNumber
from commands.exit_codes import ExitCode
from records.officers import Role
from server.clock import utc_now
from tests.support.import_office import Office
from tests.support.people import a_request
from tests.support.staff import an_officer


@pytest.fixture
def card(office: Office) -> str:
    """ISSUER/SERIAL of an officer's certificate, whose profile can be held."""
    return place(an_officer(office.parts, Role.AUDITOR).certificate)


def place(certificate: x509.Certificate) -> str:
    return f"issuing/{SerialNumber(certificate.serial_number).hex}"


def test_the_operator_holds_and_does_not_release(office: Office, card: str) -> None:
    held = office.tillid("cert", "hold", card, "--cause", "key-lost")
    assert held.result["status"] == "held"
    assert office.tillid("cert", "status", card).code == ExitCode.CHECK_SAYS_NO

    own = office.tillid("cert", "release", card)
    assert own.code == ExitCode.NOT_ALLOWED
    assert own.problem["rule"] == "NSIS ISS-REV-L3b REACTIVATION_NOT_AUTHORISED"


def test_the_operator_releases_what_an_officer_held(office: Office, card: str) -> None:
    parts = office.parts
    officer = an_officer(parts, Role.SECURITY_ADMINISTRATOR).officer.id
    record = parts.certificates.find(serial=card.partition("/")[2])[0]
    parts.statuses.hold(record.issuer, record.serial_number, officer, utc_now())

    assert office.tillid("cert", "release", card).result["status"] == "issued"
    assert office.tillid("cert", "status", card).code == ExitCode.DONE


def test_a_cause_is_kept_and_its_reason_published(office: Office, card: str) -> None:
    since = f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"
    done = office.tillid(
        "cert", "revoke", card, "--cause", "key-lost", "--invalid-since", since, "--yes"
    ).result
    assert (done["cause"], done["reason"]) == ("key-lost", "keyCompromise")
    assert done["invalid_since"] == since.replace("Z", "+00:00")
    assert office.tillid("cert", "show", card).result == done


def test_a_reason_stands_for_its_plainest_cause(office: Office, card: str) -> None:
    done = office.tillid("cert", "revoke", card, "--reason", "superseded", "--yes").result
    assert (done["cause"], done["reason"]) == ("replaced", "superseded")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), ExitCode.USAGE),
        (("--cause", "orphan"), ExitCode.USAGE),
        (("--cause", "death", "--reason", "superseded"), ExitCode.USAGE),
        (("--cause", "key-lost", "--invalid-since", "soon"), ExitCode.USAGE),
        (("--cause", "key-lost", "--invalid-since", "1970-01-01T00:00:00Z"), ExitCode.REFUSED),
    ],
)
def test_what_is_not_right_is_refused_and_changes_nothing(
    office: Office, card: str, words: tuple[str, ...], code: ExitCode
) -> None:
    refused = office.tillid("cert", "revoke", card, "--yes", *words)
    assert refused.code == code
    assert refused.problem["detail"]
    assert office.tillid("cert", "status", card).code == ExitCode.DONE


@pytest.mark.parametrize(("profile", "issuer"), [("tls-server", "issuing"), ("issuing", "root")])
def test_servers_and_authorities_are_not_put_on_hold(
    office: Office, tmp_path: Path, profile: str, issuer: str
) -> None:
    if profile == "tls-server":
        csr = tmp_path / "web.csr"
        csr.write_bytes(a_request())
        words = ("cert", "issue", "--profile", profile, "--csr", csr, "--host", "localhost")
        serial = office.tillid(*words, "--out", tmp_path / "web.pem").result["serial_number"]
    else:
        (record,) = office.parts.certificates.find(profile=profile)
        serial = record.serial_number.hex
    refused = office.tillid("cert", "hold", f"{issuer}/{serial}", "--cause", "key-lost")
    assert refused.code == ExitCode.REFUSED
    assert refused.problem["rule"] == "CA/Browser Forum BR 4.9.13, hold"
    assert profile in refused.problem["detail"]


def test_the_operator_is_braked_as_an_officer_is(office: Office) -> None:
    limit = office.parts.settings.revocation.alone_per_hour
    cards = [place(an_officer(office.parts, Role.AUDITOR).certificate) for _ in range(limit + 1)]
    codes = [
        office.tillid("cert", "revoke", card, "--cause", "not-needed", "--yes").code
        for card in cards
    ]
    assert codes == [ExitCode.DONE] * limit + [ExitCode.REFUSED]
