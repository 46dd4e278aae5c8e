"""The register of processors, and what is generated from it and the data map."""

import csv
import io
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gdpr_erasure.record_classes import RecordClass
from server.declared import Declared, declared
from server.errors import SettingsRefused
from server.privacy_sheets import (
    as_csv,
    as_html,
    differences,
    privacy_notice,
    record_of_processing,
)
from server.privacy_words import Language
from server.processors import Processor, read_processors, require_processors
from server.settings_sources import load_settings

GOOD = """
[[processor]]
name = "Drift A/S"
role = "hosting"
purpose = "runs the machines"
region = "DK, SE"
agreement = "contract 2026-7"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "processors.toml"
    path.write_text(text)
    return path


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read_processors(tmp_path / "none.toml") == ()


def test_a_register_is_read_in_its_order(tmp_path: Path) -> None:
    found = read_processors(written(tmp_path, GOOD + GOOD.replace("Drift", "Katalog")))

    assert [each.name for each in found] == ["Drift A/S", "Katalog A/S"]
    assert found[0].third_countries == ()


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("[[processor]\n", "processors.toml", "no TOML"),
        (GOOD + 'colour = "red"\n', "processor.0.colour", "not permitted"),
        (GOOD.replace('"hosting"', '"friend"'), "processor.0.role", "hosting"),
        (GOOD.replace("DK, SE", "Denmark"), "processor.0.region", "pattern"),
        (GOOD.replace("DK, SE", "US"), "processor.0", "transfer_basis"),
        (GOOD.replace('agreement = "contract 2026-7"', ""), "processor.0.agreement", "required"),
        ("processor = 1\n", "processor", "tuple"),
    ],
)
def test_a_faulty_register_is_refused_with_its_fault(
    tmp_path: Path, text: str, key: str, says: str
) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_processors(written(tmp_path, text))

    (fault,) = refused.value.faults
    assert fault.key == key
    assert says in fault.problem


def saying(folder: Path, *processors: Processor) -> Declared:
    return replace(declared(load_settings({}, folder)), processors=processors)


def test_a_third_country_is_named_with_its_basis(tmp_path: Path) -> None:
    abroad = GOOD.replace("DK, SE", "DK, US") + 'transfer_basis = "SCC 2021/914"\n'
    (found,) = read_processors(written(tmp_path, abroad))
    sheet = record_of_processing(saying(tmp_path, found), Language.ENGLISH)

    assert found.third_countries == ("US",)
    assert sheet.processors[0].transfer == "US: SCC 2021/914"


@pytest.mark.parametrize("language", Language)
def test_the_record_of_processing_has_every_class_with_basis_and_period(
    tmp_path: Path, language: Language
) -> None:
    sheet = record_of_processing(saying(tmp_path), language)
    rows = list(csv.reader(io.StringIO(as_csv(sheet).decode())))

    assert [each.record_class for each in sheet.processing] == list(RecordClass)
    assert len(rows) == 1 + len(RecordClass)
    assert all(all(cells[:4]) and cells[5] for cells in rows)
    assert sheet.title in as_html(sheet).decode()


@pytest.mark.parametrize("language", Language)
def test_the_notice_tells_of_rights_complaint_and_decisions(
    tmp_path: Path, language: Language
) -> None:
    html = as_html(privacy_notice(saying(tmp_path), language)).decode()

    assert f'<html lang="{language}">' in html
    assert "Datatilsynet" in html
    assert html.count("<h2>") == 6


def test_differences_between_two_exports_are_named(tmp_path: Path) -> None:
    said = saying(tmp_path)
    before = asdict(record_of_processing(said, Language.ENGLISH))
    processors = read_processors(written(tmp_path, GOOD))
    renamed = said.controller.model_copy(update={"name": "Another"})
    after = asdict(
        record_of_processing(Declared(renamed, processors, said.periods), Language.ENGLISH)
    )

    assert list(differences(before, before)) == []
    assert list(differences(before, after)) == [
        "changed: controller.name",
        "new: processors.Drift A/S",
    ]
    assert list(differences(after, before))[1] == "gone: processors.Drift A/S"


def test_who_runs_a_directory_stands_in_the_register(tmp_path: Path) -> None:
    file = written(tmp_path, f'{GOOD}directory = "by-name"\n')
    (processor,) = read_processors(file)
    require_processors({"main": processor.name, "by-name": "another"}, file)
    with pytest.raises(SettingsRefused) as refused:
        require_processors({"main": processor.name, "south": "another"}, file)
    assert [fault.key for fault in refused.value.faults] == ["directories.south"]
    require_processors({}, tmp_path / "none.toml")
    with pytest.raises(SettingsRefused):
        require_processors({"main": processor.name}, tmp_path / "none.toml")
