from datetime import UTC, datetime

import pytest
from cryptography import x509

from revocation.reasons import Reason
from revocation.status import Revoked


def test_labels_are_the_words_of_the_standard() -> None:
    assert {reason.label for reason in Reason} == {flag.value for flag in x509.ReasonFlags} | {
        "unspecified",
        "removeFromCRL",
    }


@pytest.mark.parametrize("reason", Reason)
def test_a_label_reads_back_as_its_reason(reason: Reason) -> None:
    assert Reason.from_label(reason.label) is reason


@pytest.mark.parametrize("label", ["", "keycompromise", "KEY_COMPROMISE", "1"])
def test_no_other_word_is_a_reason(label: str) -> None:
    with pytest.raises(ValueError, match="CRLReason"):
        Reason.from_label(label)


def test_seven_is_not_a_reason() -> None:
    with pytest.raises(ValueError, match="7"):
        Reason(7)


def test_nothing_is_revoked_with_the_reason_that_lifts_a_hold() -> None:
    with pytest.raises(ValueError, match="delta"):
        Revoked(Reason.REMOVE_FROM_CRL, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_revocation_time_knows_its_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        Revoked(Reason.SUPERSEDED, datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose
