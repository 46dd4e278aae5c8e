"""Subject names: what passes, what is refused, and that none shows itself."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ca.errors import Refused
from ca.names import ATTRIBUTES, SubjectName

REAL_NAMES = (
    "Aqqaluk Lynge",
    "Áki Ísaksen",
    "Ása Kjærbæk",
    "Bjørg Nør-Holm",
    "Eyðun Jóhannessen",
    "Jóannes Niðarson",
    "Jürgen Groß",
    "Kuupik V. Kleist",
    "Ljudmíla Ó Súilleabháin",
    "Malene Åberg",
    "Naja P'tursson",
    "Nivi Kûitse",
    "Ørjan Ångström",
    "Sámmol Ánndaris",
    "Čeabet Šuoŋŋa",
    "Þórður Æsuson",
)
REFUSED = {
    "": "is empty or has blanks at its ends",
    " Karen": "is empty or has blanks at its ends",
    "Karen ": "is empty or has blanks at its ends",
    "Karen\u00a0": "is empty or has blanks at its ends",
    "K" * 65: "is longer than 64 characters",
    "A\u030aberg": "is not in Unicode normal form C",
    "Ka\0ren": "holds a control or bidirectional character",
    "Ka\nren": "holds a control or bidirectional character",
    "Ka\x7fren": "holds a control or bidirectional character",
    "Ka\u202eren": "holds a control or bidirectional character",
    "Ka\u2066ren": "holds a control or bidirectional character",
    "Ka\u200dren": "holds a control or bidirectional character",
    "Ka\u2028ren": "holds a control or bidirectional character",
    "Ka\u2029ren": "holds a control or bidirectional character",
    "Ka\ufeffren": "holds a control or bidirectional character",
    "Ka\ue000ren": "holds a control or bidirectional character",
    "Ka\ud800ren": "holds a control or bidirectional character",
    "Ka\U000e0fffren": "holds a control or bidirectional character",
    "Kar\u0435n": "holds a letter of another script than Latin",
    "\u039aaren": "holds a letter of another script than Latin",
}


def refusal(attribute: str, value: str) -> str:
    with pytest.raises(Refused) as refused:
        SubjectName.of([(attribute, value)])
    assert {f.rule for f in refused.value.findings} == {"name.form"}
    return str(refused.value)


@pytest.mark.parametrize("name", REAL_NAMES)
def test_a_name_of_the_north_passes_and_reads_back_the_same(name: str) -> None:
    subject = SubjectName.of([("C", "DK"), ("GN", name), ("SN", name), ("CN", name)])
    assert SubjectName.from_x509(x509.Name.from_bytes(subject.to_x509().public_bytes())) == subject


@pytest.mark.parametrize(("value", "why"), REFUSED.items(), ids=map(ascii, REFUSED))
@pytest.mark.parametrize("attribute", ["CN", "O"])
def test_a_value_that_no_certificate_takes_is_refused(attribute: str, value: str, why: str) -> None:
    assert f"{attribute} {why}" in refusal(attribute, value)


@pytest.mark.parametrize("code", ["", "dk", "D", "DNK", "D1", "ÆØ", "D "])
def test_a_country_is_two_capital_letters(code: str) -> None:
    assert "C is not an ISO 3166 code" in refusal("C", code)


@pytest.mark.parametrize("value", ["Å7", "7@8", "7*", "7_8"])
def test_a_serial_number_holds_only_what_a_printable_string_can(value: str) -> None:
    assert "serialNumber holds a character that a PrintableString cannot" in refusal(
        "serialNumber", value
    )


def test_a_common_name_of_sixty_four_characters_in_more_octets_is_refused() -> None:
    assert "CN is longer than 64 octets" in refusal("CN", "Ø" * 33)
    assert SubjectName.of([("CN", "Ø" * 32)]).to_x509()
    assert SubjectName.of([("SN", "Ø" * 64)]).to_x509()


def test_every_fault_of_a_name_is_named_at_once() -> None:
    with pytest.raises(Refused) as refused:
        SubjectName.of([("C", "dk"), ("L", "Nuuk"), ("CN", " \0")])
    assert [f.sentence for f in refused.value.findings] == [
        "C is not an ISO 3166 code of two capital letters",
        "the name holds an attribute that no profile knows",
        "CN is empty or has blanks at its ends",
        "CN holds a control or bidirectional character",
    ]


def test_a_name_without_attributes_is_refused() -> None:
    with pytest.raises(Refused, match="the subject name is empty"):
        SubjectName.of([])


def test_neither_a_name_nor_its_refusal_shows_what_it_holds() -> None:
    assert repr(SubjectName.of([("CN", "Kirsten Ødegaard")])) == "SubjectName(<1 attributes>)"
    assert "Kirsten" not in refusal("CN", "Kirsten\0")


def test_an_attribute_that_we_never_write_is_not_read() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.LOCALITY_NAME, "Nuuk")])
    with pytest.raises(Refused, match="an attribute that no profile knows"):
        SubjectName.from_x509(name)


def test_two_attributes_in_one_rdn_are_not_read() -> None:
    pair = [x509.NameAttribute(NameOID.COMMON_NAME, "Karen"),
            x509.NameAttribute(NameOID.SURNAME, "Holm")]  # fmt: skip
    with pytest.raises(Refused, match="several attributes in one RDN"):
        SubjectName.from_x509(x509.Name([x509.RelativeDistinguishedName(pair)]))


@given(st.lists(st.tuples(st.sampled_from(ATTRIBUTES), st.text(max_size=70)), max_size=3))
def test_any_text_is_refused_or_reads_back_the_same(pairs: list[tuple[str, str]]) -> None:
    try:
        subject = SubjectName.of(pairs)
    except Refused:
        return
    assert SubjectName.from_x509(x509.Name.from_bytes(subject.to_x509().public_bytes())) == subject


@pytest.mark.parametrize("number", ["5493001KJTIIGC8Y1R12", "529900T8BM49AURSDO55"])
def test_an_organisation_may_be_named_by_its_lei(number: str) -> None:
    assert SubjectName.of([("organizationIdentifier", f"LEIXG-{number}")])


@pytest.mark.parametrize(
    "number", ["5493001KJTIIGC8Y1R13", "5493001KJTIIGC8Y1R1", "5493001kjtiigc8y1r12"]
)
def test_an_lei_with_wrong_check_digits_is_refused(number: str) -> None:
    with pytest.raises(Refused, match="ISO 17442"):
        SubjectName.of([("organizationIdentifier", f"LEIXG-{number}")])
