"""What an association of a person with an organisation is worth (NSIS 5; ASC)."""

from ra.case import AssociationPart, Basis
from ra.levels import AssuranceLevel
from ra.requirements import Finding, finding
from ra.rules import HIGH, LOW, SUBSTANTIAL, Rule, broken

_RULES: tuple[Rule[AssociationPart], ...] = (
    Rule("ASC-L6", "REPRESENTATIVE_BARRED", LOW, lambda part: not part.mandate_status_ok),
    Rule("ASC-L7", "ASSOCIATION_CONSENT_MISSING", LOW, lambda part: not part.consents),
    Rule(
        "ASC-S8a",
        "ASSOCIATION_NOT_UNDER_ORGANISATION_CONTROL",
        SUBSTANTIAL,
        lambda part: part.basis in {None, Basis.DECLARATION},
    ),
    Rule(
        "ASC-S8a",
        "ASSOCIATION_ADMIN_NOT_AUTHORISED",
        SUBSTANTIAL,
        lambda part: part.basis is Basis.ADMINISTRATOR and not part.basis_authorised,
    ),
    Rule(
        "ASC-S8b",
        "FEED_NOT_AUTHENTICATED",
        SUBSTANTIAL,
        lambda part: part.basis is Basis.AUTHORITATIVE_SYSTEM and not part.basis_authorised,
    ),
    Rule(
        "ASC-S8c",
        "ROLE_NOT_FOUND_IN_CVR",
        SUBSTANTIAL,
        lambda part: part.basis is Basis.CVR_RELATION and not part.basis_authorised,
    ),
    Rule("ASC-H9", "ASSOCIATION_IDENTIFIERS_NOT_UNIQUE", HIGH, lambda part: not part.unique_ids),
)


def association_findings(part: AssociationPart, level: AssuranceLevel) -> tuple[Finding, ...]:
    """Every reason why the association falls short of the level; the weakest part decides."""
    found: list[Finding] = []
    if part.person < level:
        found.append(finding("ASC-L4", "ASSOCIATED_PERSON_LEVEL_TOO_LOW"))
    if part.organisation < level:
        found.append(finding("ASC-L5", "ASSOCIATED_ORGANISATION_LEVEL_TOO_LOW"))
    return (*found, *broken(_RULES, part, level))
