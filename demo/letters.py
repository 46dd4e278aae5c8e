"""The printer of the tour: opens a letter that is for its key, and the holder reads the code in it.

A letter is a PDF whose text is glyph numbers and whose fonts say which letter each of them is
(ISO 32000-1 section 9.10.3).
"""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from demo.errors import DemoError
from demo.stage import Stage

_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_GLYPH = re.compile(rb"<([0-9A-F]{4})> <([0-9A-F]{4})>")
_SHOWN = re.compile(rb"\[(\(.*?)\]TJ", re.DOTALL)
_STRING = re.compile(rb"\(((?:\\.|[^\\)])*)\)", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_CODE = re.compile(r"[a-z0-9]{5}-[a-z0-9]{5}-[a-z0-9]{5}")


def make_printer(stage: Stage) -> Path:
    """A key of the printer's and its certificate; gives the certificate's file."""
    key, certificate = _files(stage)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    command += ["-subj", "/CN=printer", "-addext", "keyUsage=critical,keyEncipherment"]
    stage.tool([*command, "-keyout", str(key), "-out", str(certificate)])
    return certificate


def read_code(stage: Stage, envelope: bytes) -> str:
    """What the holder reads in the letter that the printer printed.

    Raises:
        DemoError: no code stands in it.
    """
    key, _ = _files(stage)
    sealed, opened = stage.folder / "letter.cms", stage.folder / "letter.pdf"
    sealed.write_bytes(envelope)
    command = ["openssl", "cms", "-decrypt", "-inform", "DER", "-in", str(sealed)]
    stage.tool([*command, "-inkey", str(key), "-out", str(opened)])
    found = next(_codes(opened.read_bytes()), None)
    for path in (sealed, opened):
        path.unlink()
    if found is None:
        raise DemoError("no code stands in the letter")
    return found


def _files(stage: Stage) -> tuple[Path, Path]:
    return stage.folder / "printer.key", stage.folder / "printer.pem"


def _codes(pdf: bytes) -> Iterator[str]:
    streams = list(_streams(pdf))
    fonts = [dict(_GLYPH.findall(each)) for each in streams if b"beginbfchar" in each]
    for content in streams:
        for shown in _SHOWN.findall(content):
            octets = b"".join(_ESCAPE.sub(_unescaped, each) for each in _STRING.findall(shown))
            for font in fonts:
                if found := _CODE.search(_text(octets, font)):
                    yield found[0]


def _streams(pdf: bytes) -> Iterator[bytes]:
    for found in _STREAM.finditer(pdf):
        try:
            yield zlib.decompress(found[1])
        except zlib.error:  # not compressed in this way, so no text
            continue


def _unescaped(found: "re.Match[bytes]") -> bytes:
    octets = found[1]
    return bytes([int(octets, 8)]) if octets.isdigit() else _NAMED.get(octets, octets)


def _text(glyphs: bytes, font: dict[bytes, bytes]) -> str:
    names = (glyphs[at : at + 2].hex().upper().encode() for at in range(0, len(glyphs), 2))
    return "".join(chr(int(font.get(each, b"0020"), 16)) for each in names)
