"""For how long each class of records is kept, as the retention policies in force rule.

What people are told (access report, privacy notice, record of processing) is asked of the same
policies that rule when something is erased, so that they cannot differ.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from gdpr_erasure.policies import add_years
from gdpr_erasure.processing import PROCESSING, Retention, Rule
from gdpr_erasure.record_classes import RecordClass
from gdpr_erasure.retention import Context, Item, RetentionPolicy, Ruling, Trigger, assess

Periods = Mapping[RecordClass, Retention]

# A record whose days tell the rules apart: no two of them keep it until the same day.
_CREATED: Final = date(2001, 1, 10)
_ENDED: Final = date(2003, 6, 17)
_EXPIRES: Final = date(2004, 3, 5)
_TODAY: Final = date(2004, 9, 1)
_LONGEST: Final = 100


def periods(policies: Sequence[RetentionPolicy], delivery_days: int) -> Periods:
    """The period of every class under these policies; `delivery_days` is how long an answer waits.

    What no policy keeps goes when the processing table says: with the credential, the consent or
    the delivery.
    """
    items = [
        Item(each, _CREATED, _ENDED, _EXPIRES, by_consent=each is RecordClass.PUBLICATION)
        for each in RecordClass
    ]
    rulings = assess(items, policies, Context(_TODAY, Trigger.RETENTION)).rulings
    found = {each: _period(rulings[each], PROCESSING[each].retention) for each in RecordClass}
    return found | {RecordClass.DELIVERY: Retention(Rule.DAYS, delivery_days)}


def _period(ruling: Ruling, otherwise: Retention) -> Retention:
    """The rule that keeps the record until the day of a ruling."""
    if not ruling.keeps:
        return otherwise
    until = ruling.until
    if until is None or until == add_years(_TODAY, 1):  # asked anew as long as it is there
        return Retention(Rule.UNTIL_DECIDED)
    if until == _EXPIRES:
        return Retention(Rule.KEEP_UNTIL_EXPIRY)
    for years in range(_LONGEST):
        if until == date(_ENDED.year + years, 12, 31):
            return Retention(Rule.CALENDAR_YEAR_PLUS, years)
        if until == add_years(_ENDED, years):
            return Retention(Rule.YEARS_AFTER_END, years)
    return Retention(Rule.DAYS, (until - _CREATED).days)
