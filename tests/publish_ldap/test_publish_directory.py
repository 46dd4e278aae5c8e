import time
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory
from publish_ldap.errors import DirectoryError, DirectoryRefused, DirectoryUnavailable
from publish_ldap.settings import DirectorySettings
from tests.support.directory_certificates import Published, an_entry, an_issuer, pseudonym_of
from tests.support.slapd import ldapadd, ldapsearch, silence

CERTIFICATES = "userCertificate;binary"

NASTY_NAMES = [
    "Ødegaard, Kirsten",
    "Kirsten+Ødegaard",
    'Kirsten "Kis" Ødegaard',
    "Kirsten\\Ødegaard",
    "<Kirsten>; Ødegaard",
    " Kirsten",
    "Kirsten ",
    "#Kirsten",
    "Kirsten=Ødegaard",
    "*)(uid=*",
    "x,dc=evil,dc=example",
    "Æøå Łódź 日本",
    "../../Kirsten\\2c",
]

ISSUERS = [
    an_issuer(),
    an_issuer('CA "1", \\ + <x>; #1 = (2)*', organization=" Tillid "),
    an_issuer("Prøve-CA", organization="Tillid Ærø"),
]


def test_a_published_certificate_is_found_byte_for_byte(
    slapd: PrivateSlapd, directory: Directory
) -> None:
    certificate, entry = Published(), an_entry()
    entry_uuid = directory.add_certificate(entry, certificate.der)
    (found,) = ldapsearch(slapd, f"(uid={pseudonym_of(entry)})")
    assert found[CERTIFICATES] == [certificate.der]
    assert found["entryUUID"] == [entry_uuid.encode()]
    assert found["cn"] == ["Kirsten Ødegaard".encode()]
    assert set(found["objectClass"]) == {b"inetOrgPerson", b"pkiUser"}


@pytest.mark.parametrize("issuer", ISSUERS, ids=["plain", "marks", "letters"])
def test_a_certificate_is_found_by_issuer_and_serial(directory: Directory, issuer: object) -> None:
    certificate = Published(issuer=issuer)  # type: ignore[arg-type]
    entry_uuid = directory.add_certificate(an_entry(), certificate.der)
    assert directory.find_certificate(certificate.issuer, certificate.serial) == (entry_uuid,)
    assert directory.holds(entry_uuid, certificate.issuer, certificate.serial, certificate.der)
    directory.remove_certificate(None, certificate.issuer, certificate.serial)
    assert directory.find_certificate(certificate.issuer, certificate.serial) == ()


def test_publishing_twice_changes_nothing(slapd: PrivateSlapd, directory: Directory) -> None:
    certificate, entry = Published(), an_entry()
    first = directory.add_certificate(entry, certificate.der)
    assert directory.add_certificate(entry, certificate.der) == first
    (found,) = ldapsearch(slapd, f"(uid={pseudonym_of(entry)})")
    assert found[CERTIFICATES] == [certificate.der]


def test_two_certificates_of_a_holder_stand_side_by_side_and_leave_one_by_one(
    slapd: PrivateSlapd, directory: Directory
) -> None:
    one, two, entry = Published(), Published(), an_entry()
    entry_uuid = directory.add_certificate(entry, one.der)
    assert directory.add_certificate(entry, two.der) == entry_uuid
    (found,) = ldapsearch(slapd, f"(uid={pseudonym_of(entry)})")
    assert set(found[CERTIFICATES]) == {one.der, two.der}

    directory.remove_certificate(entry_uuid, one.issuer, one.serial)
    (found,) = ldapsearch(slapd, f"(uid={pseudonym_of(entry)})")
    assert found[CERTIFICATES] == [two.der]

    directory.remove_certificate(entry_uuid, two.issuer, two.serial)
    assert ldapsearch(slapd, f"(uid={pseudonym_of(entry)})") == []


def test_withdrawing_twice_is_no_error(directory: Directory) -> None:
    certificate = Published()
    entry_uuid = directory.add_certificate(an_entry(), certificate.der)
    for _ in range(2):
        directory.remove_certificate(entry_uuid, certificate.issuer, certificate.serial)
    assert directory.find_certificate(certificate.issuer, certificate.serial) == ()


