"""`tillid ropa`: the record of processing activities (GDPR Art. 30), made of the data map."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.exit_codes import ExitCode
from commands.files import OutFile, read_octets, write_octets
from commands.installation import settings
from commands.output import Result, lone_verb

if TYPE_CHECKING:
    from server.privacy_sheets import Sheet

language_option = click.option(
    "--language", type=click.Choice(["da", "sv", "en"]), default="en", help="Its language."
)


@lone_verb(example="tillid ropa --format json --out ropa.json --against ropa-last-year.json")
@click.option("--format", "form", type=click.Choice(["json", "csv", "html"]), default="json")
@language_option
@click.option("--out", type=OutFile(), default="-", help="File to write; - is standard output.")
@click.option("--against", help="An export in JSON of before; exits 9 when something differs.")
def group(form: str, language: str, out: Path, against: str | None) -> Result:
    """Export the record of processing: controller, purposes, data, recipients, periods, processors.

    With --against, say what differs from an export of before.
    """
    from server.declared import declared
    from server.privacy_sheets import record_of_processing
    from server.privacy_words import Language

    sheet = record_of_processing(declared(settings()), Language(language))
    before = None if against is None else _export(against)
    value = write_sheet(sheet, form, out)
    if before is None:
        return Result(value, value.pop("said"))
    from server.declared import declared
    from server.privacy_sheets import differences

    found = list(differences(before, value["sheet"]))
    said = tuple(found) or ("Nothing differs.",)
    code = ExitCode.CHECK_SAYS_NO if found else ExitCode.DONE
    value.pop("said")
    return Result({**value, "differences": found}, said, exit_code=code)


def write_sheet(sheet: "Sheet", form: str, out: Path) -> dict[str, Any]:
    """Write a sheet, or give it to be shown; the sentences are under `said`."""
    import json
    from dataclasses import asdict

    from server.privacy_sheets import as_csv, as_html

    document = json.loads(json.dumps(asdict(sheet)))
    octets = {
        "json": lambda: json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n",
        "csv": lambda: as_csv(sheet),
        "html": lambda: as_html(sheet),
    }[form]()
    if str(out) == "-":
        return {"sheet": document, "said": tuple(octets.decode().splitlines())}
    write_octets(out, octets)
    return {"sheet": document, "written": str(out), "said": (f"{out} is written.",)}


def _export(name: str) -> object:
    import json

    from ca.errors import MalformedRequest

    try:
        found = json.loads(read_octets(name))
    except (ValueError, RecursionError):
        raise MalformedRequest(f"file {name}", "it is no JSON") from None
    if not isinstance(found, dict) or found.get("form") != "tillid-ropa-1":
        raise MalformedRequest(f"file {name}", "it is not what `tillid ropa` writes")
    return found
