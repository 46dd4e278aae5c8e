"""What an authenticator is worth (NSIS 3.2.1 and 3.3.1; ISS-STR, USE-AUT-H7 and H8).

A credential has one authenticator, and it must reach the level itself: two of Low never make High.
"""

from ra.case import AuthenticatorPart, Factor
from ra.levels import AssuranceLevel
from ra.requirements import Finding
from ra.rules import HIGH, LOW, SUBSTANTIAL, Rule, broken

_MOBILE_CRITERIA = 6
_FACTORS = 2


def _has_a_device(part: AuthenticatorPart) -> bool:
    """A device certificate that holds, or an approved analysis in its place."""
    return part.certified or part.equivalence_analysis


def _by_telephone(part: AuthenticatorPart) -> bool:
    """Whether it stands on the six criteria, of which the last is where the key was made."""
    return part.mobile_criteria is not None and not _has_a_device(part)


_RULES: tuple[Rule[AuthenticatorPart], ...] = (
    Rule("ISS-STR-L1", "FACTOR_MISSING", LOW, lambda part: not part.factors),
    Rule(
        "ISS-STR-S3",
        "FACTOR_COUNT_INSUFFICIENT",
        SUBSTANTIAL,
        lambda part: len(part.factors) < _FACTORS,
    ),
    Rule(
        "ISS-STR-S3",
        "FACTORS_SAME_CATEGORY",
        SUBSTANTIAL,
        lambda part: len(part.factors) >= _FACTORS and len(set(part.factors)) == 1,
    ),
    Rule(
        "ISS-STR-S2b",
        "PROFILE_RISK_ASSESSMENT_MISSING",
        SUBSTANTIAL,
        lambda part: not part.risk_assessment,
    ),
    Rule("ISS-STR-H3a", "AUTHENTICATOR_COPYABLE", HIGH, lambda part: part.copyable),
    Rule("ISS-STR-H4", "HOLDER_PROTECTION_MISSING", HIGH, lambda part: not part.holder_protection),
    Rule("USE-AUT-H8", "FACTORS_NOT_INDEPENDENT", HIGH, lambda part: not part.independent),
    Rule("ISS-STR-H5", "TEST_TOKEN_NOT_ALLOWED", HIGH, lambda part: part.test_token),
    Rule(
        "ISS-STR-H5",
        "KEY_ATTESTATION_MISSING",
        HIGH,
        # Where a key in a test token lives is known: there, and that is what speaks against it.
        lambda part: not (part.attested or part.test_token or _by_telephone(part)),
    ),
    Rule(
        "ISS-STR-H3d",
        "MOBILE_KEY_CRITERIA_UNMET",
        HIGH,
        lambda part: _by_telephone(part) and part.mobile_criteria != _MOBILE_CRITERIA,
    ),
    Rule(
        "ISS-STR-H3b",
        "DEVICE_CERTIFICATION_INVALID",
        HIGH,
        lambda part: not _has_a_device(part) and part.mobile_criteria is None,
    ),
)

# A key that its holder made in software: its file and its passphrase.
SOFTWARE_KEY = AuthenticatorPart(
    factors=(Factor.POSSESSION, Factor.KNOWLEDGE), independent=False, holder_protection=False
)


def authenticator_findings(part: AuthenticatorPart, level: AssuranceLevel) -> tuple[Finding, ...]:
    """Every reason why the authenticator falls short of the level."""
    return broken(_RULES, part, level)
