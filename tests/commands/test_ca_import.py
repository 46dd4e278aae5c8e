"""`tillid ca import`: an authority that `openssl ca` kept."""

import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca.identifiers import SerialNumber
from ca.key_quality import spki_sha256
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Unknown
from server.check import Verdict, check
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.import_office import OLD, Office
from tests.support.openssl_ca import OpensslCa, an_openssl_ca


@pytest.fixture(scope="session")
def kept_ca(tmp_path_factory: pytest.TempPathFactory) -> OpensslCa:
    return an_openssl_ca(tmp_path_factory.mktemp("openssl") / "ca")


@pytest.fixture
def ca(kept_ca: OpensslCa, tmp_path: Path) -> OpensslCa:
    """A copy of one's own."""
    folder = tmp_path / "ca"
    shutil.copytree(kept_ca.folder, folder)
    config = folder / "ca.cnf"
    config.write_text(config.read_text().replace(str(kept_ca.folder), str(folder)))
    return OpensslCa(folder)


def imported(office: Office, ca: OpensslCa, *more: str) -> dict[str, object]:
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes", *more)
    assert done.code == 0, done.answer
    return done.result


def test_a_dry_run_tells_each_row_and_changes_nothing(office: Office, ca: OpensslCa) -> None:
    told = office.tillid("ca", "import", "old-ca", *ca.arguments, "--dry-run")
    rows = [(row["serial_number"], row["decision"], row["reason"]) for row in told.result["rows"]]
    assert told.code == 0
    assert rows == [
        ("1001", "will import", None),
        ("1002", "will import", "keyCompromise"),
        ("1003", "will import", "superseded"),
        ("1004", "will import", None),
    ]
    assert OLD not in [record.name for record in office.parts.issuers.all()]
    assert office.statuses("1001") == [Unknown()]


def test_what_was_issued_is_taken_over_with_its_status(office: Office, ca: OpensslCa) -> None:
    result = imported(office, ca)
    good, stolen, replaced, old, other = office.statuses("1001", "1002", "1003", "1004", "1005")
    crl = x509.load_pem_x509_crl((ca.folder / "crl.pem").read_bytes())
    entry = crl.get_revoked_certificate_by_serial_number(0x1002)
    body = office.parts.certificates.body(OLD, SerialNumber(0x1001))

    assert result["counts"] == {"will import": 4}
    assert result["differences"] == []
    assert entry is not None
    assert stolen == Revoked(Reason.KEY_COMPROMISE, entry.revocation_date_utc)
    assert isinstance(replaced, Revoked)
    assert replaced.reason is Reason.SUPERSEDED
    assert (good, old, other) == (Good(), Good(), Unknown())
    assert body == x509.load_pem_x509_certificate(ca.file("1001").read_bytes())


