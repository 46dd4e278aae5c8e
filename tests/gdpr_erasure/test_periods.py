"""The periods that people are told, as the policies in force rule."""

from datetime import date

import pytest

from gdpr_erasure.periods import periods
from gdpr_erasure.policies import BUILT_IN, find_policies
from gdpr_erasure.processing import Retention, Rule
from gdpr_erasure.record_classes import RecordClass
from gdpr_erasure.retention import Context, Item, assess

OF = RecordClass


@pytest.mark.parametrize(
    ("names", "record_class", "period"),
    [
        ("erase_now", OF.PROOFING_EVIDENCE, Retention(Rule.KEEP_UNTIL_EXPIRY)),
        ("erase_now", OF.PUBLICATION, Retention(Rule.CONSENT_ONLY)),
        ("nsis", OF.PROOFING_EVIDENCE, Retention(Rule.CALENDAR_YEAR_PLUS, 5)),
        ("nsis", OF.ADMINISTRATIVE_ACT, Retention(Rule.CALENDAR_YEAR_PLUS, 10)),
        ("nsis", OF.REFUSED_APPLICATION, Retention(Rule.DAYS, 183)),
        ("nsis", OF.CERTIFICATE_LIFECYCLE, Retention(Rule.YEARS_AFTER_END, 7)),
        ("nsis_etsi", OF.AGREEMENT_FILE, Retention(Rule.YEARS_AFTER_END, 7)),
        ("keep_until_expiry", OF.CERTIFICATE_BODY, Retention(Rule.KEEP_UNTIL_EXPIRY)),
        ("days", OF.PROOFING_EVIDENCE, Retention(Rule.DAYS, 365)),
        ("days nsis", OF.PROOFING_EVIDENCE, Retention(Rule.CALENDAR_YEAR_PLUS, 5)),
        ("consent_only", OF.CONTACT, Retention(Rule.UNTIL_DECIDED)),
    ],
)
def test_the_period_of_a_class_is_the_one_that_its_policies_rule(
    names: str, record_class: RecordClass, period: Retention
) -> None:
    assert periods(find_policies(names.split()), 32)[record_class] == period


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_class_has_a_period_and_a_delivery_its_days(name: str) -> None:
    found = periods(find_policies([name]), 14)

    assert set(found) == set(RecordClass)
    assert found[OF.DELIVERY] == Retention(Rule.DAYS, 14)


def test_what_is_told_is_what_retention_plans() -> None:
    policies = find_policies(["nsis"])
    ended = date(2026, 3, 2)
    item = Item(OF.PROOFING_EVIDENCE, date(2025, 1, 1), ended, date(2027, 1, 1))
    ruling = assess([item], policies, Context(date(2026, 4, 1))).rulings[OF.PROOFING_EVIDENCE]

    told = periods(policies, 32)[OF.PROOFING_EVIDENCE]

    assert ruling.until == date(ended.year + told.number, 12, 31)
