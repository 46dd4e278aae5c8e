"""`tillid hsm`: the tokens of this installation and the keys in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.installation import settings
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from hsm.checks import KeyFacts
    from hsm.token import Token
    from server.tokens import Tokens


@click.group
def group() -> None:
    """Tokens and their keys: list, verify, log in."""


@contextmanager
def _tokens() -> Iterator["Tokens"]:
    from server.tokens import Tokens

    tokens = Tokens(settings().hsm)
    try:
        with tokens.online(*tokens.labels):
            yield tokens
    finally:
        tokens.close()


@verb(group, example="tillid hsm list")
def _list() -> Result:
    """List the tokens and their keys, with what the token says of each."""
    from hsm.errors import TokenNotFound

    found: list[dict[str, object]] = []
    rows = []
    with _tokens() as tokens:
        for label in tokens.labels:
            try:
                keys = tokens.open(label).key_facts()
            except TokenNotFound:
                found.append({"token": label, "present": False, "keys": []})
                rows.append((label, "not present", "", ""))
                continue
            shown = [
                {"label": key.label, "type": key.kind, "attributes": list(key.attributes)}
                for key in keys
            ]
            found.append({"token": label, "present": True, "keys": shown})
            rows += [(label, key.label, key.kind, ", ".join(key.attributes)) for key in keys]
    table = Table(("Token", "Key", "Type", "Attributes"), tuple(rows))
    return Result({"tokens": found}, (), table)


@verb(group, example="tillid hsm verify")
def verify() -> Result:
    """Use every key once, and see that none can leave its token.

    Signing keys sign a text that is no certificate, and the signature is verified; wrapping keys
    encrypt and decrypt. A root token that is not present is passed over. Exits 9 on any fault.
    """
    from hsm.errors import HsmError, TokenNotFound

    faults: list[dict[str, str]] = []
    used = 0
    with _tokens() as tokens:
        for label in tokens.labels:
            try:
                token = tokens.open(label)
                keys = token.key_facts()
            except TokenNotFound as error:
                if label != settings().hsm.root_token:
                    faults.append({"token": label, "key": "", "fault": str(error)})
                continue
            except HsmError as error:
                faults.append({"token": label, "key": "", "fault": str(error)})
                continue
            used += len(keys)
            faults += [
                {"token": label, "key": key.label, "fault": fault}
                for key in keys
                for fault in _faults(token, key)
            ]
    said = f"{len(faults)} faults." if faults else f"All {used} keys work and stay in their token."
    rows = tuple((each["token"], each["key"], each["fault"]) for each in faults)
    return Result(
        {"keys": used, "faults": faults},
        (said,),
        Table(("Token", "Key", "Fault"), rows) if faults else None,
        ExitCode.CHECK_SAYS_NO if faults else ExitCode.DONE,
    )


def _faults(token: "Token", key: "KeyFacts") -> Iterator[str]:
    from hsm.checks import check_stays_inside
    from hsm.errors import HsmError

    for check in (check_stays_inside, token.check_use):
        try:
            check(key)
        except HsmError as error:
            yield str(error)


@verb(group, example="tillid hsm login tillid-issuing")
@click.argument("labels", metavar="[TOKEN]...", nargs=-1)
def login(labels: tuple[str, ...]) -> Result:
    """Log in to tokens, all when none is named, to see whether their PINs work.

    Says where each PIN was read, never the PIN. A wrong one is tried once: tokens count. Exits 9
    when a token cannot be logged in to.
    """
    from hsm.errors import HsmError

    found: list[dict[str, object]] = []
    with _tokens() as tokens:
        for label in labels or tokens.labels:
            source, fault = "", ""
            try:
                source = str(tokens.location(label).pin_file)
                tokens.open(label)
            except HsmError as error:
                fault = str(error)
            found.append({"token": label, "pin_from": source, "fault": fault})
    failed = any(each["fault"] for each in found)
    rows = tuple(
        (str(each["token"]), str(each["pin_from"]), str(each["fault"] or "logged in"))
        for each in found
    )
    return Result(
        {"logins": found},
        (),
        Table(("Token", "PIN from", "Outcome"), rows),
        ExitCode.CHECK_SAYS_NO if failed else ExitCode.DONE,
    )
