"""A publication that was refused for itself as often as it takes."""

from datetime import datetime

from publish_ldap.publication import TRIES, Failed
from records.publications import Publications


def set_aside(publications: Publications, task: int, now: datetime) -> None:
    failed = Failed(task, "objectClassViolation", now, set_aside=True)
    for _ in range(TRIES):
        publications.failed_all([failed], now)
