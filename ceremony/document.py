"""The transcript for people: plain text, and the same text on pages for the safe."""

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH = 92
_SIGNATURE_LINE = "_" * 40
_PER_PAGE = 62
_POINTS = 8.5
_LEADING = 11.2
_MARGIN = 50
_WATERMARK = "REHEARSAL"
_HALF = 16


def lay_out(transcript: Mapping[str, Any], sha256: str) -> list[str]:
    """The lines of a transcript and the digest of its JSON; the same for the same transcript."""
    lines = [line for part in _parts(transcript, sha256) for line in part]
    return [piece for line in lines for piece in _wrapped(line)]


def pdf(lines: Sequence[str], title: str, sha256: str, *, rehearsal: bool) -> bytes:
    """The lines on A4 pages with numbers and the digest; the same octets for the same lines.

    The letters are those of Latin-1, which every printer has; others are written as escapes.
    """
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415 - slow, and needed at the end alone
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415

    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, pageCompression=0, invariant=1)
    canvas.setTitle(_latin(title))
    canvas.setAuthor("Tillid")
    pages = [lines[start : start + _PER_PAGE] for start in range(0, len(lines), _PER_PAGE)]
    height = A4[1]
    for number, page in enumerate(pages, 1):
        if rehearsal:
            _watermark(canvas, A4)
        canvas.setFont("Courier", _POINTS)
        for row, line in enumerate(page):
            canvas.drawString(_MARGIN, height - _MARGIN - row * _LEADING, _latin(line))
        foot = f"{_WATERMARK}  " if rehearsal else ""
        canvas.setFont("Courier", _POINTS - 1.5)
        canvas.drawString(_MARGIN, _MARGIN - 14, f"{foot}SHA-256 of transcript.json {sha256}")
        canvas.drawRightString(A4[0] - _MARGIN, _MARGIN - 14, f"{number}/{len(pages)}")
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _digest(sha256: str, indent: int) -> list[str]:
    """A digest as people compare it: pairs of capital hexadecimal digits, in two lines."""
    octets = bytes.fromhex(sha256)
    halves = (octets[:_HALF], octets[_HALF:])
    return [" " * indent + half.hex(":").upper() for half in halves]


def _people(of: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Role and name of all who were there; canonical JSON does not keep the script's order."""
    for step in of["steps"]:
        if step["facts"]["do"] == "attendance":
            people = step["facts"]["people"]
            yield from ((role, name) for role in sorted(people) for name in people[role])


def _watermark(canvas: Any, size: tuple[float, float]) -> None:
    canvas.saveState()
    canvas.setFillGray(0.85)
    canvas.setFont("Helvetica-Bold", 80)
    canvas.translate(size[0] / 2, size[1] / 2)
    canvas.rotate(55)
    canvas.drawCentredString(0, 0, _WATERMARK)
    canvas.restoreState()


def _latin(text: str) -> str:
    return text.encode("latin-1", "backslashreplace").decode("latin-1")


def _wrapped(line: str) -> list[str]:
    if len(line) <= WIDTH:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(
        line,
        WIDTH,
        subsequent_indent=indent,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )


def _parts(of: Mapping[str, Any], sha256: str) -> Iterator[Sequence[str]]:
    yield _head(of, sha256)
    yield _present(of)
    yield ["", "STEPS", ""]
    for step in of["steps"]:
        yield _step(step)
    deviations = [
        f"  {each['at'][:19]}Z"
        + (f", step {each['step']}" if each["step"] else "")
        + f": {each['text']}"
        for each in of["deviations"]
    ]
    yield ["", "DEVIATIONS", "", *(deviations or ["  none"])]
    yield ["", "HELD WITH", ""]
    yield [f"  {name} {version}" for name, version in sorted(of["software"].items())]
    yield ["", "SCRIPT", "", *(f"  | {line}" for line in of["script"].splitlines())]
    yield ["", "BINDING", "", *(f"  | {line}" for line in of["binding"].splitlines())]
    yield _signatures(of)


def _head(of: Mapping[str, Any], sha256: str) -> list[str]:
    marked = ["*** REHEARSAL: nothing made here is of any worth ***", ""] if of["rehearsal"] else []
    return [
        *marked,
        of["title"],
        "=" * min(len(of["title"]), WIDTH),
        f"Transcript of key ceremony {of['name']}",
        "",
        f"Begun          {of['runs'][0]}",
        *(f"Gone on with   {run}" for run in of["runs"][1:]),
        f"Ended          {of['ended']}",
        "",
        "SHA-256 of transcript.json, which is signed and anchored in the audit log:",
        *_digest(sha256, 2),
        "SHA-256 of the script:",
        *_digest(of["script_sha256"], 2),
        "SHA-256 of the binding:",
        *_digest(of["binding_sha256"], 2),
    ]


def _present(of: Mapping[str, Any]) -> list[str]:
    lines = [f"  {role:14} {name}" for role, name in _people(of)]
    return ["", "PRESENT", "", *(lines or ["  nobody was asked for"])]


def _step(step: Mapping[str, Any]) -> list[str]:
    facts = step["facts"]
    lines = [f"{step['number']}. {_TITLES[facts['do']].format_map(facts)}", f"     at {step['at']}"]
    if "made" in facts:
        lines.append("     made" if facts["made"] else "     was there, and is what it should be")
    for member, label in _SHOWN.items():
        value = facts.get(member)
        if value:
            shown = ", ".join(value) if isinstance(value, list | tuple) else str(value)
            lines.append(f"     {label}: {shown}")
    if "sha256" in facts:
        lines.append(f"     SHA-256 of {_DIGESTED[facts['do']]}:")
        lines += _digest(facts["sha256"], 7)
    for member in ("public_key", "request", "certificate", "chain", "crl"):
        if member in facts:
            lines += [f"       {line}" for line in facts[member].splitlines()]
    lines += [f"     witnessed by {name}" for name in step["witnesses"]]
    return [*lines, ""]


_TITLES = {
    "attendance": "Attendance",
    "split": "PIN of token {token}",
    "token": "Token {token}",
    "key": "Key {label} in token {token}",
    "root": "Root {issuer}",
    "issuing": "Issuing CA {issuer}, certified by {parent}",
    "parent": "Parent {issuer} in token {token}, made before this ceremony",
    "request": "Request of {issuer} to a foreign authority",
    "install": "Certificate of {issuer} by a foreign authority, with those above it",
    "crl": "CRL number {number} of {issuer}",
    "closing": "Closing",
}
_SHOWN = {
    "outcome": "outcome",
    "threshold": "shares needed",
    "shares": "shares handed out",
    "identifier": "number of the set of shares",
    "custodians": "custodians",
    "device": "device",
    "pin": "PIN held by",
    "type": "type",
    "attributes": "the token says",
    "signature": "it signed its own test",
    "key": "key",
    "next_update": "next update",
}
_DIGESTED = {
    "key": "its SubjectPublicKeyInfo",
    "root": "the certificate",
    "issuing": "the certificate",
    "parent": "the certificate",
    "request": "the request",
    "install": "the certificate",
    "crl": "the CRL",
}


def _signatures(of: Mapping[str, Any]) -> list[str]:
    lines = ["", "SIGNED BY HAND", ""]
    for role, name in _people(of):
        lines += ["", f"  {_SIGNATURE_LINE}  {name} ({role})"]
    return lines
