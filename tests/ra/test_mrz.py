"""Machine-readable zones of nsis.md section 8.3, and how names are transliterated."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ra.errors import MalformedField
from ra.mrz import MrzFormat, check_digit, parse_mrz, reads_as, transliterate

TODAY = date(2026, 1, 15)
_TD3_NAMES = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
_TD3 = (_TD3_NAMES, "L898902C36UTO7408122F3404159ZE184226B<<<<<16")
_TD1 = (
    "I<UTOD231458907<<<<<<<<<<<<<<<",
    "7408122F3404159UTO<<<<<<<<<<<2",
    "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
)
_TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F3404159<<<<<<<2")


@pytest.mark.parametrize(
    ("lines", "form", "expiry"),
    [
        ((_TD3_NAMES, "L898902C36UTO7408122F1204159ZE184226B<<<<<10"), MrzFormat.TD3, 2012),
        (_TD3, MrzFormat.TD3, 2034),
        ((_TD1[0], "7408122F1204159UTO<<<<<<<<<<<6", _TD1[2]), MrzFormat.TD1, 2012),
        (_TD1, MrzFormat.TD1, 2034),
        ((_TD2[0], "D231458907UTO7408122F1204159<<<<<<<6"), MrzFormat.TD2, 2012),
        (_TD2, MrzFormat.TD2, 2034),
    ],
)
def test_the_specimens_of_icao_are_read(
    lines: tuple[str, ...], form: MrzFormat, expiry: int
) -> None:
    zone = parse_mrz(lines, TODAY)
    assert zone.format is form
    assert (zone.surname, zone.given_names) == ("ERIKSSON", "ANNA<MARIA")
    assert (zone.birth_date, zone.expiry_date) == (date(1974, 8, 12), date(expiry, 4, 15))
    assert (zone.issuer, zone.nationality, zone.sex) == ("UTO", "UTO", "F")
    assert zone.number == ("L898902C3" if form is MrzFormat.TD3 else "D23145890")


def test_a_transliterated_passport_is_read() -> None:
    upper = "P<UTOOESTERGAARD<<SOEREN<AAGE<<<<<<<<<<<<<<<"
    zone = parse_mrz((upper, "D231458907UTO9001044M3404159<<<<<<<<<<<<<<<2"), TODAY)
    assert reads_as("Østergaard", zone.surname)
    assert reads_as("Søren Aage", zone.given_names)
    assert reads_as("Søren Åge", zone.given_names)


def _changed(line: str, position: int) -> str:
    other = "1" if line[position] != "1" else "2"
    return line[:position] + other + line[position + 1 :]


@pytest.mark.parametrize(
    ("position", "name"),
    [(3, "number"), (14, "birth date"), (23, "expiry date"), (30, "optional"), (43, "composite")],
)
def test_one_changed_character_breaks_its_check_digit(position: int, name: str) -> None:
    with pytest.raises(MalformedField, match=name):
        parse_mrz((_TD3_NAMES, _changed(_TD3[1], position)), TODAY)


@pytest.mark.parametrize(
    ("lines", "line", "position"),
    [
        *((_TD1, 0, position) for position in (6, 20)),
        *((_TD1, 1, position) for position in (2, 10, 20, 29)),
        *((_TD2, 1, position) for position in (3, 15, 22, 30, 35)),
    ],
)
def test_the_check_digits_of_the_smaller_sizes_guard_too(
    lines: tuple[str, ...], line: int, position: int
) -> None:
    broken = list(lines)
    broken[line] = _changed(broken[line], position)
    with pytest.raises(MalformedField):
        parse_mrz(broken, TODAY)


@pytest.mark.parametrize(
    "lines",
    [
        (_TD3_NAMES, _TD3[1][:-1]),
        (_TD3_NAMES, _TD3[1] + "<"),
        (_TD3_NAMES[:-1], _TD3[1][:-1]),
        (_TD3_NAMES.lower(), _TD3[1].lower()),
        (_TD3_NAMES,),
        (*_TD3, ""),
        (),
        (_TD3_NAMES, _TD3[1].replace("L898902C36", "L8989O2C36")),
        (_TD3_NAMES, _TD3[1].replace("740812", "741312")),
        (_TD3_NAMES, _TD3[1].replace("F", "X")),
        (_TD3_NAMES.replace("ERIKSSON", "ÉRIKSSON"), _TD3[1]),
    ],
)
def test_a_zone_of_another_form_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(MalformedField) as refusal:
        parse_mrz(lines, TODAY)
    assert refusal.value.field == "mrz"


def test_a_check_digit_of_an_empty_optional_field_may_be_empty() -> None:
    lower = "D231458907UTO9001044M3404159" + "<" * 15
    composite = check_digit(lower[:10] + lower[13:20] + lower[21:43])
    assert parse_mrz((_TD3_NAMES, lower + composite), TODAY).number == "D23145890"


@pytest.mark.parametrize(
    "lines",
    [
        (
            "I<UTOD23145890<7349<<<<<<<<<<<",
            "3407127M9507122UTO<<<<<<<<<<<2",
            "STEVENSON<<PETER<JOHN<<<<<<<<<",
        ),
        ("I<UTOSTEVENSON<<PETER<JOHN<<<<<<<<<<", "D23145890<UTO3407127M95071227349<<<8"),
    ],
)
def test_a_long_number_goes_on_in_the_optional_field(lines: tuple[str, ...]) -> None:
    # The examples of ICAO 9303-11 appendix D.2.
    assert parse_mrz(lines, TODAY).number == "D23145890734"


def test_the_filler_after_a_cut_number_is_no_part_of_it() -> None:
    tail = "015" + check_digit("600001795015")
    assert check_digit("600001795015") != check_digit("600001795<015")
    upper = ("I<UTO600001795<" + tail).ljust(30, "<")
    middle = "7408122F3404159UTO" + "<" * 11
    composite = check_digit(upper[5:] + middle[:7] + middle[8:15] + middle[18:29])
    assert parse_mrz((upper, middle + composite, _TD1[2]), TODAY).number == "600001795015"


def test_a_number_without_a_check_digit_is_refused() -> None:
    upper = "I<UTOD23145890<" + "<" * 15
    middle = "7408122F3404159UTO" + "<" * 11
    composite = check_digit(upper[5:] + middle[:7] + middle[8:15] + middle[18:29])
    with pytest.raises(MalformedField, match="number is missing"):
        parse_mrz((upper, middle + composite, _TD1[2]), TODAY)


def test_a_birth_date_never_lies_ahead() -> None:
    born = "260116" + check_digit("260116")
    lower = "L898902C36UTO" + born + "F3404159" + "ZE184226B<<<<<1"
    lower += check_digit(lower[:10] + lower[13:20] + lower[21:43])
    assert parse_mrz((_TD3_NAMES, lower), TODAY).birth_date == date(1926, 1, 16)
    assert parse_mrz((_TD3_NAMES, lower), date(2026, 1, 16)).birth_date == date(2026, 1, 16)


@given(st.lists(st.text(alphabet="A<09", min_size=30, max_size=44), max_size=3))
def test_any_lines_are_a_zone_or_malformed(lines: list[str]) -> None:
    try:
        zone = parse_mrz(lines, TODAY)
    except MalformedField:
        return
    assert zone.birth_date <= TODAY


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Æbelø", "AEBELOE"),
        ("Åse", "AASE"),
        ("Äyräväinen", "AEYRAEVAEINEN"),
        ("Björk", "BJOERK"),
        ("Müller", "MUELLER"),
        ("Weiß", "WEISS"),
        ("Þór", "THOR"),
        ("Guðrún", "GUDRUN"),
        ("Anne-Marie", "ANNE<MARIE"),
        ("O'Neill", "ONEILL"),
        ("St. Clair", "ST<CLAIR"),
        ("Łukasz", "LUKASZ"),
        ("Peña", "PENA"),
    ],
)
def test_letters_are_transliterated_by_the_table(name: str, text: str) -> None:
    assert transliterate(name) == text
    assert reads_as(name, text)


@pytest.mark.parametrize(
    ("name", "text"), [("Müller", "MULLER"), ("Müller", "MUXXLLER"), ("Björk", "BJORK")]
)
def test_the_other_permitted_transliterations_are_read_too(name: str, text: str) -> None:
    assert reads_as(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [("Østergaard", "OSTERGAARD"), ("Åse", "ASE"), ("Ann", "ANNE"), ("Anne Marie", "ANNEMARIE")],
)
def test_another_spelling_is_another_name(name: str, text: str) -> None:
    assert not reads_as(name, text)


def test_printing_a_zone_does_not_show_the_person() -> None:
    printed = repr(parse_mrz(_TD3, TODAY))
    assert "ERIKSSON" not in printed
    assert "L898902C3" not in printed
