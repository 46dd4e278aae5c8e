"""What one installation has decided about erasures, and the vault of one that has no epochs."""

from dataclasses import dataclass

from gdpr_erasure.erasures import DirectoryPolicy, ErasureRules, SealEvidence
from server.clock import utc_now
from server.settings import Settings

DIRECTORY = "main"
"""Our name for the directory of the settings."""


@dataclass(frozen=True, slots=True)
class PresentKeys:
    """A vault without epochs: what wraps the data keys is never replaced.

    A deleted data key is gone from the database; a backup that was taken before still holds it.
    """

    def current_epoch(self) -> int:
        """There is only one."""
        return 0

    def sealed_since(self, epoch: int) -> SealEvidence:
        """At once, on no token: the receipt says so."""
        return SealEvidence(epoch, (), utc_now())


def erasure_rules(settings: Settings) -> ErasureRules:
    """What the settings say of erasures."""
    of = settings.erasure
    directory = {DIRECTORY: DirectoryPolicy(settings.directory.on_erasure)}
    return ErasureRules(
        recipients=of.recipient_names,
        cooling_off_hours=of.cooling_off_hours,
        cached_answer_minutes=settings.ocsp.validity_minutes if of.ocsp_is_cached else 0,
        directories=directory,
    )
