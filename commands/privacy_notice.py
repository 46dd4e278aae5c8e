"""`tillid privacy-notice`: what data subjects are told (GDPR Art. 13, 14), made of the data map."""

from pathlib import Path

import click

from commands.files import OutFile
from commands.installation import settings
from commands.output import Result, lone_verb
from commands.ropa import language_option, write_sheet


@lone_verb(example="tillid privacy-notice --language da --out privatliv.html")
@click.option("--format", "form", type=click.Choice(["html", "json"]), default="html")
@language_option
@click.option("--out", type=OutFile(), default="-", help="File to write; - is standard output.")
def group(form: str, language: str, out: Path) -> Result:
    """Write the privacy notice in Danish, Swedish or English."""
    from server.declared import declared
    from server.privacy_sheets import privacy_notice
    from server.privacy_words import Language

    value = write_sheet(privacy_notice(declared(settings()), Language(language)), form, out)
    return Result(value, value.pop("said"))