def test_an_entry_that_another_created_loses_our_value_and_stays(
    slapd: PrivateSlapd, directory: Directory
) -> None:
    certificate, entry = Published(), an_entry()
    ldapadd(
        slapd,
        f"dn: uid={pseudonym_of(entry)},{slapd.suffix}\n"
        "objectClass: inetOrgPerson\ncn: Kirsten\nsn: From Payroll\n"
        f"creatorsName: cn=payroll,{slapd.suffix}\n",
    )
    entry_uuid = directory.add_certificate(entry, certificate.der)
    directory.remove_certificate(entry_uuid, certificate.issuer, certificate.serial)
    (found,) = ldapsearch(slapd, f"(uid={pseudonym_of(entry)})")
    assert CERTIFICATES not in found
    assert found["sn"] == [b"From Payroll"]


@pytest.mark.parametrize("issuer", ISSUERS, ids=["plain", "marks", "letters"])
def test_a_withdrawal_touches_no_other_entry(
    slapd: PrivateSlapd, directory: Directory, issuer: object
) -> None:
    ours = Published(issuer=issuer)  # type: ignore[arg-type]
    same_serial = Published(issuer=an_issuer("Issuing CA 2"), serial=ours.serial)
    same_issuer = Published(issuer=ours.issuer)
    bare, others = an_entry(), [an_entry(), an_entry()]
    ldapadd(
        slapd,
        f"dn: uid={pseudonym_of(bare)},{slapd.suffix}\nobjectClass: inetOrgPerson\ncn: n\nsn: n\n",
    )
    directory.add_certificate(others[0], same_serial.der)
    directory.add_certificate(others[1], same_issuer.der)
    entry_uuid = directory.add_certificate(an_entry(), ours.der)
    wanted = "".join(f"(uid={pseudonym_of(entry)})" for entry in [bare, *others])
    before = ldapsearch(slapd, f"(|{wanted})")

    directory.remove_certificate(entry_uuid, ours.issuer, ours.serial)

    assert len(before) == 3
    assert ldapsearch(slapd, f"(|{wanted})") == before


def test_an_entry_that_changes_while_it_is_withdrawn_is_not_deleted(directory: Directory) -> None:
    certificate, entry = Published(), an_entry()
    directory.add_certificate(entry, certificate.der)
    (read_before,) = directory._search_below(f"(uid={pseudonym_of(entry)})")
    later = Published()
    entry_uuid = directory.add_certificate(entry, later.der)
    with pytest.raises(DirectoryRefused, match=r"^north: assertionFailed$"):
        directory._delete_unchanged(read_before)
    assert directory.find_certificate(later.issuer, later.serial) == (entry_uuid,)


@pytest.mark.parametrize("name", NASTY_NAMES)
def test_any_name_makes_one_entry_directly_under_the_base(
    slapd: PrivateSlapd, directory: Directory, name: str
) -> None:
    before = len(ldapsearch(slapd, "(objectClass=*)", scope="sub"))
    certificate = Published()
    entry_uuid = directory.add_certificate(an_entry(name, pseudonym=name), certificate.der)
    (found,) = ldapsearch(slapd, f"(entryUUID={entry_uuid})", scope="one")
    assert found["cn"] == found["uid"] == [name.encode()]
    assert len(ldapsearch(slapd, "(objectClass=*)", scope="sub")) == before + 1
    directory.remove_certificate(entry_uuid, certificate.issuer, certificate.serial)
    assert len(ldapsearch(slapd, "(objectClass=*)", scope="sub")) == before


def test_a_pseudonym_that_only_looks_the_same_to_the_directory_gets_no_certificate(
    directory: Directory,
) -> None:
    entry = an_entry()
    directory.add_certificate(entry, Published().der)
    other = Published()
    with pytest.raises(DirectoryRefused, match=r"^north: anotherHolder$"):
        directory.add_certificate(an_entry(pseudonym=pseudonym_of(entry).upper() + " "), other.der)
    assert directory.find_certificate(other.issuer, other.serial) == ()


def test_a_server_that_is_down_is_unavailable_and_welcome_back(own_slapd: PrivateSlapd) -> None:
    with Directory(own_slapd.settings("north", timeout_seconds=1)) as directory:
        assert directory.is_reachable()
        own_slapd.stop()
        for _ in range(2):  # once over the connection it had, once over a new one
            started = time.monotonic()
            with pytest.raises(DirectoryUnavailable):
                directory.add_certificate(an_entry(), Published().der)
            assert time.monotonic() - started < 30
        assert not directory.is_reachable()
        own_slapd.start()
        assert directory.is_reachable()