def test_run_again_it_finds_everything_there(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    assert imported(office, ca)["counts"] == {"already there": 4}


def test_what_was_revoked_there_since_is_revoked_here_too(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    ca.revoke("1001", "cessationOfOperation")
    again = imported(office, ca)
    (status,) = office.statuses("1001")
    assert again["counts"] == {"will revoke": 1, "already there": 3}
    assert isinstance(status, Revoked)
    assert status.reason is Reason.CESSATION_OF_OPERATION


def test_expired_ones_are_left_out_when_told(office: Office, ca: OpensslCa) -> None:
    result = imported(office, ca, "--leave-expired")
    assert result["counts"] == {"will import": 3, "left out": 1}
    assert office.statuses("1004") == [Unknown()]


def test_a_stolen_key_is_not_certified_again(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    stolen = x509.load_pem_x509_certificate(ca.file("1002").read_bytes())
    key = stolen.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)

    assert office.parts.certificates.uses_of_key(spki_sha256(key)).compromised


def test_a_revoked_serial_whose_certificate_is_lost_stays_revoked(
    office: Office, ca: OpensslCa
) -> None:
    ca.file("1003").unlink()
    assert imported(office, ca)["differences"] == []
    (status,) = office.statuses("1003")
    assert isinstance(status, Revoked)
    assert status.reason is Reason.SUPERSEDED


def test_a_revocation_that_only_the_crl_tells_counts(office: Office, ca: OpensslCa) -> None:
    lines = ca.index.read_text().splitlines()
    ca.index.write_text("".join(f"{line}\n" for line in lines if "1003" not in line.split("\t")[3]))
    ca.file("1003").unlink()
    imported(office, ca)
    assert isinstance(office.statuses("1003")[0], Revoked)


def test_a_folder_without_index_is_enough(office: Office, ca: OpensslCa) -> None:
    arguments = ca.arguments[:4] + ca.arguments[6:]
    done = office.tillid("ca", "import", "old-ca", *arguments, "--yes")
    assert (done.code, done.result["counts"]) == (0, {"will import": 4})
    assert isinstance(office.statuses("1002")[0], Revoked)


def spoil_with_a_stranger(ca: OpensslCa) -> None:
    other = an_openssl_ca(ca.folder / "other")
    shutil.copy(other.file("1001"), ca.folder / "newcerts" / "stranger.pem")


def spoil_with_junk(ca: OpensslCa) -> None:
    (ca.folder / "newcerts" / "notes.txt").write_text("remember the milk\n")


def spoil_with_a_hold(ca: OpensslCa) -> None:
    ca.revoke("1001", "certificateHold")


def spoil_by_losing_a_good_one(ca: OpensslCa) -> None:
    ca.file("1001").unlink()


def spoil_by_forgetting_one(ca: OpensslCa) -> None:
    ca.index.write_text("".join(ca.index.read_text().splitlines(keepends=True)[1:]))


def spoil_the_index(ca: OpensslCa) -> None:
    ca.index.write_text(ca.index.read_text() + "V\tsoon\t\t2000\tunknown\t/CN=x\n")


def spoil_a_date(ca: OpensslCa) -> None:
    first, *rest = ca.index.read_text().splitlines(keepends=True)
    status, _, *others = first.split("\t")
    ca.index.write_text("\t".join([status, "400101000000Z", *others]) + "".join(rest))


def spoil_by_a_second_certificate(ca: OpensslCa) -> None:
    kept, index = ca.file("1001").read_bytes(), ca.index.read_text()
    (ca.folder / "serial").write_text("1001\n")
    ca.index.write_text("")
    ca.issue("twin.example.com")
    ca.file("1001").rename(ca.folder / "newcerts" / "twin.pem")
    ca.file("1001").write_bytes(kept)
    ca.index.write_text(index)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_with_a_stranger, "another authority signed it"),
        (spoil_with_junk, "not an X.509 certificate"),
        (spoil_with_a_hold, "it is on hold"),
        (spoil_by_losing_a_good_one, "no file holds its certificate"),
        (spoil_by_forgetting_one, "the index does not know it"),
        (spoil_the_index, "a time is not of the form"),
        (spoil_a_date, "ends at another time"),
        (spoil_by_a_second_certificate, "holds another of the same serial number"),
    ],
)
def test_what_cannot_be_right_is_refused_and_nothing_imported(
    office: Office, ca: OpensslCa, spoil: object, why: str
) -> None:
    assert callable(spoil)
    spoil(ca)
    planned = office.tillid("ca", "import", "old-ca", *ca.arguments, "--dry-run")
    refused = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes")
    (error,) = refused.problem["errors"]
    assert (planned.code, refused.code) == (9, 4)
    assert why in error["detail"]
    assert OLD not in [record.name for record in office.parts.issuers.all()]


def test_the_others_are_imported_when_told_and_the_difference_is_told(
    office: Office, ca: OpensslCa
) -> None:
    spoil_by_losing_a_good_one(ca)
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes", "--skip-refused")
    (difference,) = done.result["differences"]
    assert done.code == 9
    assert "1001: the records do not have it" in difference
    assert isinstance(office.statuses("1002")[0], Revoked)


def test_what_is_on_hold_is_never_skipped(office: Office, ca: OpensslCa) -> None:
    spoil_with_a_hold(ca)
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes", "--skip-refused")
    assert done.code == 4
    assert office.statuses("1002") == [Unknown()]


@pytest.mark.parametrize(
    "line",
    [
        "R\t{ends}\t260101120000Z,boredom\t{serial}\tunknown\t/CN=x",
        "V\t{ends}\t260101120000Z\t{serial}\tunknown\t/CN=x",
        "R\t{ends}\tlately\t{serial}\tunknown\t/CN=x",
        "{serial} was revoked by hand",
    ],
)
def test_a_line_that_may_speak_of_a_revocation_is_never_skipped(
    office: Office, ca: OpensslCa, line: str
) -> None:
    first, *rest = ca.index.read_text().splitlines(keepends=True)
    _, ends, _, serial, *_ = first.split("\t")
    ca.index.write_text(line.format(ends=ends, serial=serial) + "\n" + "".join(rest))
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes", "--skip-refused")
    assert (done.code, [each["field"] for each in done.problem["errors"]]) == (4, ["index line 1"])
    assert OLD not in [record.name for record in office.parts.issuers.all()]


