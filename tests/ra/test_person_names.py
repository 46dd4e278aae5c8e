"""Names and e-mail addresses: real Nordic ones pass, tricks do not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ra.errors import MalformedField
from ra.identity import EmailAddress, PersonName


@pytest.mark.parametrize(
    "name",
    [
        "Søren Åge",
        "Lærkegård",
        "Ævar Þór",
        "Guðrún",
        "Jákup í Jógvansstovu",
        "Beinir Bø",
        "Aqqaluk Nûka",
        "Uusarnaqĸ",
        "Björn-Åke",
        "Märta",
        "Liisa Äyräväinen",
        "Máret Ánne Čállái",
        "O'Neill",
        "d\u2019Angelo",
        "St. Clair",
        "Å",
        "Łukasz Żółć",
        "M\u0303ari",
        "a" * 64,
    ],
)
def test_a_real_name_passes(name: str) -> None:
    assert PersonName.parse(name, "surname").value == name


def test_a_decomposed_name_is_composed() -> None:
    assert PersonName.parse(unicodedata.normalize("NFD", "Åse"), "given_name").value == "Åse"


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a" * 65,
        "-",
        "Nancy2",
        "Nancy  Ann",
        "Nancy\tAnn",
        "Nancy\u00a0Ann",
        "Nancy\u200bAnn",
        "Nancy\u202eAnn",
        "Nancy\u2066Ann",
        "Nancy\u034fAnn",
        "Nancy\x00",
        "Nancy\ue000",
        "Nancy\U0010ffff",
        "N\u0430ncy",
        "Νancy",  # noqa: RUF001 - a Greek letter is the point
        "Иван",
        "山田",
        "ﬁne",
        "Ｎancy",  # noqa: RUF001 - a wide letter is the point
        "\U0001d40dancy",
        "Wow\u01c3",
        "\u0301a",
        "Zo\u0351\u0352\u0353",
        "Nancy,CN=Root",
        "Nancy<script>",
        "😀",
    ],
)
def test_what_is_no_latin_name_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(MalformedField) as refusal:
        PersonName.parse(name, "surname")
    assert refusal.value.field == "surname"
    assert not name.strip() or len(name) < 3 or name not in str(refusal.value)


@given(st.text(max_size=70))
def test_what_passes_is_composed_and_has_no_control_characters(text: str) -> None:
    try:
        name = PersonName.parse(text, "surname").value
    except MalformedField:
        return
    assert unicodedata.normalize("NFC", name) == name
    assert not {unicodedata.category(each) for each in name} & {"Cc", "Cf", "Co", "Cn", "Cs"}
    assert not {unicodedata.bidirectional(each) for each in name} & {"R", "AL", "RLO", "RLE"}


@pytest.mark.parametrize("text", ["nancy@example.test", "n.a+b@sub.example.dk", "o'n@example.dk"])
def test_an_ordinary_address_passes(text: str) -> None:
    assert EmailAddress.parse(text).value == text


def test_the_domain_of_an_address_is_put_in_lower_case() -> None:
    assert EmailAddress.parse(" Nancy@Example.Test ").value == "Nancy@example.test"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nancy",
        "@example.test",
        "nancy@",
        "nancy@localhost",
        "a..b@example.test",
        ".a@example.test",
        "a b@example.test",
        "a@b@example.test",
        "søren@example.test",
        "nancy@-example.test",
        "nancy@example.test\nBcc: x@example.test",
        '"a b"@example.test',
        "nancy@[127.0.0.1]",
        "a" * 65 + "@example.test",
    ],
)
def test_an_unusual_address_is_refused(text: str) -> None:
    with pytest.raises(MalformedField):
        EmailAddress.parse(text)


def test_printing_a_personal_value_shows_its_type_alone() -> None:
    assert repr(PersonName("Nancy")) == "PersonName(***)"
    assert str(EmailAddress("nancy@example.test")) == "EmailAddress(***)"
