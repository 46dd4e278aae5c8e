"""What people are given to read: pages that stand alone and print well, and PDF/UA-1 documents."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gdpr_erasure.person_file import Value
from server.privacy_report import AccessReport
from server.privacy_words import Language, Words, catalogue


def page(report: AccessReport) -> bytes:
    """The report as one HTML file that asks nothing of any other: its style goes by hash."""
    words = Words(Language(report.language))
    values = {"report": report, "shown": lambda value: _shown(value, words)}
    return _rendered("privacy_report.html", words, values)


def sheet_page(language: str, values: Mapping[str, object]) -> bytes:
    """A sheet about processing as one HTML file, likewise."""
    return _rendered("privacy_sheet.html", Words(Language(language)), values)


def _rendered(name: str, words: Words, values: Mapping[str, object]) -> bytes:
    style = _template("privacy_report.css").decode()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rendered = _environment().get_template(name)
    return rendered.render(
        text=words.text,
        style=Markup(style),  # noqa: S704 - our own file
        style_sha256=digest,
        **values,
    ).encode()


def document(report: AccessReport) -> bytes:
    """The report as a tagged PDF (PDF/UA-1, ISO 14289-1); the same octets for the same report."""
    return typeset(
        _template("privacy_report.typ"),
        {"report": asdict(report), "words": texts(Language(report.language))},
        int(datetime.fromisoformat(report.made_at).timestamp()),
    )


def typeset(template: bytes, inputs: Mapping[str, object], timestamp: int) -> bytes:
    """A Typst document with JSON inputs as a tagged PDF; `timestamp` is seconds since 1970."""
    import typst  # noqa: PLC0415 - thirty megabytes, needed where a document is made alone

    octets = typst.compile(
        template,
        format="pdf",
        pdf_standards=["ua-1"],
        ignore_system_fonts=True,
        sys_inputs={name: json.dumps(value) for name, value in inputs.items()},
        timestamp=timestamp,
    )
    if not isinstance(octets, bytes):
        raise TypeError(type(octets).__name__)
    return octets


def texts(language: Language) -> dict[str, str]:
    """Every sentence and heading in one language."""
    return {key: said[language] for key, said in catalogue()["text"].items()}


def _shown(value: Value, words: Words) -> str:
    if isinstance(value, bool):
        return words.text("yes" if value else "no")
    return words.text("nothing") if value is None else str(value)


def _template(name: str) -> bytes:
    return files("server").joinpath("templates", name).read_bytes()


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader("server"), autoescape=True, undefined=StrictUndefined)