def test_a_line_that_says_valid_may_be_skipped(office: Office, ca: OpensslCa) -> None:
    spoil_the_index(ca)
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes", "--skip-refused")
    assert done.result["counts"] == {"refused": 1, "will import": 4}


def test_a_comparison_tells_what_cannot_be_read(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    ca.index.write_text(ca.index.read_text().replace(",superseded", ",boredom") + "milk\n")
    spoil_with_junk(ca)
    ca.file("1003").unlink()
    told = office.tillid("ca", "import", "old-ca", *ca.arguments, "--compare")
    told_of = [line.split(":")[0] for line in told.result["differences"]]
    assert told.code == 9
    assert told_of[:3] == ["notes.txt", "index line 3", "index line 5"]


def test_a_comparison_tells_what_only_the_records_hold(office: Office, ca: OpensslCa) -> None:
    ca.file("1002").unlink()
    imported(office, ca)
    ca.file("1001").unlink()
    ca.index.write_text("".join(ca.index.read_text().splitlines(keepends=True)[2:]))
    told = office.tillid("ca", "import", "old-ca", *ca.arguments[:-2], "--compare")
    only = [f"serial {serial}: only the records have it" for serial in ("1001", "1002")]
    assert (told.code, told.result["differences"]) == (9, only)


def test_a_second_copy_of_what_is_revoked_is_no_difference(office: Office, ca: OpensslCa) -> None:
    shutil.copy(ca.file("1002"), ca.folder / "newcerts" / "copy.pem")
    assert imported(office, ca)["differences"] == []


def test_a_comparison_tells_what_was_revoked_here_since(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    same = office.tillid("ca", "import", "old-ca", *ca.arguments, "--compare")
    office.parts.statuses.revoke(
        OLD, SerialNumber(0x1001), Reason.SUPERSEDED, "system:test", utc_now()
    )
    other = office.tillid("ca", "import", "old-ca", *ca.arguments, "--compare")
    assert (same.code, other.code) == (0, 9)
    assert "not revoked there, revoked " in other.result["differences"][0]


def test_an_import_in_batches_goes_on_where_it_stopped(office: Office, ca: OpensslCa) -> None:
    arguments = ["ca", "import", "old-ca", *ca.arguments, "--yes", "--batch", "1"]
    code, _, told = office.tillid.told(*arguments)
    assert (code, told.splitlines()) == (0, [f"{n} of 4" for n in (1, 2, 3, 4)])
    assert imported(office, ca)["counts"] == {"already there": 4}


@pytest.mark.parametrize("which", ["leaf", "crl"])
def test_what_belongs_to_another_authority_is_refused(
    office: Office, ca: OpensslCa, which: str
) -> None:
    other = an_openssl_ca(ca.folder / "other")
    if which == "leaf":
        shutil.copy(ca.file("1001"), ca.folder / "ca.pem")
    else:
        shutil.copy(other.folder / "crl.pem", ca.folder / "crl.pem")
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes")
    assert done.code in {2, 4}


def test_a_name_that_another_issuer_has_is_a_conflict(office: Office, ca: OpensslCa) -> None:
    assert office.tillid("ca", "import", "issuing", *ca.arguments, "--yes").code == 7


def test_a_key_that_is_not_the_authoritys_is_refused(office: Office, ca: OpensslCa) -> None:
    key = ["--token", "tillid-issuing", "--key-label", "issuing-ca"]
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, *key, "--yes")
    assert (done.code, done.problem["rule"].split(",")[0]) == (4, "import.key")


def test_without_its_key_its_last_crl_is_served_as_it_is(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    for job in ("renew-crls", "publish-crls", "own-certificates"):
        run_job(job, office.parts, Metrics.of_process())
    served = x509.load_der_x509_crl(office.parts.crl_file(OLD).read_bytes())
    assert served == x509.load_pem_x509_crl((ca.folder / "crl.pem").read_bytes())


def test_what_was_taken_over_is_checked_like_our_own(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    verdicts = {
        number: check(
            office.parts, (ca.folder / "newcerts" / f"{number}.pem").read_bytes(), utc_now()
        ).verdict
        for number in ("1001", "1002", "1004")
    }
    assert verdicts == {
        "1001": Verdict.VALID,
        "1002": Verdict.REVOKED,
        "1004": Verdict.EXPIRED,
    }
