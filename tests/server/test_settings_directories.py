"""The tables [directories.NAME]: what they need before a directory is used."""

from pathlib import Path

import pytest

from publish_ldap.entry import PERSON
from publish_ldap.settings import Product
from server.settings_keys import keys_in, value_of
from server.settings_sources import Origin
from tests.support.settings_files import faults, load

NORTH = """
[directories.north-1]
url = "ldap://127.0.0.1"
base_dn = "dc=example,dc=dk"
processor = "Nordkommunen IT"
region = "DK"
"""


def test_any_number_of_directories_each_with_its_own_mapping(tmp_path: Path) -> None:
    text = (
        NORTH
        + """
bind_dn = "cn=admin"
password_file = "secret"
replicas = ["ldap://127.0.0.1:1389"]
[directories.north-1.entries.natural-person-low]
dn = "uid={serialNumber},ou=people"
object_classes = ["inetOrgPerson", "pkiUser"]
attributes = { uid = "{serialNumber}", cn = "{CN}", sn = "{SN}", mail = "{mail?}" }
holder = "uid"
[directories.forest]
url = "ldaps://dc1.forest.example"
base_dn = "dc=forest,dc=example"
processor = "Forest Ltd"
region = "US"
transfer_basis = "standard-clauses"
product = "active-directory"
[directories.forest.entries.employee]
find = "userPrincipalName={mail}"
"""
    )
    tables = load(tmp_path, text).settings.directories
    assert list(tables) == ["north-1", "forest"]
    north, forest = (table.settings(name) for name, table in tables.items())
    assert north.password_file == tmp_path / "state/secret"
    assert [each.url for each in north.servers()] == ["ldap://127.0.0.1", "ldap://127.0.0.1:1389"]
    assert north.entries["natural-person-low"].dn == "uid={serialNumber},ou=people"
    assert forest.product is Product.ACTIVE_DIRECTORY
    assert forest.entries["employee"].find == "userPrincipalName={mail}"
    assert PERSON not in north.entries.values()


def test_devices_and_hosts_are_published_where_a_table_names_their_profile(tmp_path: Path) -> None:
    tables = "".join(
        f"[directories.north-1.entries.{profile}]\n"
        for profile in ("device", "tls-server", "natural-person-low")
    )
    table = load(tmp_path, NORTH + tables).settings.directories["north-1"]
    assert table.devices() == {"device", "tls-server"}
    made = {profile: each.dn for profile, each in table.settings("north-1").entries.items()}
    assert made == {
        "device": "cn={CN}+serialNumber={serialNumber}",
        "tls-server": "cn={CN}",
        "natural-person-low": "uid={serialNumber}",
    }


def test_certificates_of_authorities_have_no_entries_of_holders(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, f"{NORTH}[directories.north-1.entries.issuing]\n").values()
    assert fault.problem == "of issuing are those of authorities"
    assert "authority" in fault.way_out


def test_the_environment_overrides_a_key_of_a_directory(tmp_path: Path) -> None:
    environment = {"TILLID_DIRECTORIES__NORTH_1__TIMEOUT_SECONDS": "2"}
    loaded = load(tmp_path, NORTH, environment)
    assert loaded.settings.directories["north-1"].timeout_seconds == 2
    assert loaded.origin("directories.north-1.timeout_seconds") is Origin.ENVIRONMENT


def test_every_key_of_a_directory_is_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, NORTH).settings
    shown = {key.name: value_of(settings, key) for key in keys_in(settings)}
    assert shown["directories.north-1.processor"] == "Nordkommunen IT"
    assert shown["directories.north-1.replicas"] == ""


def test_who_runs_it_and_where_is_said_before_it_is_used(tmp_path: Path) -> None:
    text = '[directories.x]\nurl = "ldap://127.0.0.1"\nbase_dn = "dc=x"\n'
    assert set(faults(tmp_path, text)) == {"directories.x.processor", "directories.x.region"}


@pytest.mark.parametrize(
    ("was", "now", "key", "problem"),
    [
        ("ldap://127.0.0.1", "https://host", "url", "does not start with ldaps or ldap"),
        ("dc=example,dc=dk", "nowhere", "base_dn", "is not a distinguished name (RFC 4514)"),
        ("Nordkommunen IT", " ", "processor", "is empty"),
        ("DK", "Denmark", "region", "is neither EU, EEA nor a country of two letters"),
        ("DK", "US", "", "stands outside the EEA (US) without a transfer_basis"),
        ("north-1", "North", "", "holds North, which is no name"),
        (
            'region = "DK"',
            'region = "DK"\nbind_dn = "cn=x"',
            "",
            "cannot work: bind_dn and password_file are given together, or neither",
        ),
        (
            'region = "DK"',
            'region = "DK"\ncertificate_file = "c"\nkey_file = "k"',
            "",
            "cannot work: a login by certificate is over TLS: give a ca_file",
        ),
        (
            'region = "DK"',
            'region = "DK"\nauthority = { dn = "o={O}" }',
            "",
            "cannot work: an issuer has no {O}",
        ),
        ('region = "DK"', 'region = "DK"\ncolour = "red"', "colour", "is not a key"),
    ],
)
def test_a_directory_that_cannot_work_is_refused(
    tmp_path: Path, was: str, now: str, key: str, problem: str
) -> None:
    (fault,) = faults(tmp_path, NORTH.replace(was, now)).values()
    assert fault.problem == problem
    assert fault.way_out
    assert fault.key.endswith(key)


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ('dn = "uid={serial}"', "{serial} is no word"),
        ('dn = "uid=everybody"', "the first RDN of dn holds a word in braces"),
        ('dn = "uid={serialNumber},people"', "dn is RDNs below the base"),
        ('dn = "cn={CN?}"', "no word of dn is optional"),
        ('dn = "o={O}"', "need {O}, which its certificates do not have"),
        ('holder = "sn"', "holder is one of the attributes"),
        ("object_classes = []", "an entry that is made has object_classes"),
        ('find = "uid={CN}"', "an entry that is found (find) is not made"),
    ],
)
def test_a_mapping_that_makes_no_entry_is_refused_at_once(
    tmp_path: Path, mapping: str, problem: str
) -> None:
    key = mapping.partition(" ")[0]
    right = {
        "dn": 'dn = "uid={serialNumber}"',
        "object_classes": 'object_classes = ["account"]',
        "attributes": 'attributes = { uid = "{serialNumber}" }',
        "holder": 'holder = "uid"',
    }
    lines = "\n".join({**right, key: mapping}.values())
    text = f"{NORTH}[directories.north-1.entries.natural-person-low]\n{lines}\n"
    fault = faults(tmp_path, text)["directories.north-1.entries"]
    assert problem in fault.problem


def test_a_mapping_names_a_profile(tmp_path: Path) -> None:
    text = f'{NORTH}[directories.north-1.entries.nobody]\nfind = "uid={{CN}}"\n'
    assert (
        "names no profile: nobody" in faults(tmp_path, text)["directories.north-1.entries"].problem
    )
