"""Data to take along (GDPR Art. 20): what the person provided on consent or contract."""

from dataclasses import dataclass

from gdpr_erasure.person_file import PersonFile, Value

_FORM = "tillid-portable-data-1"
_LINE_OCTETS = 75


@dataclass(frozen=True, slots=True)
class PortableRecord:
    """One record: its kind, its reference, and the values by dotted name."""

    kind: str
    reference: str
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class PortableData:
    """Everything that may be taken along."""

    form: str
    made_at: str
    records: tuple[PortableRecord, ...]


def portable_data(file: PersonFile) -> PortableData:
    """Of a person's file what Art. 20(1) names; what we or others found out is not in it."""
    return PortableData(
        _FORM,
        file.at.isoformat(),
        tuple(
            PortableRecord(each.kind, each.reference, {one.name: one.value for one in each.data})
            for each in file.portable()
        ),
    )


def vcard(data: PortableData) -> bytes:
    """The person's name and mail as a vCard 4.0 (RFC 6350), in UTF-8 with CRLF."""
    values: dict[str, str] = {}
    for record in data.records:
        for name, value in record.values.items():
            values[name.rsplit(".", 1)[-1]] = str(value)
    given, surname = values.get("given_name", ""), values.get("surname", "")
    full = f"{given} {surname}".strip() or values.get("name", "") or values.get("common_name", "")
    lines = ["BEGIN:VCARD", "VERSION:4.0", f"FN:{_escaped(full)}"]
    if given or surname:
        lines.append(f"N:{_escaped(surname)};{_escaped(given)};;;")
    if "email" in values:
        lines.append(f"EMAIL:{_escaped(values['email'])}")
    lines.append("END:VCARD")
    return "".join(f"{_folded(line)}\r\n" for line in lines).encode()


def _escaped(text: str) -> str:
    """RFC 6350 section 3.4."""
    for mark in ("\\", ",", ";"):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\r", "").replace("\n", "\\n")


def _folded(line: str) -> str:
    """Lines of at most 75 octets, never broken within a character (RFC 6350 section 3.2)."""
    pieces, piece = [], ""
    for character in line:
        if len((piece + character).encode()) > _LINE_OCTETS - 1:
            pieces.append(piece)
            piece = ""
        piece += character
    return "\r\n ".join([*pieces, piece])
