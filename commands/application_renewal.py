"""`tillid application renew` and `replace`: what a holder asks for when a credential ends."""

from pathlib import Path
from typing import Any

import click

from commands.files import read_text
from commands.output import Result, verb
from commands.staff_client import StaffClient

_request = click.option(
    "--request",
    "request_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PKCS#10 request for the new key, in PEM.",
)


def add_renewal_to(group: click.Group) -> None:
    """Add the verbs to the group."""
    _add_renew(group)
    _add_replace(group)


def _add_renew(group: click.Group) -> None:
    @verb(group, example="tillid application renew --request new.csr --identity holder.pem")
    @_request
    @click.option("--surname", help="The surname that the register has now.")
    @click.option("--given-name", help="The given names that the register has now.")
    @click.option(
        "--identity",
        required=True,
        type=click.Path(path_type=Path),
        help="Identity file with the holder's certificate and key, which must be valid.",
    )
    def renew(
        request_file: Path, surname: str | None, given_name: str | None, identity: Path
    ) -> Result:
        """Ask for the next certificate with the one that is still valid.

        Terms that have changed since are accepted anew, which is done through the API.
        """
        changed = {"surname": surname, "given_name": given_name}
        body = {
            "certificate_request": read_text(request_file),
            "changes": {name: value for name, value in changed.items() if value is not None},
        }
        return _opened(StaffClient.as_officer(identity).post("renewals", body))


def _add_replace(group: click.Group) -> None:
    @verb(
        group,
        example="tillid application replace A-7KQ2M4XN3P --loss lost --request new.csr"
        " --staff https://localhost:8443 --trust root.pem",
    )
    @click.argument("application")
    @click.option(
        "--loss",
        required=True,
        type=click.Choice(("lost", "compromised", "unusable")),
        help="What happened to the old key; one that is lost or compromised is revoked at once.",
    )
    @_request
    @click.option("--staff", required=True, help="Address of the staff listener.")
    @click.option(
        "--trust",
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The root certificate, in PEM.",
    )
    @click.option(
        "--secret-file",
        type=click.Path(path_type=Path),
        help="Secret of the application: a file, fd:N or credential:NAME; asked for without.",
    )
    def replace(application: str, loss: str, request_file: Path, **of: Any) -> Result:
        """Ask for another credential in place of that of an application, by its secret."""
        body = {"certificate_request": read_text(request_file), "loss": loss}
        client = StaffClient(of["staff"], of["trust"], secret=_secret(of["secret_file"]))
        return _opened(client.post(f"applications/{application}/replacement", body))


def _secret(source: Path | None) -> str:
    from hsm.pins import read_pin

    if source is not None:
        return read_pin(source)
    return str(click.prompt("Secret of the application", hide_input=True, err=True))


def _opened(found: dict[str, Any]) -> Result:
    told = f"{found['id']}: {found['state']}, level {found['level']}"
    return Result(found, (told, f"Keep this secret of the application: {found['secret']}"))
