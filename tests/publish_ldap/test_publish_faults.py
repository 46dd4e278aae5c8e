"""Directories that are full, refuse, break or are strange: nothing is lost and nothing doubled."""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from demo.processes import free_port
from publish_ldap.connection import SUCCESS, parsed
from publish_ldap.directory import Directory
from publish_ldap.entry import DEVICE, HOST, ORGANISATION, Entry, EntryTemplate, Holder
from publish_ldap.errors import DirectoryError, DirectoryRefused, DirectoryUnavailable
from publish_ldap.names import escaped, is_distinguished_name
from publish_ldap.settings import DIALECTS, Dialect, DirectorySettings, Product
from tests.support.directory_certificates import Published, a_holder, an_entry
from tests.support.slapd import ConfiguredSlapd, ldapadd, ldapsearch, started
from tests.support.slow_proxy import slow_proxy

SMALL = MappingProxyType({"maxsize 1073741824": "maxsize 250000"})
FOREST = """
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL
  MAY ( objectGUID $ userPrincipalName ) )
"""


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfiguredSlapd]:
    """A server that does not wait for its disk, with some of Active Directory's schema."""
    server = ConfiguredSlapd(tmp_path_factory.mktemp("fast") / "slapd", free_port())
    server.lines, server.schema = "dbnosync\nsizelimit unlimited", FOREST
    yield from started(server)


@pytest.fixture
def own(tmp_path: Path) -> ConfiguredSlapd:
    return ConfiguredSlapd(tmp_path / "slapd", free_port())


def random_name(chance: random.Random) -> str:
    """Any characters that a name may hold, marks of DNs and filters most of all."""
    while True:
        some = [chance.choice(' ,+"\\<>;#=*()/&|!~') for _ in range(chance.randint(1, 6))]
        some += [chr(chance.randint(0x21, 0x2FFF)) for _ in range(chance.randint(0, 6))]
        chance.shuffle(some)
        name = unicodedata.normalize("NFC", "".join(some))
        refused = {unicodedata.category(letter) for letter in name} & _REFUSED
        if name.strip() and not refused:
            return name


_REFUSED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_ten_thousand_names_make_ten_thousand_entries_directly_under_the_base(
    fast: ConfiguredSlapd,
) -> None:
    chance = random.Random(4514)  # noqa: S311 - names, not secrets
    base = parsed(fast.suffix)
    before = len(ldapsearch(fast, "(objectClass=inetOrgPerson)", scope="sub"))
    entries = [an_entry(random_name(chance), f"{n}{random_name(chance)}") for n in range(10_000)]
    names = [entry.distinguished_name(fast.suffix) for entry in entries]
    assert all(is_distinguished_name(name) and parsed(name)[1:] == base for name in names)
    sent = [
        (n, e.object_classes, {**dict(e.attributes)}) for n, e in zip(names, entries, strict=True)
    ]
    # No answer may be late here, however little of the machine this server gets.
    with Directory(fast.settings("north", timeout_seconds=60)) as directory:
        added = directory.session.add_many(sent, (fast.suffix, (), ()))
    assert added.outcomes == [SUCCESS] * len(sent)
    below = ldapsearch(fast, "(objectClass=inetOrgPerson)", scope="one")
    pseudonyms = {entry.holder[1] for entry in entries}
    assert pseudonyms <= {uid.decode() for each in below for uid in each.get("uid", ())}
    everywhere = ldapsearch(fast, "(objectClass=inetOrgPerson)", scope="sub")
    assert len(everywhere) - before == len(entries)


def test_a_full_directory_takes_everything_once_there_is_room(own: ConfiguredSlapd) -> None:
    own.changes = SMALL
    wanted = [(an_entry(), Published().der) for _ in range(150)]
    for server in started(own):
        with Directory(server.settings("north")) as directory:
            outcomes = directory.add_certificates(wanted)
            failed = {one.code for one in outcomes if isinstance(one, DirectoryError)}
            assert failed
            assert failed <= {"other", "unwillingToPerform", "adminLimitExceeded"}
            server.stop()
            own.changes = MappingProxyType({})
            server.start()
        with Directory(server.settings("north")) as directory:
            again = directory.add_certificates(wanted)
        assert not [one for one in again if isinstance(one, DirectoryError)]
        found = ldapsearch(server, "(userCertificate=*)")
        assert len(found) == len(wanted)


def test_a_server_that_hangs_up_in_the_middle_is_unavailable_and_gets_the_rest_later(
    fast: ConfiguredSlapd,
) -> None:
    wanted = [(an_entry(), Published().der) for _ in range(10)]
    with slow_proxy(fast.url) as proxy:
        settings = replace(fast.settings("north"), url=proxy.url)
        with Directory(settings) as directory:
            proxy.after, proxy.strike = 4000, proxy.hang_up
            outcomes = directory.add_certificates(wanted)
            assert DirectoryUnavailable in {type(one) for one in outcomes}
            again = directory.add_certificates(wanted)
    assert {type(one) for one in again} == {str}
    held = [e["userCertificate;binary"] for e in ldapsearch(fast, "(userCertificate=*)")]
    assert [held.count([der]) for _, der in wanted] == [1] * len(wanted)


def test_a_server_that_shows_few_at_once_is_asked_one_by_one(own: ConfiguredSlapd) -> None:
    own.changes = MappingProxyType({"access to * by * read": "sizelimit 2\naccess to * by * write"})
    wanted = [(an_entry(), Published().der) for _ in range(5)]
    for server in started(own):
        anonymous = replace(server.settings("north"), bind_dn=None, password_file=None)
        own.lines = ""
        with Directory(anonymous) as directory:
            outcomes = directory.add_certificates(wanted)
    assert {type(one) for one in outcomes} <= {str, DirectoryRefused}