def test_a_silent_server_is_unavailable_within_the_time_out(own_slapd: PrivateSlapd) -> None:
    certificate = Published()
    with Directory(own_slapd.settings("north", timeout_seconds=1)) as directory:
        directory.open()
        with silence(own_slapd):
            for _ in range(2):  # once over the connection it had, once over a new one
                started = time.monotonic()
                with pytest.raises(DirectoryUnavailable):
                    directory.find_certificate(certificate.issuer, certificate.serial)
                assert time.monotonic() - started < 30


def test_a_wrong_password_is_refused(slapd: PrivateSlapd, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("guess")
    settings = replace(slapd.settings("north"), password_file=wrong)
    with (
        Directory(settings) as directory,
        pytest.raises(DirectoryRefused, match=r"^north: invalidCredentials$"),
    ):
        directory.open()


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_password_file_without_a_password_is_refused(
    slapd: PrivateSlapd, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DirectoryRefused, match=r"^north: passwordFile$"):
        Directory(replace(slapd.settings("north"), password_file=file)).open()


def test_a_server_without_tls_gets_no_password_when_tls_is_wanted(
    slapd: PrivateSlapd, tmp_path: Path
) -> None:
    settings = replace(slapd.settings("north"), ca_file=tmp_path / "ca.pem")
    with Directory(settings) as directory:
        with pytest.raises(DirectoryRefused, match=r"^north: caFile$"):
            directory.open()
        (tmp_path / "ca.pem").write_text("")
        with pytest.raises(DirectoryUnavailable, match=r"^north: LDAPStartTLSError$"):
            directory.open()


def test_without_a_login_a_directory_can_be_read_and_not_written(
    slapd: PrivateSlapd, directory: Directory
) -> None:
    certificate = Published()
    entry_uuid = directory.add_certificate(an_entry(), certificate.der)
    anonymous = replace(slapd.settings("north"), bind_dn=None, password_file=None)
    with Directory(anonymous) as reader:
        assert reader.find_certificate(certificate.issuer, certificate.serial) == (entry_uuid,)
        with pytest.raises(DirectoryRefused):
            reader.add_certificate(an_entry(), Published().der)


def test_a_base_that_is_not_there_is_refused_not_empty(slapd: PrivateSlapd) -> None:
    certificate = Published()
    elsewhere = replace(slapd.settings("north"), base_dn=f"ou=gone,{slapd.suffix}")
    with Directory(elsewhere) as directory:
        assert not directory.is_reachable()
        with pytest.raises(DirectoryRefused, match=r"^north: noSuchObject$"):
            directory.find_certificate(certificate.issuer, certificate.serial)


@pytest.mark.parametrize("fault", ["base", "certificate", "password", "down"])
def test_an_error_names_no_person_and_no_place(
    slapd: PrivateSlapd, tmp_path: Path, fault: str
) -> None:
    settings = slapd.settings("north", timeout_seconds=1)
    wrong = tmp_path / "password"
    wrong.write_text("guess")
    faults: dict[str, DirectorySettings] = {
        "base": replace(settings, base_dn=f"ou=kirsten,{slapd.suffix}"),
        "password": replace(settings, password_file=wrong),
        "down": replace(settings, url="ldap://127.0.0.1:1"),
    }
    certificate = b"kirsten" if fault == "certificate" else Published().der
    with (
        Directory(faults.get(fault, settings)) as directory,
        pytest.raises(DirectoryError) as caught,
    ):
        directory.add_certificate(an_entry(pseudonym="kirsten"), certificate)
    error = caught.value
    told = f"{error!r} {error.args} {error.__cause__!r} {error.__context__!r}".lower()
    told += traceback.format_exception_only(error)[0].lower()
    for secret in ("kirsten", "degaard", "uid=", "dc=", "tillid.example", "guess"):
        assert secret not in told


@pytest.mark.parametrize(
    "fault",
    [
        {"url": "http://127.0.0.1"},
        {"url": "ldap://127.0.0.1/dc=example"},
        {"url": "ldap://directory.example"},
        {"url": "ldap://127.0.0.1:65536"},
        {"password_file": None},
        {"base_dn": "not a name"},
        {"base_dn": ""},
        {"timeout_seconds": 0},
    ],
    ids=str,
)
def test_settings_that_cannot_work_or_bare_the_password_are_refused(
    fault: dict[str, object],
) -> None:
    settings = DirectorySettings(
        "north", "ldap://127.0.0.1", "dc=example", "cn=admin", Path("admin.password")
    )
    with pytest.raises(ValueError):
        replace(settings, **fault)  # type: ignore[arg-type]
