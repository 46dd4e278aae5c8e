"""Ceremonies on real tokens: broken off anywhere and gone on with, they end the same."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca.errors import Conflict as CaConflict
from ceremony.conduct import Papers, hold
from ceremony.custodians import join_pin, officer_pin
from ceremony.custody import BY_DEVICE
from ceremony.errors import ClockBehind, Conflict, Unwritable
from ceremony.script import template_text
from ceremony.transcript import JSON_FILE, Written
from ceremony.verify import Installation, verify_transcript
from hsm.errors import HsmError, PinRejected, PinUnreadable, TokenLocked, TokenNotFound
from hsm.files import write_owner_only
from server.assembly import Assembly
from server.ceremony import ceremonies, site_of
from server.clock import utc_now
from server.errors import IssuerOffline
from server.fresh_look import is_gone
from server.tokens import Tokens
from tests.support.ceremonies import Crew, a_binding, an_empty_installation, papers
from tests.support.softhsm import SoftHsm


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    with an_empty_installation(softhsm, tmp_path / "state") as made:
        yield made


def held(parts: Assembly, of: Papers, crew: Crew | None = None) -> Written:
    return hold(of, site_of(parts), crew or Crew())


def anew(parts: Assembly) -> Assembly:
    """The parts as another process has them: nothing unlocked, nothing remembered."""
    return dataclasses.replace(parts, tokens=Tokens(parts.settings.hsm))


def label(of: Papers, token: str) -> str:
    return of.binding.binding.token[token].label


def journal(parts: Assembly) -> list[dict[str, Any]]:
    path = ceremonies(parts.settings.state) / "first" / "journal.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def occurrences(folder: Path, secrets: list[str]) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets)
    ]


def test_a_ceremony_makes_what_its_script_says_and_its_transcript_verifies(
    parts: Assembly,
) -> None:
    of = papers()
    written = held(parts, of)
    root, issuing = parts.issuers.all()
    assert root.certificate is not None
    assert issuing.certificate is not None
    issuing.certificate.verify_directly_issued_by(root.certificate)
    assert isinstance(root.certificate.public_key(), ec.EllipticCurvePublicKey)
    assert parts.crls.latest(root.name) is not None
    site = site_of(parts)
    event = Installation(site.audit_key().public_key(), anchored=True)
    checks = verify_transcript(written.folder / JSON_FILE, event)
    assert [check.sentence for check in checks if check.holds is False] == []
    assert [check.holds for check in checks].count(None) == 1
    assert all(file.exists() for file in written.files)


def test_the_pin_of_custodians_is_on_no_disk_and_any_two_of_them_open_the_token(
    parts: Assembly, softhsm: SoftHsm
) -> None:
    of, crew = papers(), Crew()
    held(parts, of, crew)
    root = label(of, "root")
    pin = join_pin(crew.shares[-2:])
    secrets = [pin, officer_pin(pin, root), *crew.shares]
    assert occurrences(parts.settings.state, secrets) == []
    assert occurrences(softhsm.store.directory, secrets) == []
    other = anew(parts)
    other.tokens.unlock(root, pin)
    assert other.tokens.open(root).key_labels() == ["root-ca"]
    # The process that looks whether a destroyed key is gone is given the PIN, and nobody asked.
    assert is_gone(other.settings, root, "no-such-key", other.tokens.given_pin(root))
    assert not is_gone(other.settings, root, "root-ca", other.tokens.given_pin(root))
    assert not is_gone(other.settings, root, "no-such-key")
    other.tokens.close()


def test_without_custodians_the_root_is_offline_and_the_rest_works(parts: Assembly) -> None:
    of = papers()
    held(parts, of)
    other = anew(parts)
    with pytest.raises(TokenLocked):
        other.tokens.open(label(of, "root"))
    with pytest.raises(IssuerOffline):
        other.issuer("root")
    assert other.issuer("issuing").certificate is not None
    other.tokens.check_keys([(label(of, "root"), "root-ca"), (label(of, "issuing"), "issuing-ca")])


def test_a_ceremony_held_again_makes_nothing_and_writes_the_same_transcript(
    parts: Assembly,
) -> None:
    of = papers()
    first = held(parts, of)
    entries, certificates = journal(parts), len(parts.certificates.find())
    crew = Crew()
    second = held(anew(parts), of, crew)
    assert second.sha256 == first.sha256
    assert journal(parts) == entries
    assert len(parts.certificates.find()) == certificates
    assert crew.asked == 0


def test_a_token_that_softhsm_cannot_make_is_told(parts: Assembly) -> None:
    binding = a_binding("file").replace("ceremony-root", "Luna Root")
    with pytest.raises(TokenNotFound, match="a token label is 1 to 32 of a-z"):
        held(parts, papers(binding=binding))
    assert parts.issuers.all() == []


QUESTIONS = range(1, 33)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_ceremony_broken_off_at_any_question_is_gone_on_with(
    parts: Assembly, question: int
) -> None:
    of, crew = papers(), Crew(stop_at=question)
    with pytest.raises(KeyboardInterrupt):
        held(parts, of, crew)
    assert "the same command goes on" in crew.told[-1]
    written = held(anew(parts), of, crew)
    transcript = written.signed.transcript
    assert [step.number for step in transcript.steps] == list(range(1, 11))
    assert len(transcript.runs) == 2
    assert len(parts.certificates.find()) == 2
    checks = verify_transcript(written.folder / JSON_FILE)
    assert [check.sentence for check in checks if check.holds is False] == []


def test_there_is_no_question_after_those_that_are_broken_off_at(parts: Assembly) -> None:
    crew = Crew()
    held(parts, papers(), crew)
    assert crew.asked == QUESTIONS[-1]


def test_shares_of_a_handing_out_that_was_broken_off_are_void_and_that_is_written_down(
    parts: Assembly,
) -> None:
    of = papers()
    crew = Crew(stop_at=14)
    with pytest.raises(KeyboardInterrupt):
        held(parts, of, crew)
    shown = list(crew.shares)
    assert shown
    again = Crew()
    written = held(anew(parts), of, again)
    texts = [deviation.text for deviation in written.signed.transcript.deviations]
    assert any("void, destroy them" in text for text in texts)
    assert not set(shown) & set(again.shares)


def test_a_deviation_is_written_down_where_it_happened(parts: Assembly) -> None:
    crew = Crew(deviations=["The auditor came late"])
    written = held(parts, papers(), crew)
    (deviation,) = written.signed.transcript.deviations
    assert (deviation.step, deviation.text) == (1, "The auditor came late")
    assert "The auditor came late" in written.files[1].read_text(encoding="utf-8")
    assert b"The auditor came late" in written.files[2].read_bytes()


def test_another_script_does_not_go_on_with_a_ceremony(parts: Assembly) -> None:
    binding = a_binding()
    with pytest.raises(KeyboardInterrupt):
        held(parts, papers(binding=binding), Crew(stop_at=9))
    changed = papers(template_text().replace("Example CA", "Other CA"), binding)
    with pytest.raises(Conflict, match="another script"):
        held(parts, changed)
    with pytest.raises(Conflict, match="another binding"):
        held(parts, papers())


def test_a_ceremony_is_held_by_one_process_at_a_time(parts: Assembly) -> None:
    of = papers()

    class Second(Crew):
        def before_step(self) -> list[str]:
            with pytest.raises(Conflict, match="by another process now"):
                held(parts, of)
            return []

    held(parts, of, Second())


def test_a_token_that_is_there_with_a_pin_of_its_own_is_not_given_to_custodians(
    parts: Assembly, softhsm: SoftHsm
) -> None:
    of = papers()
    softhsm.store.create_token(label(of, "root"))
    with pytest.raises(Conflict, match="a PIN of its own"):
        held(parts, of)


def test_an_issuer_that_is_there_by_another_key_stops_the_ceremony(parts: Assembly) -> None:
    held(parts, papers())
    other = template_text().replace('name = "first"', 'name = "second"')
    with pytest.raises(CaConflict, match="another key or name"):
        held(parts, papers(other))


def test_a_clock_set_back_stops_the_ceremony(parts: Assembly) -> None:
    of = papers()
    with pytest.raises(KeyboardInterrupt):
        held(parts, of, Crew(stop_at=9))
    past = utc_now().replace(year=2020)
    with pytest.raises(ClockBehind):
        hold(of, dataclasses.replace(site_of(parts), clock=lambda: past), Crew())


def test_a_token_that_disappears_stops_the_ceremony_and_the_next_run_ends_it(
    parts: Assembly, softhsm: SoftHsm, tmp_path: Path
) -> None:
    of = papers()
    crew = Crew(stop_at=25)
    with pytest.raises(KeyboardInterrupt):
        held(parts, of, crew)
    copies = softhsm.store.directory / "token-objects" / label(of, "issuing")
    (copy,) = copies.iterdir()
    shutil.move(copies, tmp_path / "taken")
    with pytest.raises(HsmError):
        held(anew(parts), of, crew)
    assert "the same command goes on" in crew.told[-1]
    shutil.move(tmp_path / "taken", copies)
    written = held(anew(parts), of, crew)
    assert len(written.signed.transcript.runs) == 3
    assert len(parts.certificates.find()) == 2
    assert copy.exists()


def test_a_transcript_that_cannot_be_written_is_written_by_the_next_run(parts: Assembly) -> None:
    of = papers()
    crew = Crew()
    blocked = ceremonies(parts.settings.state) / "first" / "transcript.pdf"
    blocked.mkdir(parents=True)
    with pytest.raises(Unwritable) as refused:
        held(parts, of, crew)
    assert refused.value.path == blocked
    blocked.rmdir()
    written = held(anew(parts), of)
    assert blocked.is_file()
    checks = verify_transcript(written.folder / JSON_FILE)
    assert [check.sentence for check in checks if check.holds is False] == []


def test_a_pin_in_a_file_is_not_split_and_the_transcript_says_so(parts: Assembly) -> None:
    of, crew = papers(binding=a_binding("file")), Crew()
    written = held(parts, of, crew)
    assert crew.shares == []
    assert "not split: the binding keeps the PIN by its file" in written.files[1].read_text(
        encoding="utf-8"
    )


def test_a_device_without_a_pin_pad_is_refused_where_the_binding_says_module(
    parts: Assembly, softhsm: SoftHsm
) -> None:
    of = papers(binding=a_binding("module"))
    softhsm.store.create_token(label(of, "root"))
    with pytest.raises(PinRejected, match="does not ask for PINs by itself"):
        held(parts, of)
    assert parts.tokens.custody(label(of, "root")) is None


def test_a_pin_that_a_device_asks_for_itself_is_not_split(parts: Assembly) -> None:
    of = papers()
    parts.tokens.keep_custody(label(of, "root"), BY_DEVICE)
    with pytest.raises(Conflict, match="asks for the PIN"):
        held(parts, of)
    with pytest.raises(TokenLocked):
        parts.tokens.open(label(of, "root"))


@pytest.fixture
def elsewhere(softhsm: SoftHsm, tmp_path: Path) -> Iterator[tuple[Assembly, Papers, Crew]]:
    """An installation whose tokens are made with other tools, each with a first PIN."""
    of, pins = papers(), tmp_path / "pins"
    pins.mkdir()
    service = label(of, "root").replace("root", "service")
    for token in (label(of, "root"), label(of, "issuing"), service):
        softhsm.store.create_token(token)
        if token != label(of, "root"):
            shutil.copy(softhsm.store.pins / f"{token}.pin", pins)
    first = (softhsm.store.pins / f"{label(of, 'root')}.pin").read_text(encoding="utf-8")
    changed = {
        "TILLID_HSM__SOFTHSM_DIRECTORY": "",
        "TILLID_HSM__PIN_DIRECTORY": str(pins),
        "TILLID_HSM__SERVICE_TOKEN": service,
    }
    with an_empty_installation(softhsm, tmp_path / "state", **changed) as parts:
        yield parts, of, Crew(first_pin=first)


def test_a_token_that_was_made_elsewhere_is_given_the_custodians_pin(
    elsewhere: tuple[Assembly, Papers, Crew],
) -> None:
    parts, of, crew = elsewhere
    root = label(of, "root")
    written = held(parts, of, crew)
    assert not written.signed.transcript.deviations
    custody = parts.tokens.custody(root)
    assert custody is not None
    assert custody.in_force
    pin = join_pin(crew.shares[:2])
    parts.tokens.unlock(root, pin)
    token = parts.tokens.open(root)
    with pytest.raises(PinRejected):
        token.change_pin(crew.first_pin, "another PIN 1234")
    token.change_pin(pin, pin)


@pytest.mark.parametrize("question", [13, 16, 18, 20])
def test_a_change_of_pin_that_was_broken_off_is_gone_on_with(
    elsewhere: tuple[Assembly, Papers, Crew], question: int
) -> None:
    parts, of, crew = elsewhere
    crew.stop_at = question
    with pytest.raises(KeyboardInterrupt):
        held(parts, of, crew)
    held(anew(parts), of, crew)
    pin = join_pin(crew.shares[-3:-1])
    parts.tokens.unlock(label(of, "root"), pin)
    parts.tokens.open(label(of, "root")).change_pin(pin, pin)


def test_a_token_that_is_not_there_is_asked_for_where_tokens_are_made_elsewhere(
    elsewhere: tuple[Assembly, Papers, Crew],
) -> None:
    parts, _, crew = elsewhere
    with pytest.raises(TokenNotFound, match="tools of the device's maker"):
        held(parts, papers(binding=a_binding("file")), crew)


@pytest.mark.slow
def test_an_rsa_key_may_sign_by_pss_alone(parts: Assembly) -> None:
    text = template_text().replace('type = "EC-P384"', 'type = "RSA-4096-PSS"')
    of, crew = papers(text.replace('type = "EC-P256"', 'type = "RSA-3072-PSS"')), Crew()
    written = held(parts, of, crew)
    issuing = parts.issuers.get("issuing").certificate
    assert issuing is not None
    assert issuing.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS
    checks = verify_transcript(written.folder / JSON_FILE)
    assert [check.sentence for check in checks if check.holds is False] == []
    # What was there is compared by its scheme, too.
    other = template_text().replace('type = "EC-P384"', 'type = "RSA-4096"')
    named = other.replace('name = "first"', 'name = "second"')
    with pytest.raises(Conflict, match="is there, of type RSA-4096-PSS"):
        held(anew(parts), papers(named, of.binding.document.text), Crew(shares=crew.shares[1:]))


def test_an_issuing_key_may_be_of_another_kind_that_its_profile_takes(parts: Assembly) -> None:
    written = held(parts, papers(template_text().replace("EC-P256", "RSA-3072")))
    (key,) = [
        step.facts
        for step in written.signed.transcript.steps
        if step.facts.do == "key" and step.facts.label == "issuing-ca"
    ]
    assert key.type == "RSA-3072"
    checks = verify_transcript(written.folder / JSON_FILE)
    assert [check.sentence for check in checks if check.holds is False] == []


@pytest.mark.parametrize("octets", [b"", b"{}", b"[]", b'{"threshold": 3, "shares": 2}'])
def test_a_custody_file_that_was_damaged_is_named(
    parts: Assembly, softhsm: SoftHsm, octets: bytes
) -> None:
    path = softhsm.store.pins / "damaged.custodians"
    write_owner_only(path, octets)
    with pytest.raises(PinUnreadable, match="damaged"):
        parts.tokens.custody("damaged")
