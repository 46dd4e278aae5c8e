"""The privacy notice (GDPR Art. 13, 14) and the record of processing (Art. 30), from the data map.

Both are made of the same table as access reports, so none can say what the others do not.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from gdpr_erasure.record_classes import RecordClass
from server.declared import Declared
from server.privacy_pages import sheet_page
from server.privacy_report import (
    ControllerShown,
    ProcessingShown,
    ProcessorShown,
    controller_shown,
    processing_shown,
    processor_shown,
)
from server.privacy_words import Language, Words


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is processed, of whom, why, for how long, and by whom; in one language."""

    form: str
    language: str
    title: str
    controller: ControllerShown
    subjects: str
    processing: tuple[ProcessingShown, ...]
    processors: tuple[ProcessorShown, ...]
    security: str
    paragraphs: tuple[tuple[str, str], ...] = ()
    """Headings and texts that a notice has beside that."""


def record_of_processing(of: Declared, language: Language) -> Sheet:
    """Everything of Art. 30(1)(a) to (g), and the processors of (2)."""
    words = Words(language)
    return _sheet("tillid-ropa-1", words.text("ropa_title"), of, words)


def privacy_notice(of: Declared, language: Language) -> Sheet:
    """Everything of Art. 13 and 14."""
    words = Words(language)
    sheet = _sheet("tillid-notice-1", words.text("notice_title"), of, words)
    complaint = f"{words.text('complaint_text')} {sheet.controller.authority}"
    paragraphs = (
        ("", words.text("notice_intro")),
        (words.text("rights"), words.text("rights_text")),
        (words.text("complaint"), complaint),
        (words.text("automated"), words.text("automated_text")),
    )
    return replace(sheet, paragraphs=paragraphs)


def _sheet(form: str, title: str, of: Declared, words: Words) -> Sheet:
    return Sheet(
        form=form,
        language=words.language,
        title=title,
        controller=controller_shown(of.controller),
        subjects=words.text("subjects"),
        processing=tuple(processing_shown(each, of.periods, words) for each in RecordClass),
        processors=tuple(processor_shown(each, words) for each in of.processors),
        security=words.text("security_text"),
    )


def as_html(sheet: Sheet) -> bytes:
    """The sheet as one HTML file."""
    return sheet_page(sheet.language, {"sheet": asdict(sheet)})


def as_csv(sheet: Sheet) -> bytes:
    """One row for each class of records, under headings, in UTF-8."""
    words = Words(Language(sheet.language))
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    headings = ("class", "purpose", "basis", "sources", "recipients", "retention")
    rows.writerow(words.text(each) for each in headings)
    for each in sheet.processing:
        rows.writerow(
            (
                each.title,
                each.purpose,
                each.basis,
                ", ".join(each.sources),
                ", ".join(each.recipients),
                each.retention,
            )
        )
    return out.getvalue().encode()


def differences(before: object, after: object, place: str = "") -> Iterator[str]:
    """Where two exports differ, a line each: what is new, gone, or otherwise than before."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            inner = f"{place}.{key}" if place else str(key)
            if key not in after:
                yield f"gone: {inner}"
            elif key not in before:
                yield f"new: {inner}"
            else:
                yield from differences(before[key], after[key], inner)
    elif _is_list(before) and _is_list(after):
        yield from differences(_named(before), _named(after), place)
    elif before != after:
        yield f"changed: {place}"


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _named(values: object) -> dict[str, object]:
    """A list by what names its members, so that one in the middle does not shift the others."""
    assert isinstance(values, list | tuple)  # noqa: S101 - `_is_list` was asked
    named = {}
    for number, each in enumerate(values):
        name = str(number)
        if isinstance(each, Mapping):
            name = str(each.get("record_class", each.get("name", number)))
        named[name] = each
    return named
