"""The job of the key store."""

import time
from datetime import datetime

from server.assembly import Assembly
from server.logs import get_logger
from server.metrics import Metrics


def seal_keys(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Let keys die that were destroyed: in the key store at once, in old copies with a seal.

    How many keys were dropped and swept, snapshots written and epochs begun.
    """
    vault, pace = parts.vault, parts.seal_pace
    dropped = vault.drop_doomed()
    waits = dropped or int(pace.at_once and vault.is_awaited())
    if not pace.is_time(time.monotonic(), waits):
        return dropped
    outcome = None
    try:
        swept = vault.sweep()
        outcome = vault.seal(now)
    finally:
        pace.sealed(time.monotonic(), outcome)
    if outcome.waiting_for:
        waiting = ", ".join(outcome.waiting_for)
        get_logger("vault").warning("vault.seal_waits", tokens=waiting, epoch=outcome.epoch)
    return dropped + swept + outcome.snapshots + outcome.began
