import pytest

from publish_ldap.entry import PERSON, Holder
from publish_ldap.errors import EntryRefused
from publish_ldap.names import certificate_filter, equality_filter
from tests.support.directory_certificates import Published, an_entry, an_issuer

WORD = {"cn": "CN", "uid": "serialNumber"}
NAMES = {"CN": "n", "SN": "n", "serialNumber": "p"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Kirsten\0Ødegaard", id="NUL"),
        pytest.param("Kirsten\nØdegaard", id="line feed"),
        pytest.param("Kirsten\u202eØdegaard", id="right-to-left override"),
        pytest.param("Kirsten\u2066Ødegaard", id="left-to-right isolate"),
        pytest.param("Kirsten\u200bØdegaard", id="zero width space"),
        pytest.param("Kirsten\ue000Ødegaard", id="private use"),
        pytest.param("Kirsten\u0378Ødegaard", id="unassigned"),
        pytest.param("Kirsten\ud800Ødegaard", id="lone surrogate"),
        pytest.param("Kirsten\u2028Ødegaard", id="line separator"),
        pytest.param("A\u030arhus", id="not in normal form C"),
        pytest.param("", id="empty"),
        pytest.param("  ", id="only spaces"),
    ],
)
@pytest.mark.parametrize("attribute", ["cn", "uid"])
def test_a_text_that_deceives_is_refused_without_being_quoted(text: str, attribute: str) -> None:
    with pytest.raises(EntryRefused) as refusal:
        PERSON.entry(Holder("p", tuple({**NAMES, WORD[attribute]: text}.items())))
    assert refusal.value.attribute == attribute
    assert "degaard" not in str(refusal.value)


def test_a_mail_address_is_ascii() -> None:
    with pytest.raises(EntryRefused, match=r"^mail: not ASCII$"):
        PERSON.entry(Holder("p", (*NAMES.items(), ("mail", "kirsten@ødegaard.example"))))


def test_the_repr_of_an_entry_names_nobody() -> None:
    assert repr(an_entry()) == "Entry(redacted)"


def test_nothing_in_a_pseudonym_ends_its_rdn() -> None:
    entry = an_entry(pseudonym="a,dc=evil+cn=b")
    assert entry.distinguished_name("dc=example") == r"uid=a\2cdc\3devil\2bcn\3db,dc=example"


def test_nothing_in_a_value_ends_its_filter() -> None:
    assert equality_filter("uid", "*)(uid=\0") == r"(uid=\2a\29\28uid\3d\00)"


def test_a_quote_in_an_issuer_name_is_doubled() -> None:
    issuer, serial = an_issuer('CA "1"'), Published().serial
    assert r"\5c\22\221\5c\22\22" in certificate_filter(issuer, serial)
