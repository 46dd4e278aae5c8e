"""Access reports, portability and their packages: whole, signed, in three languages, for people."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gdpr_erasure.periods import periods
from gdpr_erasure.person_file import Asking, Collection, Datum, Disclosure, PersonFile, Record
from gdpr_erasure.policies import find_policies
from gdpr_erasure.processing import Basis, Purpose, Recipient, Retention, Rule, Source
from gdpr_erasure.record_classes import RecordClass
from records.errors import NotFound
from records.person_rooms import ROOMS
from server.ceremony import audit_key
from server.clock import utc_now
from server.declared import Declared
from server.errors import PackageDamaged
from server.packages import (
    MANIFEST,
    access_package,
    portability_files,
    portability_package,
    verify_package,
)
from server.portability import PortableData, PortableRecord, vcard
from server.privacy_pages import document, page
from server.privacy_report import access_report
from server.privacy_words import Language, Words, catalogue
from server.processors import Processor
from server.settings import Controller
from tests.support.staff import Office, certified

NASTY = 'Åse "<script>alert(1)</script>" #let x = $1$ *bold* \\ `code` @ref Łukasz'
COLLECTED = ("audit_payload", "directory_entry")
EVIDENCE = RecordClass.PROOFING_EVIDENCE
AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
CONTROLLER = Controller.model_construct(
    name="Test A/S",
    address="Gade 1",
    contact="x@example.dk",
    dpo="dpo@example.dk",
    authority="imy",
    processors_file=Path("none"),
)
HOST = Processor(
    name="Drift A/S",
    role="directory",
    purpose="runs it",
    region="DK",
    agreement="K-1",
    directory="main",
)
PERIODS = periods(find_policies(["nsis"]), 32)
DECLARED = Declared(CONTROLLER, (HOST,), PERIODS)
ALONE = Declared(CONTROLLER, (), PERIODS)


def a_file(*data: Datum) -> PersonFile:
    given = data or (
        Datum("applicant.claim.given_name", NASTY, Source.DATA_SUBJECT, EVIDENCE),
        Datum("applicant.claim.email", "aase@example.dk", Source.DATA_SUBJECT, RecordClass.CONTACT),
        Datum("checks[1].answer", "agrees", Source.REGISTER, EVIDENCE),
        Datum("evidence[1].issuer", None, Source.OFFICER, EVIDENCE),
        Datum("acceptances[1].read", value=True, source=Source.DATA_SUBJECT,
              record_class=RecordClass.AGREEMENT_FILE),
        Datum("requested.request_der", "A" * 900, Source.DATA_SUBJECT, RecordClass.AGREEMENT_FILE),
    )  # fmt: skip
    shown = (Disclosure("directory:main", "certificate issuing/01", AT),)
    collection = Collection("records", (Record("application", "A-1", given),), shown)
    return PersonFile("subject-1", AT, (collection,))


class Outline(HTMLParser):
    """What a reader without eyes for layout gets: headings, header cells, text, and scripts."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def levels(self) -> list[int]:
        return [int(tag[1]) for tag, _ in self.tags if re.fullmatch(r"h[1-6]", tag)]


