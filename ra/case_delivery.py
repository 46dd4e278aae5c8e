"""What delivery and activation are worth (NSIS 3.2.2; ISS-DEL)."""

from ra.case import ActivatedBy, Address, Channel, DeliveryPart
from ra.levels import AssuranceLevel
from ra.requirements import Finding
from ra.rules import HIGH, LOW, SUBSTANTIAL, Rule, broken


def _by_one_channel(part: DeliveryPart) -> bool:
    """What is handed over in person needs no second channel; everything else does."""
    if part.channel is Channel.IN_PERSON:
        return False
    return part.code_channel is None or part.code_channel.value == part.channel.value


_RULES: tuple[Rule[DeliveryPart], ...] = (
    Rule(
        "ISS-DEL-S2b",
        "CHANNEL_NOT_PROTECTED",
        SUBSTANTIAL,
        lambda part: part.channel is Channel.ONLINE and not part.channel_protected,
    ),
    Rule("ISS-DEL-S2d", "CHANNELS_NOT_INDEPENDENT", SUBSTANTIAL, _by_one_channel),
    Rule(
        "ISS-DEL-S2f",
        "ADDRESS_NOT_AUTHORITATIVE",
        SUBSTANTIAL,
        lambda part: part.channel is Channel.POST and part.address is Address.USER_GIVEN,
    ),
    Rule(
        "ISS-DEL-S2f",
        "NO_REGISTERED_ADDRESS",
        SUBSTANTIAL,
        lambda part: part.channel is Channel.POST and part.address is Address.NONE,
    ),
    # A credential that lies dormant after its window endangers the holder at every level.
    Rule("ISS-DEL-S2g", "ACTIVATION_WINDOW_ELAPSED", LOW, lambda part: not part.within_window),
    Rule(
        "ISS-DEL-S2h",
        "CREDENTIAL_NOT_ACTIVATED",
        SUBSTANTIAL,
        lambda part: part.activated_by is ActivatedBy.NOBODY,
    ),
    Rule("ISS-DEL-S2e", "RECEIPT_MISSING", SUBSTANTIAL, lambda part: not part.receipt),
    Rule(
        "ISS-DEL-S2j",
        "CONTACT_CHANGED_AFTER_APPROVAL",
        SUBSTANTIAL,
        lambda part: part.contact_changed,
    ),
    Rule("ISS-DEL-H4b", "SEPARATION_OF_DUTIES", HIGH, lambda part: not part.actors_separated),
    Rule(
        "ISS-DEL-H3",
        "ACTIVATION_NOT_PERSONAL",
        HIGH,
        lambda part: part.activated_by is not ActivatedBy.HOLDER or not part.personal_check,
    ),
)


def delivery_findings(part: DeliveryPart, level: AssuranceLevel) -> tuple[Finding, ...]:
    """Every reason why delivery or activation falls short of the level."""
    return broken(_RULES, part, level)
