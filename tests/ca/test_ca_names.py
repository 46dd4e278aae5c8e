"""Subject names: what passes, what is refused, and that none shows itself."""

# ruff: noqa: RUF001, SIM905 - ambiguous letters are the point, and lists of names stay readable

import sys
import unicodedata
from itertools import product

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ca.errors import Refused
from ca.names import ATTRIBUTES, SubjectName

GIVEN = (
    "Søren Aage Æbelø Øjvind Åse Jørgen Bodil Anne-Marie Ditte René Zoë"
    " Eyðun Jákup Guðrún Þórður Álvur Höskuldur Aqqaluk Nûka Pavia"
    " Björn Åsa-Lena Göran Märta Väinö Yrjö Äijö Máret Čálli Sámmol Ǩeâđđaž Kǻre"
    " Jürgen Käthe Börge Hélène François Anaïs Maëlle Cœur Œnone Benoît"
    " Łukasz Żaneta Śćibor Michał Małgorzata Ioniță Žofie Ķēniņš Őszike Ċensa"
    " İsmail Gülşen Yağmur Çağrı Ilgın Işıl Nguyễn Đặng Phước Thị Ngọc Trương Hữu"
    " Núria Íñigo João Sîan Siôn Ọláńrewájú Ọ̀ṣun M\u0303ari"
).split()
FAMILY = (
    "Sørensen|Kjærbæk|Nør-Holm|Ødegaard|Ågård|van der Værft|Aagaard Bøgh|Juul-Ångström"
    "|P'tursson|Jóhannessen|í Jógvansstovu|á Rógvi|Niðarson|Þórðardóttir|Æsuson|Kûitse"
    "|Uusarnaqĸ|Petersen-Lynge|Ånnestad|Öberg|Ääri|Šuoŋŋa|Ánndaris|Måŋgå|Groß"
    "|Müller-Lüdenscheidt|von Weißenfels|Freiherr v. Ü|d'Ancona|d’Angély|L’Hôpital|Lefèvre"
    "|de Noüe|Ÿ|Ó Súilleabháin|Ní Bhriain|O’Neill|O'Ħara|Żółkiewski|Wałęsa|Dąbrowska-Święć"
    "|Šimůnek|Țepeș|Ąžuolaitė|Đurić|Yılmaz|Öztürk|Şahinoğlu|Kılıç|Nguyễn Thị|Trần|Phạm Văn|Vịnh"
    "|Lý Thường|Bùi Đỗ|Müller jr.|Sr. da Conceição"
).split("|")
ORGANISATIONS = (
    "A.P. Møller - Mærsk A/S", "Bøg & Søn I/S", "3F Fagligt Fælles Forbund", "L'Oréal Danmark A/S",
    "Hansen, Jensen og Co. K/S", "Københavns Lufthavne (CPH)", "A+B=C", "#1 Værksted", "100 % Uld",
    "Ä; Å", '"Ø"', "»Havnen« ApS", "„Größe“ GmbH", "”Nord” AB", "Fælled – Café & Bar", "Col·legi",
    "Spil: Leg!", "Hvad nu?", "@Home", "*Stjerne*", "Kr. 5 / €uro", "360° Syd", "§ 7 Advokater",
    "5 £ Shop", "[Kant]", "Tegn_og_gerning", "Ångström-huset S.m.b.A.", "Société d’Été", "Æ~Ø",
)  # fmt: skip
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
UNWRITTEN = "holds a letter, sign or accent that names are not written with"
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
    "\u039aaren": "holds a letter of another script than Latin, in place 1",
    "Ka\u216dren": UNWRITTEN,  # Roman numeral
    "Ka\u034fren": f"{UNWRITTEN}, in place 3",  # grapheme joiner, unseen
    "Ka\ufe0fren": UNWRITTEN,  # variation selectors
    "Ka\U000e0100ren": UNWRITTEN,
    "Ka\u180bren": UNWRITTEN,
    "Ka\u2800ren": UNWRITTEN,  # blanks that are none
    "Ka\u00a0ren": UNWRITTEN,
    "Ka\u2003ren": UNWRITTEN,
    "Karen \u0661": UNWRITTEN,  # digits of others
    "Karen \U0001d7cf": UNWRITTEN,
    "Karen\u0338\u0336": UNWRITTEN,  # overlays
    "Karen\u0301\u0301": UNWRITTEN,
    "7\u0301": UNWRITTEN,
    "K\u0131\u0301m": UNWRITTEN,  # reads as another i
    "\u24b6": UNWRITTEN,  # letter in a circle
    "Karen \U0001f600": UNWRITTEN,
    "\u1d00nders": UNWRITTEN,  # small capital
    "\ufb01n": UNWRITTEN,  # ligature
    "Karen\u01c3": UNWRITTEN,  # click
    "O\ua78cNeill": UNWRITTEN,  # saltillo
    "Tillid\u2044S": UNWRITTEN,  # slash of fractions
    "Tillid\u2122": UNWRITTEN,
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


def test_thousands_of_real_names_pass() -> None:
    names = list(product(GIVEN, FAMILY))
    assert len(names) > 2_000
    for first, last in names:
        assert SubjectName.of([("GN", first), ("SN", last), ("CN", f"{first} {last}")])


@pytest.mark.parametrize("name", ORGANISATIONS)
def test_the_name_of_an_organisation_passes(name: str) -> None:
    assert SubjectName.of([("O", name)])


def look_alikes() -> list[str]:
    """Characters that a reader takes for ASCII: compatible with it, digits, marks and blanks."""
    every = map(chr, range(0x80, sys.maxunicode + 1))
    return [
        each
        for each in every
        if unicodedata.normalize("NFKC", each).isascii()
        or unicodedata.decimal(each, None) is not None
        or unicodedata.category(each) in {"Nl", "No", "Lm", "Me", "Zs"}
        or (each.isalpha() and not unicodedata.name(each, "").startswith("LATIN "))
    ]


def test_no_look_alike_of_a_letter_or_digit_passes() -> None:
    found = look_alikes()
    assert len(found) > 2_000
    passing = [ascii(each) for each in found if is_taken(f"Ka{each}ren")]
    assert passing == []


def test_a_mark_passes_only_where_it_makes_a_letter() -> None:
    marks = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) == "Mn"]
    alone = {mark for mark in marks if is_taken(f"x{mark}")}
    assert alone == set("\u0300\u0301\u0302\u0303\u0304\u030c\u0323\u0327\u0328")
    assert not any(is_taken(f"x{one}{other}") for one, other in product(alone, alone))


def is_taken(value: str) -> bool:
    try:
        SubjectName.of([("O", value)])
    except Refused:
        return False
    return True


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
        "CN holds a control or bidirectional character, in place 2",
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