@pytest.mark.parametrize("language", Language)
def test_a_page_stands_alone_and_is_structured_in_each_language(language: Language) -> None:
    html = page(access_report(a_file(), DECLARED, language))
    seen = Outline(html)
    (style,) = re.findall(rb"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style).digest())

    assert ("html", {"lang": language.value}) in seen.tags
    assert digest in html
    assert not {tag for tag, _ in seen.tags} & {"script", "link", "img", "iframe", "form"}
    levels = seen.levels()
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(attrs.get("scope") for tag, attrs in seen.tags if tag == "th")
    assert NASTY in seen.text
    assert Words(language).text("told") in seen.text
    assert "Drift A/S" in seen.text


@pytest.mark.parametrize("language", Language)
def test_a_document_is_tagged_for_screen_readers_and_the_same_each_time(
    language: Language,
) -> None:
    report = access_report(a_file(), ALONE, language)
    pdf = document(report)

    assert pdf.startswith(b"%PDF-1.7")
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert b"/StructTreeRoot" in pdf
    assert f"/Lang({language})".encode() in pdf.replace(b" ", b"")
    assert document(report) == pdf


def test_a_report_says_everything_that_article_15_asks_for() -> None:
    report = access_report(a_file(), DECLARED, Language.ENGLISH)

    (evidence,) = [one for one in report.processing if one.record_class == "proofing_evidence"]
    assert "Article 6(1)(b)" in evidence.basis
    assert evidence.purpose.startswith("To prove who you are")
    assert "5 years" in evidence.retention
    assert evidence.sources == ("yourself", "our officer", "a register")
    (told,) = report.recipients
    assert told.recipient == "directory main (Drift A/S)"
    assert told.since == AT.isoformat()
    assert "IMY" in report.complaint
    assert "Article 22" in report.automated_decisions
    assert report.collected[0].count == 1
    assert report.collected[0].sha256 == a_file().collections[0].checksum


def test_every_word_is_there_in_every_language() -> None:
    for group in catalogue().values():
        for said in group.values():
            assert set(said) == set(Language)
            assert all(said.values())
    expected: dict[str, type] = {
        "class": RecordClass, "purpose": Purpose, "basis": Basis, "source": Source,
        "recipient": Recipient, "rule": Rule,
    }  # fmt: skip
    for name, members in expected.items():
        assert set(catalogue()[name]) == {str(each) for each in members}  # type: ignore[attr-defined]
    assert set(catalogue()["kind"]) == {*(room.kind for room in ROOMS), *COLLECTED}
    assert Words(Language.DANISH).retention(Retention(Rule.DAYS, 32)) == "32 dage"


def test_a_field_is_called_by_its_word_or_by_its_name() -> None:
    words = Words(Language.SWEDISH)

    assert words.field("applicant.claim.given_name") == "förnamn"
    assert words.field("evidence[1].mrz_lines[2]") == "maskinläsbar rad i handlingen 2"
    assert words.field("unheard_of") == "unheard_of"


def test_what_is_taken_along_is_what_the_person_provided() -> None:
    files = portability_files(a_file())
    data = json.loads(files["data.json"])
    (record,) = data["records"]

    assert set(record["values"]) == {
        "applicant.claim.given_name",
        "applicant.claim.email",
        "acceptances[1].read",
        "requested.request_der",
    }
    assert b"EMAIL:aase@example.dk\r\n" in files["person.vcf"]
    assert json.loads(files["data.schema.json"])["title"] == "PortableData"


def test_a_vcard_is_escaped_and_folded() -> None:
    values = {"given_name": "Åse;\nX, " + "ø" * 60, "surname": "Æ\\b"}
    card = vcard(PortableData("f", "t", (PortableRecord("k", "r", dict(values)),)))  # type: ignore[arg-type]

    lines = card.split(b"\r\n")
    assert lines[:2] == [b"BEGIN:VCARD", b"VERSION:4.0"]
    assert all(len(line) <= 75 for line in lines)
    unfolded = card.replace(b"\r\n ", b"").decode()
    assert "N:Æ\\\\b;Åse\\;\\nX\\, " + "ø" * 60 + ";;;\r\n" in unfolded


def asking(subject_id: str) -> Asking:
    return Asking(subject_id, "system:operator", "access-1", utc_now())


@pytest.fixture(scope="module")
def subject_id(office: Office) -> str:
    application = certified(office.parts, office.registration.officer, office.approving)
    return str(application.subject_id)


@pytest.fixture(scope="module")
def package(office: Office, subject_id: str) -> dict[str, bytes]:
    return dict(access_package(office.parts, asking(subject_id), Language.DANISH))


def test_a_package_holds_the_report_in_every_form_and_is_signed(
    office: Office, package: dict[str, bytes]
) -> None:
    names = verify_package(package, audit_key(office.parts).public_key())

    assert {"report.html", "report.pdf", "report.json", "report.schema.json"} < set(names)
    assert [name for name in names if name.startswith("certificates/")]
    report = json.loads(package["report.json"])
    schema = json.loads(package["report.schema.json"])
    assert set(report) == set(schema["properties"])
    assert set(schema["required"]) <= set(report)
    told = {one["label"]: one["value"] for record in report["records"] for one in record["fields"]}
    assert told["fornavn"]
    assert told["CPR-nummer"] in package["report.html"].decode()


@pytest.mark.parametrize("name", ["report.html", "report.json", MANIFEST])
def test_a_package_with_one_octet_altered_is_found(package: dict[str, bytes], name: str) -> None:
    octets = package[name]
    middle = len(octets) // 2
    altered = octets[:middle] + bytes([octets[middle] ^ 1]) + octets[middle + 1 :]

    with pytest.raises(PackageDamaged, match=name):
        verify_package({**package, name: altered})


def test_a_package_with_a_file_more_or_less_or_of_another_signer_is_found(
    office: Office, package: dict[str, bytes]
) -> None:
    fewer = {name: octets for name, octets in package.items() if name != "report.pdf"}
    with pytest.raises(PackageDamaged, match=r"report.pdf"):
        verify_package(fewer)
    with pytest.raises(PackageDamaged, match=r"more.txt"):
        verify_package({**package, "more.txt": b""})
    with pytest.raises(PackageDamaged, match=MANIFEST):
        verify_package({})
    public = json.loads(package[MANIFEST])["public_key"].encode()
    assert load_pem_public_key(public) == audit_key(office.parts).public_key()
    stranger = office.parts.issuers.get("issuing").certificate
    assert stranger is not None
    with pytest.raises(PackageDamaged, match="another key"):
        verify_package(package, stranger.public_key())  # type: ignore[arg-type]


def test_a_portability_package_is_signed_too(office: Office, subject_id: str) -> None:
    names = verify_package(portability_package(office.parts, asking(subject_id)))

    assert {"data.json", "data.schema.json", "person.vcf"} < set(names)


def test_there_is_no_package_about_nobody(office: Office) -> None:
    with pytest.raises(NotFound):
        access_package(office.parts, asking("subject-0"), Language.ENGLISH)


def test_an_empty_list_of_recipients_says_so() -> None:
    file = a_file()
    alone = replace(file, collections=(replace(file.collections[0], disclosures=()),))
    html = page(access_report(alone, ALONE, Language.ENGLISH)).decode()

    assert "Nobody outside our organisation." in html
