"""`tillid ca`: the issuers."""

from typing import TYPE_CHECKING

import click

from commands.ca_import import import_verb
from commands.installation import installation
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from ca.hierarchy import IssuerRecord


@click.group
def group() -> None:
    """Issuers: list, show and import them."""


group.add_command(import_verb, "import")


def _facts(record: "IssuerRecord") -> dict[str, str | None]:
    from ca.hierarchy import fingerprint

    certificate = record.certificate
    return {
        "name": record.name,
        "parent": record.parent,
        "subject": record.subject.rfc4514_string(),
        "token": record.token,
        "key": record.key_label,
        "not_after": None if certificate is None else certificate.not_valid_after_utc.isoformat(),
        "fingerprint": None if certificate is None else fingerprint(certificate),
        "crl": record.urls.crl,
        "certificate": record.urls.certificate,
    }


@verb(group, example="tillid ca list")
def _list() -> Result:
    """List every issuer, roots first."""
    with installation() as parts:
        found = [_facts(record) for record in parts.issuers.all()]
    rows = tuple((str(f["name"]), str(f["parent"]), str(f["not_after"])) for f in found)
    none = () if found else ("There are no issuers yet: tillid ceremony run.",)
    return Result({"issuers": found}, none, Table(("Name", "Parent", "Valid until"), rows))


@verb(group, example="tillid ca show issuing")
@click.argument("name")
def show(name: str) -> Result:
    """Show one issuer: subject, key, fingerprint, addresses."""
    with installation() as parts:
        facts = _facts(parts.issuers.get(name))
    return Result(facts, tuple(f"{key}: {value}" for key, value in facts.items()))
