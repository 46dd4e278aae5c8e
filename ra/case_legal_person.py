"""What is shown of a legal person and of the mandate to act for it (NSIS 3.1.3; REG-IDL)."""

from ra.case import CallBack, CompanyStatus, Form, LegalPersonPart, Route, Specimen
from ra.levels import AssuranceLevel
from ra.requirements import Finding, finding
from ra.rules import HIGH, LOW, SUBSTANTIAL, Rule, broken

_STATUS: tuple[Rule[LegalPersonPart], ...] = (
    Rule(
        "REG-IDL-L1",
        "LEGAL_PERSON_NOT_FOUND",
        LOW,
        lambda part: part.cvr_status is CompanyStatus.NOT_FOUND,
    ),
    Rule(
        "REG-IDL-L3",
        "LEGAL_PERSON_CEASED",
        LOW,
        lambda part: part.cvr_status is CompanyStatus.CEASED,
    ),
    Rule(
        "REG-IDL-L3",
        "LEGAL_PERSON_IN_BANKRUPTCY",
        LOW,
        lambda part: part.cvr_status is CompanyStatus.BANKRUPT,
    ),
    Rule(
        "REG-IDL-L5a",
        "REGISTRANT_NOT_AUTHENTICATED",
        LOW,
        lambda part: part.registrant is None,
    ),
    # Somebody said no: that counts on every route, also where nobody had to be asked.
    Rule(
        "REG-IDL-H8d",
        "CALLBACK_DENIED",
        LOW,
        lambda part: part.callback is CallBack.DENIED,
    ),
    Rule(
        "REG-IDL-H8d",
        "SIGNATURE_SPECIMEN_MISMATCH",
        LOW,
        lambda part: part.specimen is Specimen.MISMATCH,
    ),
)
_CVR_ROLE: tuple[Rule[LegalPersonPart], ...] = (
    Rule("REG-IDL-S6b", "ROLE_NOT_FOUND_IN_CVR", LOW, lambda part: not part.role_in_cvr),
    Rule("REG-IDL-S6b", "SIGNING_RULE_NOT_SATISFIED", LOW, lambda part: not part.signing_rule_met),
    Rule("REG-IDL-H8a", "CPR_CVR_ROLE_MISMATCH", HIGH, lambda part: not part.cpr_cvr_linked),
)
_DOCUMENTS: tuple[Rule[LegalPersonPart], ...] = (
    Rule(
        "REG-IDL-S6c",
        "AUTHORISATION_DOCUMENT_INSUFFICIENT",
        LOW,
        lambda part: not part.documents_accepted,
    ),
    Rule("REG-IDL-H10", "NO_ROUTE_AT_THIS_LEVEL", HIGH, lambda _: True),
)
_POWER_OF_ATTORNEY: tuple[Rule[LegalPersonPart], ...] = (
    Rule("REG-IDL-S6d", "POA_GRANTOR_NOT_ENTITLED", LOW, lambda part: not part.grantor_entitled),
    Rule("REG-IDL-S6d", "POA_HOLDER_MISMATCH", LOW, lambda part: not part.holder_matches),
    Rule("REG-IDL-S6d", "POA_OUT_OF_SCOPE", LOW, lambda part: not part.in_scope),
    Rule("REG-IDL-S6d", "POA_EXPIRED", LOW, lambda part: not part.poa_valid),
    Rule("REG-IDL-H8b", "POA_SIGNATURE_INVALID", HIGH, lambda part: not part.signature_verified),
    Rule(
        "REG-IDL-H8c",
        "POA_WITNESS_MISSING",
        HIGH,
        lambda part: part.poa_form is Form.PAPER and not part.witnessed,
    ),
    Rule(
        "REG-IDL-H8d",
        "CALLBACK_PENDING",
        HIGH,
        lambda part: part.callback is CallBack.PENDING,
    ),
)
_NO_ROUTE: tuple[Rule[LegalPersonPart], ...] = (
    Rule("REG-IDL-S6a", "AUTHORISATION_NOT_VERIFIED", SUBSTANTIAL, lambda _: True),
)
_ROUTES = {
    Route.CVR_ROLE: _CVR_ROLE,
    Route.DOCUMENTS: _DOCUMENTS,
    Route.POWER_OF_ATTORNEY: _POWER_OF_ATTORNEY,
    None: _NO_ROUTE,
}


def legal_person_findings(part: LegalPersonPart, level: AssuranceLevel) -> tuple[Finding, ...]:
    """Every reason why the legal person or the mandate falls short of the level."""
    found = list(broken(_STATUS, part, level))
    if part.registrant is not None and part.registrant < level:
        found.append(finding("REG-IDL-L5b", "REGISTRANT_LEVEL_TOO_LOW"))
    return (*found, *_mandate_findings(part, level))


def _mandate_findings(part: LegalPersonPart, level: AssuranceLevel) -> tuple[Finding, ...]:
    """At Low the declaration of an authenticated registrant is enough, whatever the route."""
    if level is LOW and part.declaration and part.registrant is not None:
        return ()
    if level is LOW and part.route is None and not part.declaration:
        return (finding("REG-IDL-L4", "AUTHORISATION_DECLARATION_MISSING"),)
    return broken(_ROUTES[part.route], part, level)
