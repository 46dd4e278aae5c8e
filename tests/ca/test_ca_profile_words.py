"""Profiles in sentences: every topic said, examples true, and changes told."""

from dataclasses import replace

import pytest

from ca.names import SubjectName
from ca.profile_words import differences, example, sentences
from ca.profiles import EXTENDED_KEY_USAGES, Profile, load_profile, profile_names

CHANGES: dict[str, tuple[dict[str, object], str]] = {
    "a shorter life": ({"validity_days": 30}, "valid for 30 days"),
    "another key": ({"key_types": ("EC-P384",)}, "The key is EC-P384;"),
    "a key kept": ({"reuse_key": True}, "a renewal may keep it"),
    "no policy": ({"policy_oids": ()}, "It names no policy."),
    "a person": (
        {"names_person": True, "assurance_level": "high"},
        "an application at level High that two officers have approved",
    ),
    "an approval": ({"approvals": 1}, "only when an approving officer signed for it."),
    "approvals": ({"approvals": 2}, "only when two officers signed for it."),
    "a mailbox": ({"email_addresses": True}, "Beside it stand e-mail addresses"),
    "no status": ({"status_urls": False}, "does not say where its status is found"),
    "only a CRL": ({"ocsp_url": False}, "Its status is found in the CRL."),
}


def staff() -> Profile:
    return load_profile("staff")


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_is_told_in_whole_sentences(name: str) -> None:
    words = sentences(load_profile(name))
    assert list(words) == [
        "for",
        "name",
        "keys",
        "validity",
        "use",
        "status",
        "policy",
        "claims",
        "approval",
    ]
    assert all(said[0].isupper() and said.endswith(".") for said in words.values())


@pytest.mark.parametrize("name", profile_names())
def test_an_example_is_taken_and_the_counter_example_refused(name: str) -> None:
    profile, names = load_profile(name), example(load_profile(name))
    pairs = [tuple(part.split("=", 1)) for part in names.subject.split(", ")]
    profile.check_subject(SubjectName.of((a, v) for a, v in pairs))
    assert names.counter_subject != names.subject
    assert "in this order" in names.reason


def test_a_profile_says_whether_a_certificate_can_be_held() -> None:
    assert "It can be put on hold" in sentences(staff())["status"]
    assert "hold" not in sentences(load_profile("tls-server"))["status"]


def test_every_purpose_has_words() -> None:
    told = sentences(replace(staff(), extended_key_usage=tuple(EXTENDED_KEY_USAGES)))
    assert "TLS servers, TLS clients, e-mail, code and OCSP answers only" in told["use"]


def test_an_authority_says_what_may_stand_below_it() -> None:
    assert "; any number of certificate authorities" in sentences(load_profile("root"))["use"]
    assert "; 0 certificate authorities" in sentences(load_profile("issuing"))["use"]


def test_an_authority_says_what_it_is_held_to() -> None:
    held = replace(
        load_profile("cross"),
        permitted_names=("dns:example.org", "email:example.org"),
        excluded_names=("dns:secret.example.org",),
        require_explicit_policy=0,
    )
    told = sentences(held)["use"]
    assert "stays within dns:example.org or email:example.org." in told
    assert "certifies nothing within dns:secret.example.org." in told
    assert "needs one of its policies from 0 certificates below it on." in told
    (changed,) = differences(load_profile("cross"), held)
    assert told in changed


def test_an_optional_attribute_is_called_so() -> None:
    assert (
        "pseudonym (pseudonym, optional)"
        in sentences(replace(staff(), subject=("CN", "pseudonym?")))["name"]
    )


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_told_as_it_was_and_as_it_will_be(change: str) -> None:
    changes, sentence = CHANGES[change]
    (told,) = differences(staff(), replace(staff(), **changes))  # type: ignore[arg-type]
    was, will_be = told.split(" -> ")
    assert sentence in will_be
    assert sentence not in was


def test_the_same_profile_changes_nothing() -> None:
    assert differences(staff(), replace(staff(), sha256="other octets")) == []
