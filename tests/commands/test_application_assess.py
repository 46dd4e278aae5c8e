"""`tillid application assess`: a file in, levels and reasons out, and nothing else is touched."""

import importlib
import io
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from commands.failures import run
from ra.levels import AssuranceLevel
from tests.support.case_rows import TABLES

CLI = importlib.import_module("cli")  # no code may import it; its tests have to


class Answer:
    """What the verb wrote, and with which code it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


class Desk:
    """Somebody with a file and a command line, and no installation."""

    def __init__(
        self, folder: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self._file, self._capsys, self._patch = folder / "case.json", capsys, patch
        patch.chdir(folder)

    def assess(self, content: object, *options: str, by_input: bool = False) -> Answer:
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        octets = text.encode() if isinstance(text, str) else text
        name = "-" if by_input else str(self._file)
        self._file.write_bytes(octets)
        if by_input:
            self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))
        self._capsys.readouterr()
        code = run(CLI.tillid, ["application", "assess", name, *options])
        said = self._capsys.readouterr()
        return Answer(code, said.out, said.err)


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    return Desk(tmp_path, capsys, monkeypatch)


_POSTED = {
    "natural_person": {
        "document": "passport",
        "document_status": "valid",
        "measures": ["registered_address_delivery"],
    }
}


@pytest.mark.parametrize("by_input", [False, True])
def test_the_answer_in_json_is_the_document_that_is_laid_down(
    desk: Desk, *, by_input: bool
) -> None:
    answer = desk.assess(_POSTED, "--json", by_input=by_input)
    assert (answer.code, answer.err) == (0, "")
    allowed = {"outcome": "allowed", "reasons": []}
    found = answer.document
    assert found["reached"] == "substantial"
    assert found["levels"]["low"] == found["levels"]["substantial"] == allowed
    (reason,) = found["levels"]["high"]["reasons"]
    assert found["levels"]["high"]["outcome"] == "refused"
    assert reason.pop("text").startswith("No physical characteristic was compared: compare the ")
    assert reason == {
        "part": "natural_person",
        "code": "PHYSICAL_COMPARISON_MISSING",
        "requirement": "REG-IDN-H9a",
        "wait": False,
    }


def test_one_level_alone_is_shown_and_reached_stays_what_it_is(desk: Desk) -> None:
    found = desk.assess(_POSTED, "--json", "--level", "low").document
    assert list(found["levels"]) == ["low"]
    assert found["reached"] == "substantial"


def test_an_officer_reads_the_level_the_reasons_and_what_to_do_next(desk: Desk) -> None:
    answer = desk.assess(_POSTED)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "Substantial is reached."
    assert lines[-2].startswith("High\trefused\tREG-IDN-H9a PHYSICAL_COMPARISON_MISSING\tNatural ")
    assert lines[-1].startswith("Next: for High, compare the face with the photo in person")


def test_nothing_is_missing_when_high_is_reached(desk: Desk) -> None:
    answer = desk.assess({"natural_person": {"source_credential": "high"}})
    assert answer.out.splitlines()[-1] == "Next: nothing is missing."


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"natural_person": {"documnet": None}}, "/natural_person/documnet"),
        ({"natural_person": {"expired": 0}}, "/natural_person/expired"),
        ({"natural_person": {"expired": None}}, "/natural_person/expired"),
        ({"natural_person": {"document": "Passport"}}, "/natural_person/document"),
        ({"natural_person": {"document": ["passport"]}}, "/natural_person/document"),
        ({"natural_person": {"cpr_status": 1}}, "/natural_person/cpr_status"),
        ({"natural_person": {"measures": "chip_read"}}, "/natural_person/measures"),
        ({"natural_person": {"measures": ["chip_read", "luck"]}}, "/natural_person/measures/1"),
        ({"natural_person": {"source_credential": "High"}}, "/natural_person/source_credential"),
        ({"natural_person": {"on_record": {}}}, "/natural_person/on_record"),
        ({"natural_person": []}, "/natural_person"),
        ({"natural_person": None}, "/natural_person"),
        ({"authenticator": {"mobile_criteria": 7}}, "/authenticator/mobile_criteria"),
        ({"authenticator": {"mobile_criteria": -1}}, "/authenticator/mobile_criteria"),
        ({"authenticator": {"mobile_criteria": 6.0}}, "/authenticator/mobile_criteria"),
        ({"authenticator": {"mobile_criteria": True}}, "/authenticator/mobile_criteria"),
        ({"association": {"person": None}}, "/association/person"),
        ({"delivery": {}, "a/b~c": {}}, "/a~1b~0c"),
        ('{"delivery": {"receipt": true, "receipt": true}}', "/delivery/receipt"),
        ('{"delivery": {}, "delivery": {}}', "/delivery"),
        ({}, "the whole document"),
        ([], "the whole document"),
        ("", "the whole document"),
        ("{", "the whole document"),
        ('{"delivery": NaN}', "the whole document"),
        ("[" * 100_000, "the whole document"),
        (b"\xff\xfe", "the whole document"),
        ('{"delivery": {"receipt": ' + "9" * 5000 + "}}", "the whole document"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_fault_is_one_line_with_its_pointer(
    desk: Desk, content: object, pointer: str, *, as_json: bool
) -> None:
    answer = desk.assess(content, *(["--json"] if as_json else []))
    assert answer.code == 2
    told, silent = (answer.out, answer.err) if as_json else (answer.err, answer.out)
    assert silent == ""
    assert told.count("\n") == 1
    sentence = json.loads(told)["problem"]["detail"] if as_json else told
    assert sentence.startswith(f"{pointer} is not ")


@pytest.mark.usefixtures("desk")
def test_a_file_that_is_not_there_is_not_found() -> None:
    assert run(CLI.tillid, ["application", "assess", "nowhere.json"]) == 3
    assert run(CLI.tillid, ["application", "assess", "."]) == 2


def test_lines_are_answered_in_their_order(desk: Desk) -> None:
    rows = [(part, row) for part, rows in TABLES.items() for row in rows]
    text = "".join(json.dumps({part: row[1]}) + "\n" for part, row in rows)
    answer = desk.assess(text, "--lines", by_input=True)
    assert answer.code == 0
    found = [json.loads(line) for line in answer.out.splitlines()]
    assert len(found) == len(rows)
    for (_, row), document in zip(rows, found, strict=True):
        allowed = [code is None for code in row[2:]]
        assert [each["outcome"] == "allowed" for each in document["levels"].values()] == allowed


def test_a_fault_in_one_line_answers_none(desk: Desk) -> None:
    answer = desk.assess('{"delivery": {}}\n{"delivery": {"receipt": 0}}\n', "--lines")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "line 2: /delivery/receipt is not true or false.\n"
    assert desk.assess('{"delivery": {}}\n\n', "--lines").err.startswith("line 2: ")


def test_a_sample_of_none_is_answered_with_none(desk: Desk) -> None:
    answer = desk.assess("", "--lines")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_ten_thousand_random_cases_take_seconds_and_lower_levels_ask_less(desk: Desk) -> None:
    dice = random.Random(2015_1502)  # noqa: S311 - no secret
    text = "".join(json.dumps(_random_case(dice)) + "\n" for _ in range(10_000))
    began = time.process_time()
    answer = desk.assess(text, "--lines")
    assert time.process_time() - began < 20
    documents = [json.loads(line) for line in answer.out.splitlines()]
    assert len(documents) == 10_000
    reached = {document["reached"] for document in documents}
    assert reached == {None, *(level.name.lower() for level in AssuranceLevel)}
    for document in documents:
        allowed = [each["outcome"] == "allowed" for each in document["levels"].values()]
        assert allowed == sorted(allowed, reverse=True)


def _random_case(dice: random.Random) -> dict[str, dict[str, Any]]:
    """A part of some row with a key or two of another row of the same part."""
    part = dice.choice(list(TABLES))
    one, other = (dice.choice(TABLES[part])[1] for _ in range(2))
    borrowed = dice.sample(sorted(other), k=min(len(other), dice.randint(0, 2)))
    return {part: one | {key: other[key] for key in borrowed}}
