"""Terms: which version is in force, and what counts as an answer."""

from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256

import pytest

from ra.errors import MalformedField, Refused
from ra.levels import AssuranceLevel
from ra.terms import (
    LANGUAGES,
    Acceptance,
    TermsKind,
    TermsLibrary,
    accept,
    parse_terms,
    part_findings,
    read_terms_library,
    require_accepted,
    require_agreement,
    terms_findings,
)
from tests.support.ra_builders import NOW, drafted

_DOCUMENT = "kind: terms\nversion: 2\nlanguage: en\nvalid_from: 2026-02-01\n\n# Terms\n"


def test_every_text_is_shipped_and_in_force() -> None:
    library = read_terms_library()
    for kind in TermsKind:
        texts = library.in_force(kind, NOW)
        assert {text.language for text in texts} == set(LANGUAGES)
        assert len({text.text.count("\n") for text in texts}) == 1
        for text in texts:
            assert text.sha256 == sha256(text.text.encode()).hexdigest()
            assert library.offered(kind, text.sha256, NOW) == text


@pytest.mark.parametrize("clause", ["", "kept_to_oneself: 2\n", "kept_to_oneself: .*\n"])
def test_a_notice_without_the_clause_that_its_header_names_is_refused(clause: str) -> None:
    head = _DOCUMENT.replace("kind: terms", "kind: security_notice").partition("\n\n")[0]
    with pytest.raises(Refused) as refusal:
        parse_terms(f"{head}\n{clause}\n# Notice\n\n1. Keep the key to yourself.\n")
    assert [each.code for each in refusal.value.findings] == ["TERMS_CLAUSE_MISSING"]


def test_an_answer_counts_only_after_the_same_session_showed_the_text_to_its_end() -> None:
    library = read_terms_library()
    for shown_at in (None, NOW + timedelta(seconds=1)):
        answers = tuple(replace(each, shown_at=shown_at) for each in drafted().acceptances)
        found = terms_findings(answers, library, AssuranceLevel.SUBSTANTIAL)
        assert [each.code for each in found] == ["TERMS_NOT_FULLY_SHOWN"] * 2
        assert terms_findings(answers, library, AssuranceLevel.LOW) == ()


def test_a_newer_version_takes_over_on_its_day() -> None:
    newer = parse_terms(_DOCUMENT)
    library = TermsLibrary((*read_terms_library().versions, newer))
    assert library.in_force(TermsKind.TERMS, NOW)[0].version == 1
    assert library.in_force(TermsKind.TERMS, NOW + timedelta(days=17)) == (newer,)


def test_before_the_first_version_none_is_in_force() -> None:
    library = TermsLibrary((parse_terms(_DOCUMENT),))
    assert library.in_force(TermsKind.TERMS, NOW) == ()


def test_an_answer_to_a_version_that_is_no_longer_in_force_does_not_count() -> None:
    later = NOW + timedelta(days=17)
    library = TermsLibrary((*read_terms_library().versions, parse_terms(_DOCUMENT)))
    answers = tuple(replace(each, at=later) for each in drafted().acceptances)
    for level in AssuranceLevel:
        found = terms_findings(answers, library, level)
        assert [each.code for each in found] == ["TERMS_NOT_PRESENTED"]
    # What was answered while it was in force stays an answer.
    assert terms_findings(drafted().acceptances, library, AssuranceLevel.SUBSTANTIAL) == ()


def test_a_statute_stands_in_the_place_of_a_contract() -> None:
    answers = tuple(replace(each, accepted=False) for each in drafted().acceptances)
    require_agreement(answers, by_statute=True)
    with pytest.raises(Refused):
        require_agreement(answers, by_statute=False)


def test_at_low_it_is_enough_that_the_texts_were_shown() -> None:
    answers = tuple(replace(each, accepted=False) for each in drafted().acceptances)
    library = read_terms_library()
    assert terms_findings(answers, library, AssuranceLevel.LOW) == ()
    found = terms_findings(answers, library, AssuranceLevel.SUBSTANTIAL)
    assert {each.code for each in found} == {"TERMS_NOT_ACCEPTED"}


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"read": True},
        {"accepted": True},
        {"read": True, "accepted": None},
        {"read": "true", "accepted": "true"},
        {"read": 1, "accepted": 1},
        {"read": True, "accepted": True, "sha256": "0" * 64},
        {"read": True, "accepted": True, "sha256": None},
    ],
)
def test_an_answer_that_is_not_explicit_is_refused(statement: dict[str, object]) -> None:
    text = read_terms_library().in_force(TermsKind.TERMS, NOW)[0]
    with pytest.raises(Refused) as refusal:
        accept({"sha256": text.sha256} | statement, text, NOW)
    assert refusal.value.findings[0].code == "TERMS_ACCEPTANCE_NOT_EXPLICIT"


@pytest.mark.parametrize("missing", ["kind", "version", "language", "valid_from"])
def test_a_text_without_its_header_is_refused(missing: str) -> None:
    lines = [line for line in _DOCUMENT.splitlines() if not line.startswith(missing)]
    with pytest.raises(MalformedField):
        parse_terms("\n".join(lines))


def test_a_text_is_read_with_its_date() -> None:
    assert parse_terms(_DOCUMENT).valid_from == date(2026, 2, 1)


def _agreed(library: TermsLibrary, *, accepted: bool = True) -> Acceptance:
    text = library.in_force(TermsKind.SUBSCRIBER, NOW)[0]
    answer = {"sha256": text.sha256, "read": True, "accepted": accepted}
    return accept(answer, text, NOW, shown_at=NOW)


def test_subscriber_and_subject_each_enter_into_an_agreement_of_their_own() -> None:
    library, own = read_terms_library(), drafted().acceptances
    both = (_agreed(library),)
    assert part_findings(own, both, library, NOW) == ()
    refused = tuple(replace(each, accepted=False) for each in own)
    for subject, subscriber, missing in (
        (own, (), ("subscriber",)),
        (refused, both, ("subject",)),
        ((), (), ("subscriber", "subject")),
    ):
        (found,) = part_findings(subject, subscriber, library, NOW)
        assert (found.code, found.concerns) == ("AGREEMENT_PART_MISSING", missing)


def test_what_the_subscriber_agreed_to_is_no_older_than_what_is_in_force_at_the_application() -> (
    None
):
    document = _DOCUMENT.replace("kind: terms", "kind: subscriber")
    library = TermsLibrary((*read_terms_library().versions, parse_terms(document)))
    own, before, later = drafted().acceptances, (_agreed(library),), NOW + timedelta(days=17)
    assert part_findings(own, before, library, NOW) == ()
    (found,) = part_findings(own, before, library, later)
    assert found.concerns == ("subscriber",)
    strange = (replace(before[0], sha256="0" * 64),)
    assert part_findings(own, strange, library, NOW) != ()


def test_what_is_not_read_and_accepted_is_no_agreement_at_any_level() -> None:
    library = read_terms_library()
    require_accepted(_agreed(library))
    with pytest.raises(Refused, match="TERMS_NOT_ACCEPTED"):
        require_accepted(_agreed(library, accepted=False))
    with pytest.raises(Refused, match="TERMS_NOT_FULLY_SHOWN"):
        require_accepted(replace(_agreed(library), shown_at=None))
