"""CPR numbers of nsis.md section 8.1: which are numbers, which dates they hold."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ra.errors import MalformedField
from ra.identity import CprKind, CprNumber

_MEDCOM = [
    "0104909995",
    "0104909989",
    "0107729995",
    "0108589995",
    "0108629996",
    "0201609995",
    "0201609996",
    "0201919990",
    "0201919995",
    "0201919996",
    "0211223989",
    "0212159995",
    "0504909989",
    "0504909995",
    "0506889996",
    "1007059995",
    "1110109996",
    "1310169995",
    "1310169996",
    "1502779995",
    "1502799995",
    "1502829995",
    "1509819996",
    "2103009996",
    "2311143995",
    "2509479989",
    "2512489996",
    "2911829996",
    "3001749995",
    "3103979995",
]
_SOUND = ["0707614285", "0103922852", "2110625629"]
_REPLACEMENT_SOUND = [
    "6101901015",
    "6101901023",
    "6101901031",
    "7506044019",
    "7506044027",
    "8902005014",
]
_REPLACEMENT = ["6101901011", "7112851234", "9112991234", "6102301234"]


@pytest.mark.parametrize("digits", _MEDCOM)
def test_a_number_without_the_checksum_is_a_valid_number(digits: str) -> None:
    number = CprNumber.parse(digits)
    assert number.kind is CprKind.CPR
    assert not number.checksum_ok


@pytest.mark.parametrize("digits", _SOUND + _REPLACEMENT_SOUND)
def test_the_checksum_is_recognised_where_it_holds(digits: str) -> None:
    assert CprNumber.parse(digits).checksum_ok


@pytest.mark.parametrize("digits", _REPLACEMENT_SOUND + _REPLACEMENT)
def test_a_day_raised_by_sixty_marks_a_replacement_number(digits: str) -> None:
    assert CprNumber.parse(digits).kind is CprKind.REPLACEMENT


@pytest.mark.parametrize(
    ("digits", "born"),
    [
        ("0707614285", date(1961, 7, 7)),
        ("0103922852", date(1992, 3, 1)),
        ("2110625629", date(1862, 10, 21)),
        ("0101360000", date(1936, 1, 1)),
        ("0101364000", date(2036, 1, 1)),
        ("0101374000", date(1937, 1, 1)),
        ("0101369000", date(2036, 1, 1)),
        ("0101379000", date(1937, 1, 1)),
        ("0101575000", date(2057, 1, 1)),
        ("0101585000", date(1858, 1, 1)),
        ("0101578000", date(2057, 1, 1)),
        ("0101588000", date(1858, 1, 1)),
        ("6101901015", date(1990, 1, 1)),
        ("7506044027", date(2004, 6, 15)),
    ],
)
def test_digit_seven_and_the_year_give_the_century(digits: str, born: date) -> None:
    assert CprNumber.parse(digits).birth_date == born


@pytest.mark.parametrize(
    "text",
    [
        "3102991234",
        "0113991234",
        "010199123",
        "01019912345",
        "ABCDEF1234",
        "9002011234",
        "0000000000",
        "010199--1234",
        "0101-991234",
        "٠١٠١٩٩١٢٣٤",
        "0707614285\n",
        "",
    ],
)
def test_what_is_no_number_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(MalformedField) as refusal:
        CprNumber.parse(text)
    assert refusal.value.field == "cpr_number"
    assert not text.strip() or text not in str(refusal.value)


def test_a_hyphen_is_left_out() -> None:
    assert CprNumber.parse("070761-4285") == CprNumber("0707614285")


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_malformed(text: str) -> None:
    try:
        number = CprNumber.parse(text)
    except MalformedField:
        return
    assert number.value.isascii()
    assert len(number.value) == 10


def test_printing_a_number_does_not_show_it() -> None:
    number = CprNumber("0707614285")
    for printed in (repr(number), str(number), f"{number}", f"{[number]}"):
        assert "0707614285" not in printed
