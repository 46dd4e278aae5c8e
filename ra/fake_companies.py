"""TEST EQUIPMENT: a register of legal persons that stands in for the real one.

No company here exists. The persons are those of `ra.fake_registers`, known by their numbers.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ra.case import CompanyStatus
from ra.companies import CompanyAnswer, NoCompany
from ra.legal_persons import (
    Alone,
    ChairAndOne,
    Company,
    CvrNumber,
    Jointly,
    Role,
    Signatory,
    SigningRule,
)
from ra.registers import NoAnswer

TEST_CVR = "test:cvr"

_NANCY, _KIRSTEN, _SOEREN, _ASTA = "2512489996", "2911829996", "0108589995", "0707614285"
_ACTIVE, _CEASED = CompanyStatus.ACTIVE, CompanyStatus.CEASED
_DIRECTORS = (Signatory(_NANCY, Role.DIRECTOR), Signatory(_KIRSTEN, Role.DIRECTOR))
_BOARD = (
    Signatory(_ASTA, Role.CHAIR),
    Signatory(_NANCY, Role.BOARD_MEMBER),
    Signatory(_KIRSTEN, Role.BOARD_MEMBER),
)
_BANKRUPT_ON_DAY_20 = "99000023"
_SILENT = "99000082"


def _company(
    number: str, form: str, *signatories: Signatory, rule: SigningRule | None = None
) -> Company:
    return Company(
        number=CvrNumber(number),
        name=f"Prøvevirksomhed {number[-3:]} {form}",
        form=form,
        status=_ACTIVE,
        signatories=signatories,
        rule=rule or Alone(),
        telephone=f"+4500000{number[-3:]}",
        address=f"Prøvevej {number[-3:]}, 0999 Prøveby",
    )


_COMPANIES = {
    each.number.value: each
    for each in (
        _company("99000007", "ApS", _DIRECTORS[0]),
        _company("99000015", "A/S", *_DIRECTORS, rule=Jointly(2)),
        _company(_BANKRUPT_ON_DAY_20, "ApS", _DIRECTORS[0]),
        replace(_company("99000031", "ApS", _DIRECTORS[0]), status=_CEASED),
        _company("99000058", "Forening"),
        _company("99000066", "Fond"),
        _company("99000074", "Enkeltmandsvirksomhed", Signatory(_SOEREN, Role.FULLY_LIABLE)),
        replace(_company("99000090", "A/S", *_BOARD, rule=ChairAndOne()), barred=(_SOEREN,)),
    )
}


@dataclass(frozen=True, slots=True)
class FakeCvr:
    """TEST EQUIPMENT: a register of invented companies that opened at `opened` (UTC)."""

    opened: datetime
    source_id: str = TEST_CVR

    def find(self, number: CvrNumber, now: datetime) -> CompanyAnswer:
        """Answer for a company, stay silent for one of them, and know no others."""
        if number.value == _SILENT:
            return NoAnswer()
        company = _COMPANIES.get(number.value)
        if company is None:
            return NoCompany()
        if number.value == _BANKRUPT_ON_DAY_20 and now >= self.opened + timedelta(days=20):
            return replace(company, status=CompanyStatus.BANKRUPT)
        return company
