"""What every adapter to a service outside must do: subclass a contract with an adapter in it.

As in `tests/support/register_contract.py`, the test module of an adapter gives the examples that
its test environment holds, and inherits the cases.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

from ra.addresses import (
    AddressAnswer,
    AddressRegister,
    NoRegisteredAddress,
    RegisteredAddress,
)
from ra.attestations import AttestationVerifier, KeyOrigin, NotAttested
from ra.biometrics import BiometricComparator, ComparatorReport
from ra.case import CodeChannel, SourceStatus
from ra.companies import CompanyAnswer, CompanyRegister, NoCompany
from ra.identity import CprNumber, Personal
from ra.legal_persons import Company, CvrNumber
from ra.logins import Login, LoginProvider, LoginRefused
from ra.notices import Notice, NoticeKind, Notifier, Sending
from ra.registers import NoAnswer

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)


class AddressRegisterContract:
    """Cases for an adapter to a register of addresses."""

    known: CprNumber
    without: CprNumber
    silent: CprNumber

    def register(self) -> AddressRegister:
        raise NotImplementedError

    def test_it_names_itself_as_a_source(self) -> None:
        assert self.register().source_id

    def test_an_address_has_lines_and_is_never_shown_by_accident(self) -> None:
        answer = self.register().address_of(self.known, NOW)
        assert isinstance(answer, RegisteredAddress)
        assert all(line.strip() for line in answer.value.split("\n"))
        assert answer.value not in repr(answer)

    def test_who_has_no_address_is_an_answer_of_its_own(self) -> None:
        assert self.register().address_of(self.without, NOW) == NoRegisteredAddress()

    def test_silence_is_an_answer_and_not_an_exception(self) -> None:
        assert self.register().address_of(self.silent, NOW) == NoAnswer()

    def test_the_answers_are_the_closed_set(self) -> None:
        for number in (self.known, self.without, self.silent):
            assert isinstance(self.register().address_of(number, NOW), get_args(AddressAnswer))


class CompanyRegisterContract:
    """Cases for an adapter to a register of legal persons."""

    known: CvrNumber
    unknown: CvrNumber
    silent: CvrNumber

    def register(self) -> CompanyRegister:
        raise NotImplementedError

    def test_it_names_itself_as_a_source(self) -> None:
        assert self.register().source_id

    def test_a_known_number_brings_its_company(self) -> None:
        answer = self.register().find(self.known, NOW)
        assert isinstance(answer, Company)
        assert answer.number == self.known

    def test_an_unknown_number_is_an_answer_of_its_own(self) -> None:
        assert self.register().find(self.unknown, NOW) == NoCompany()

    def test_silence_is_an_answer_and_not_an_exception(self) -> None:
        assert self.register().find(self.silent, NOW) == NoAnswer()

    def test_the_answers_are_the_closed_set(self) -> None:
        for number in (self.known, self.unknown, self.silent):
            assert isinstance(self.register().find(number, NOW), get_args(CompanyAnswer))


class LoginProviderContract:
    """Cases for a provider of logins."""

    answer: str
    nonce: str
    silent_answer: str
    credentials: dict[SourceStatus, str]
    silent_credential: str

    def provider(self) -> LoginProvider:
        raise NotImplementedError

    def test_it_names_itself_as_a_source(self) -> None:
        assert self.provider().source_id

    def test_a_login_is_redeemed_once(self) -> None:
        provider = self.provider()
        login = provider.redeem(self.answer, self.nonce, NOW)
        assert isinstance(login, Login)
        assert login.authenticated_at <= NOW
        assert provider.redeem(self.answer, self.nonce, NOW) == LoginRefused()

    def test_an_answer_to_another_question_is_refused(self) -> None:
        assert self.provider().redeem(self.answer, f"{self.nonce}x", NOW) == LoginRefused()
        assert self.provider().redeem(f"{self.answer}x", self.nonce, NOW) == LoginRefused()

    def test_silence_is_an_answer_and_not_an_exception(self) -> None:
        assert self.provider().redeem(self.silent_answer, self.nonce, NOW) == NoAnswer()
        assert self.provider().status_of(self.silent_credential, NOW) == NoAnswer()

    def test_each_credential_has_its_status(self) -> None:
        assert {SourceStatus.VALID, SourceStatus.REVOKED} <= self.credentials.keys()
        for status, credential in self.credentials.items():
            assert self.provider().status_of(credential, NOW) is status

    def test_printing_a_login_does_not_show_who_it_is(self) -> None:
        login = self.provider().redeem(self.answer, self.nonce, NOW)
        assert isinstance(login, Login)
        assert login.credential not in repr(login)


class BiometricComparatorContract:
    """Cases for a comparator; each capture is one that its test environment knows."""

    same: str
    other: str
    attack: str
    injected: str
    silent: str

    def comparator(self) -> BiometricComparator:
        raise NotImplementedError

    def report(self, capture: str) -> ComparatorReport:
        answer = self.comparator().compare(capture, "nonce-1", NOW)
        assert isinstance(answer, ComparatorReport)
        return answer

    def test_a_living_person_matches_and_the_nonce_comes_back(self) -> None:
        report = self.report(self.same)
        assert (report.matches, report.is_live, report.is_injected) == (True, True, False)
        assert report.nonce == "nonce-1"
        assert report.captured_at <= NOW
        assert all((report.sensor, report.comparator, report.product_version))

    def test_another_person_does_not_match(self) -> None:
        assert not self.report(self.other).matches

    def test_attacks_are_detected(self) -> None:
        assert not self.report(self.attack).is_live
        assert self.report(self.injected).is_injected

    def test_silence_is_an_answer_and_not_an_exception(self) -> None:
        assert self.comparator().compare(self.silent, "nonce-1", NOW) == NoAnswer()


class AttestationVerifierContract:
    """Cases for a verifier of attestations."""

    spki_sha256: str
    attestation: bytes

    def verifier(self) -> AttestationVerifier:
        raise NotImplementedError

    def test_it_names_itself_as_a_source(self) -> None:
        assert self.verifier().source_id

    def test_an_attestation_is_of_the_key_it_names(self) -> None:
        origin = self.verifier().verify(self.attestation, self.spki_sha256, NOW)
        assert isinstance(origin, KeyOrigin)
        assert origin.spki_sha256 == self.spki_sha256

    def test_an_attestation_of_another_key_attests_nothing(self) -> None:
        assert self.verifier().verify(self.attestation, "00" * 32, NOW) == NotAttested()

    def test_octets_that_are_none_attest_nothing(self) -> None:
        for octets in (b"", b"\x00", self.attestation[:-1], self.attestation + b"\x00"):
            assert self.verifier().verify(octets, self.spki_sha256, NOW) == NotAttested()


class NotifierContract:
    """Cases for a notifier."""

    good: Personal
    undeliverable: Personal
    silent: Personal

    def notifier(self) -> Notifier:
        raise NotImplementedError

    def notice(self, notifier: Notifier, address: Personal) -> Notice:
        channel = min(notifier.channels)
        text = Personal("Your code is ABCD.")
        return Notice("occasion-1", NoticeKind.ACTIVATION_CODE, channel, address, text)

    def test_it_carries_some_channel_and_never_the_session_itself(self) -> None:
        assert self.notifier().channels
        assert CodeChannel.ONLINE not in self.notifier().channels

    def test_the_outcomes_are_told_apart(self) -> None:
        notifier = self.notifier()
        outcomes = [
            notifier.send(self.notice(notifier, address), NOW)
            for address in (self.silent, self.undeliverable, self.good)
        ]
        assert outcomes == [Sending.NO_ANSWER, Sending.UNDELIVERABLE, Sending.TAKEN_OVER]

    def test_the_same_occasion_may_be_handed_over_again(self) -> None:
        notifier = self.notifier()
        notice = self.notice(notifier, self.good)
        again = replace(notice, text=Personal("Your code is EFGH."))
        assert notifier.send(notice, NOW) is notifier.send(again, NOW) is Sending.TAKEN_OVER

    def test_printing_a_notice_shows_neither_address_nor_text(self) -> None:
        printed = repr(self.notice(self.notifier(), self.good))
        assert self.good.value not in printed
        assert "ABCD" not in printed