def test_an_entry_against_the_schema_fails_alone(fast: ConfiguredSlapd) -> None:
    strange = EntryTemplate("uid={serialNumber}", ("pkiUser",), (("uid", "{serialNumber}"),), "uid")
    with Directory(fast.settings("north")) as directory:
        bad, good = directory.add_certificates(
            [(strange.entry(a_holder()), Published().der), (an_entry(), Published().der)]
        )
    assert isinstance(bad, DirectoryRefused)
    assert bad.code == "objectClassViolation"
    assert isinstance(good, str)


def test_parents_are_made_only_where_that_is_wanted(fast: ConfiguredSlapd) -> None:
    template = EntryTemplate(
        "uid={serialNumber},ou={SN},o=\\c3\\98st\\, Vest",
        ("inetOrgPerson", "pkiUser"),
        (("uid", "{serialNumber}"), ("cn", "{CN}"), ("sn", "{SN}")),
        "uid",
    )
    settings, certificate = fast.settings("north"), Published()
    wanted = [(template.entry(a_holder()), certificate.der)]
    with Directory(settings) as directory:
        (refused,) = directory.add_certificates(wanted)
        assert isinstance(refused, DirectoryRefused)
        assert refused.code == "noSuchObject"
    with Directory(replace(settings, create_parents=True)) as directory:
        (identifier,) = directory.add_certificates(wanted)
        assert isinstance(identifier, str)
    (parent,) = ldapsearch(fast, "(ou=Ødegaard)", scope="sub")
    assert parent["objectClass"] == [b"organizationalUnit"]


@pytest.mark.parametrize(
    ("template", "holder", "classes"),
    [
        (
            ORGANISATION,
            (("O", "Ærø + Søn, A/S"), ("organizationIdentifier", "NTRDK-1"), ("CN", "Seal")),
            {b"organization", b"pkiUser"},
        ),
        (
            DEVICE,
            (("O", "Ærø"), ("CN", "reader 7"), ("serialNumber", "SN=7")),
            {b"device", b"pkiUser"},
        ),
        (HOST, (("CN", "*.ærø.example"),), {b"device", b"pkiUser"}),
    ],
    ids=["organisation", "device", "host"],
)
def test_organisations_and_devices_have_entries_of_their_own(
    fast: ConfiguredSlapd,
    template: EntryTemplate,
    holder: tuple[tuple[str, str], ...],
    classes: set[bytes],
) -> None:
    one, two = Published(), Published()
    entry = template.entry(Holder("device", holder))
    with Directory(fast.settings("north")) as directory:
        first = directory.add_certificate(entry, one.der)
        assert directory.add_certificate(entry, two.der) == first
        (found,) = ldapsearch(fast, f"(entryUUID={first})")
        assert set(found["objectClass"]) == classes
        assert set(found["userCertificate;binary"]) == {one.der, two.der}
        for each in (one, two):
            directory.remove_certificate(first, each.issuer, each.serial)
        assert ldapsearch(fast, f"(entryUUID={first})") == []


class Forest(DirectorySettings):
    """Active Directory, but for `;binary`, which OpenLDAP asks for."""

    @property
    def dialect(self) -> Dialect:
        return replace(DIALECTS[Product.ACTIVE_DIRECTORY], certificate="userCertificate;binary")


def test_users_of_a_forest_keep_everything_but_our_value(fast: ConfiguredSlapd) -> None:
    of = fast.settings("forest")
    forest = Forest("forest", of.url, of.base_dn, of.bind_dn, of.password_file)
    principal = f"{a_holder().value('serialNumber')}@forest.example"
    holder = Holder("employee", (("CN", "K"), ("mail", principal)))
    entry = EntryTemplate(find="userPrincipalName={mail}").entry(holder)
    certificate = Published()
    with Directory(forest) as directory:
        with pytest.raises(DirectoryRefused, match="noSuchObject"):
            directory.add_certificate(entry, certificate.der)
        ldapadd(
            fast,
            f"dn: cn={principal},{fast.suffix}\nobjectClass: user\nobjectClass: pkiUser\n"
            f"cn: {principal}\nsn: K\nuserPrincipalName: {principal}\n"
            "objectGUID:: AAECAwQFBgcICQoLDA0ODw==\n",
        )
        (identifier,) = directory.add_certificates([(entry, certificate.der)])
        assert identifier == "03020100-0504-0706-0809-0a0b0c0d0e0f"
        assert directory.holds(
            str(identifier), certificate.issuer, certificate.serial, certificate.der
        )
        directory.remove_certificate(str(identifier), certificate.issuer, certificate.serial)
        assert directory.find_certificate(certificate.issuer, certificate.serial) == ()
    (left,) = ldapsearch(fast, f"(userPrincipalName={escaped(principal)})")
    assert "userCertificate;binary" not in left
    assert left["sn"] == [b"K"]


def test_an_entry_that_is_found_twice_gets_nothing(fast: ConfiguredSlapd) -> None:
    wanted = Entry("", 0, (), (), ("sn", "Twice"), existing=True)
    for name in ("a", "b"):
        ldapadd(
            fast, f"dn: cn={name}-twice,{fast.suffix}\nobjectClass: person\ncn: {name}\nsn: Twice\n"
        )
    with (
        Directory(fast.settings("north")) as directory,
        pytest.raises(DirectoryRefused, match=r"^north: severalEntries$"),
    ):
        directory.add_certificate(wanted, Published().der)
