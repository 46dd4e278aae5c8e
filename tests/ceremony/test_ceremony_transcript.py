"""Transcripts: what was changed is told apart, and what cannot be seen is said."""

import random
import re
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.conduct import hold
from ceremony.document import pdf
from ceremony.errors import TranscriptMalformed
from ceremony.transcript import read_transcript
from ceremony.verify import Installation, verify_transcript
from server.ceremony import site_of
from tests.support.ceremonies import Crew, an_empty_installation, papers
from tests.support.softhsm import SoftHsm


@pytest.fixture(scope="module")
def written(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with an_empty_installation(softhsm, tmp_path_factory.mktemp("transcript") / "state") as parts:
        return hold(papers(), site_of(parts), Crew()).folder


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    for file in written.glob("transcript.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / "transcript.json"


def refuted(path: Path) -> str:
    return "\n".join(check.sentence for check in verify_transcript(path) if check.holds is False)


def test_a_transcript_by_itself_leaves_three_things_open(copy: Path) -> None:
    checks = verify_transcript(copy)
    still_open = [check.sentence for check in checks if check.holds is None]
    assert refuted(copy) == ""
    assert len(still_open) == 3
    assert "audit key" in still_open[0]
    assert "audit log" in still_open[1]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"rehearsal":false', '"rehearsal":true', "The signature is by the key"),
        ("# The script of a", "# A script of a", "The script is the one"),
        ('"outcome":"split"', '"outcome":"never split"', "The signature is by the key"),
        ('"number":4', '"number":3', "Every step of the script"),
        ('"type":"EC-P384"', '"type" : "EC-P384"', "canonical form"),
        ('"label":"root-ca"', '"label":"root-cb"', "signed its own test"),
        ('"parent":"root"', '"parent":"issuing"', "digest, key and signature of its certificate"),
        ('"parent":"root"', '"parent":"nobody"', "digest, key and signature of its certificate"),
        ('"do":"crl","issuer":"root"', '"do":"crl","issuer":"issuing"', "CRL of issuing"),
        ('"ended":"2', '"ended":"1', "do not go backwards"),
        ("Stand-in 3", "Stand-in 9", "transcript.txt beside it"),
        ("Stand-in 3", "Stand-in 9", "transcript.pdf beside it"),
    ],
)
def test_what_was_changed_in_a_transcript_is_told(
    copy: Path, old: str, new: str, told: str
) -> None:
    text = copy.read_text(encoding="utf-8")
    assert old in text
    copy.write_text(text.replace(old, new), encoding="utf-8")
    assert told in refuted(copy)


def test_papers_that_are_not_beside_it_are_said_not_to_be_compared(copy: Path) -> None:
    copy.with_name("transcript.pdf").unlink()
    said = [check.sentence for check in verify_transcript(copy) if check.holds is None]
    assert any("transcript.pdf is not beside it" in sentence for sentence in said)


def test_a_transcript_of_another_installation_is_told(copy: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    checks = verify_transcript(copy, Installation(other, anchored=False))
    assert [check.holds for check in checks].count(False) == 2


def test_the_papers_are_the_same_octets_whenever_they_are_laid_out(copy: Path) -> None:
    assert copy.with_name("transcript.pdf").read_bytes().startswith(b"%PDF-")
    assert "transcript.pdf" not in refuted(copy)
    assert "SIGNED BY HAND" in copy.with_name("transcript.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"transcript": 1}', b" " * 5_000_000]
)
def test_a_file_that_holds_no_transcript_is_malformed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "transcript.json"
    path.write_bytes(content)
    with pytest.raises(TranscriptMalformed):
        read_transcript(path)


def test_letters_that_a_printer_lacks_are_escaped_in_the_pdf_and_whole_in_the_text() -> None:
    pages = pdf(["Åse Łukasiewicz"], "Title", "00" * 32, rehearsal=False)
    assert b"ukasiewicz" in pages
    assert b"u0141" in pages


def test_whatever_is_written_over_a_transcript_is_judged_without_a_fault(copy: Path) -> None:
    octets, chance = copy.read_bytes(), random.Random(7)  # noqa: S311 - spoils
    sound = []
    for _ in range(60):
        spoilt = bytearray(octets)
        at = chance.randrange(len(spoilt))
        spoilt[at : at + chance.choice((0, 1, 4))] = chance.choice(
            (b"", b"\\ud800", b"0", b'"', b"A", bytes([chance.randrange(256)]))
        )
        copy.write_bytes(spoilt)
        with suppress(TranscriptMalformed):
            if not refuted(copy) and spoilt != octets:
                sound.append(bytes(spoilt))
    assert sound == []


@pytest.mark.parametrize(
    ("pattern", "new"),
    [
        (r'"script_sha256":"[0-9a-f]+"', '"script_sha256":"zz"'),
        (r'"runs":\[[^]]*\]', '"runs":[]'),
        (r'"do":"key"', '"do":"lock"'),
        (r"First key", r"\\ud800"),
    ],
)
def test_values_that_a_transcript_cannot_have_are_malformed(
    copy: Path, pattern: str, new: str
) -> None:
    text = copy.read_text(encoding="utf-8")
    changed = re.sub(pattern, new, text, count=1)
    assert changed != text
    copy.write_text(changed, encoding="utf-8")
    with pytest.raises(TranscriptMalformed):
        read_transcript(copy)
