"""What an installation says of itself: who answers, who works for it, and how long it keeps."""

from dataclasses import dataclass

from gdpr_erasure.periods import Periods, periods
from gdpr_erasure.policies import find_policies
from server.processors import Processor, read_processors
from server.settings import Controller, Settings


@dataclass(frozen=True, slots=True)
class Declared:
    """The same for access reports, the privacy notice and the record of processing."""

    controller: Controller
    processors: tuple[Processor, ...]
    periods: Periods


def declared(settings: Settings) -> Declared:
    """What the settings, the register of processors and the policies in force say.

    Raises: SettingsRefused for a faulty register; PolicyUnknown for a policy that is not there.
    """
    controller = settings.controller
    return Declared(
        controller,
        read_processors(controller.processors_file),
        periods(find_policies(settings.retention.policy_names), settings.cases.delivery_days),
    )
