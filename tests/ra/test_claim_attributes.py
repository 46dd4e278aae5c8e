"""Claims: which attributes are asked for, and what is refused by name."""

import pytest

from ra.claims import natural_person_schema, read_claim
from ra.errors import MalformedField, Refused
from ra.levels import AssuranceLevel
from tests.support.ra_builders import NOW, claimed

_LOW, _SUBSTANTIAL = (
    natural_person_schema(AssuranceLevel.LOW),
    natural_person_schema(AssuranceLevel.SUBSTANTIAL),
)
_TODAY = NOW.date()


def test_missing_and_surplus_attributes_are_listed_by_name() -> None:
    with pytest.raises(Refused) as refusal:
        read_claim({"given_name": "Nancy", "shoe_size": "44", "hat": "7"}, _SUBSTANTIAL, _TODAY)
    assert [(each.code, each.concerns) for each in refusal.value.findings] == [
        ("ATTRIBUTE_MISSING", ("cpr_number", "surname")),
        ("ATTRIBUTE_NOT_ALLOWED", ("hat", "shoe_size")),
    ]


def test_an_empty_attribute_is_an_absent_one() -> None:
    claim = read_claim(claimed(None) | {"cpr_number": " ", "email": ""}, _LOW, _TODAY)
    assert claim.cpr_number is None
    assert claim.email is None


def test_a_malformed_attribute_is_named() -> None:
    with pytest.raises(MalformedField) as refusal:
        read_claim(claimed(surname="B3rggren"), _SUBSTANTIAL, _TODAY)
    assert refusal.value.field == "surname"


def test_a_birth_date_ahead_is_refused() -> None:
    with pytest.raises(MalformedField) as refusal:
        read_claim(claimed() | {"cpr_number": "1601264000"}, _SUBSTANTIAL, _TODAY)
    assert refusal.value.field == "cpr_number"
    read_claim(claimed() | {"cpr_number": "1501264000"}, _SUBSTANTIAL, _TODAY)


@pytest.mark.parametrize("email", ["2512489996@example.test", "n.251248-9996@example.test"])
def test_an_address_that_spells_the_personal_number_is_refused(email: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_claim(claimed(email=email), _SUBSTANTIAL, _TODAY)
    assert refusal.value.findings[0].code == "PERSONAL_NUMBER_IN_CERTIFICATE"
