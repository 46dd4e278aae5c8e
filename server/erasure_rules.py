"""What one installation has decided about erasures."""

from gdpr_erasure.erasures import DirectoryPolicy, ErasureRules
from server.settings import Settings


def erasure_rules(settings: Settings) -> ErasureRules:
    """What the settings say of erasures."""
    of = settings.erasure
    tables = settings.directories.items()
    return ErasureRules(
        recipients=of.recipient_names,
        cooling_off_hours=of.cooling_off_hours,
        cached_answer_minutes=settings.ocsp.validity_minutes if of.ocsp_is_cached else 0,
        directories={name: DirectoryPolicy(table.on_erasure) for name, table in tables},
    )
