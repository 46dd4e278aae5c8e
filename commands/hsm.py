"""`tillid hsm`: the tokens of this installation and the keys in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.files import OutFile
from commands.installation import settings
from commands.output import Result, Table, verb
from commands.token_names import TokenName, check_token

if TYPE_CHECKING:
    from hsm.checks import KeyFacts
    from hsm.token import Token
    from server.tokens import Tokens


@click.group
def group() -> None:
    """Tokens and their keys: make, list, verify, attest, change PINs."""


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
            software = tokens.software_keys(label)
            found.append(
                {"token": label, "present": True, "keys": shown, "software_keys": software}
            )
            rows += [(label, key.label, key.kind, ", ".join(key.attributes)) for key in keys]
            rows += [(label, name, "ML_DSA", "in a file: test equipment") for name in software]
    table = Table(("Token", "Key", "Type", "Attributes"), tuple(rows))
    return Result({"tokens": found}, (), table)


@verb(group, example="tillid hsm verify")
def verify() -> Result:
    """Use every key once, and see that none can leave its token.

    Signing keys sign a text that is no certificate, and the signature is verified; wrapping keys
    encrypt and decrypt. A root token that is not present is passed over, and the keys of a standby
    may have been brought in. Exits 9 on any fault.
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
                for fault in _faults(token, key, copied=tokens.is_standby(label))
            ]
    said = f"{len(faults)} faults." if faults else f"All {used} keys work and stay in their token."
    rows = tuple((each["token"], each["key"], each["fault"]) for each in faults)
    return Result(
        {"keys": used, "faults": faults},
        (said,),
        Table(("Token", "Key", "Fault"), rows) if faults else None,
        ExitCode.CHECK_SAYS_NO if faults else ExitCode.DONE,
    )


def _faults(token: "Token", key: "KeyFacts", *, copied: bool) -> Iterator[str]:
    from hsm.checks import check_stays_inside, check_stays_inside_from_now
    from hsm.errors import HsmError

    for check in (check_stays_inside_from_now if copied else check_stays_inside, token.check_use):
        try:
            check(key)
        except HsmError as error:
            yield str(error)


@verb(group, example="tillid hsm login tillid-issuing")
@click.argument("labels", metavar="[TOKEN]...", nargs=-1, type=TokenName())
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


@verb(group, example="tillid hsm init tillid-service")
@click.argument("token", type=TokenName())
def init(token: str) -> Result:
    """Make a token in a free slot of the module, with random PINs in files.

    A token that holds keys is never made again (exit 7); an empty one that is there stays as it
    is. Modules whose tokens are made with their maker's tools have no free slot (exit 8).
    """
    with _tokens() as tokens:
        made = _initialise(tokens, token)
        pin_file = str(tokens.location(token).pin_file)
    said = f"Token {token} is made; its PIN is in {pin_file}." if made else f"{token} was there."
    return Result({"token": token, "made": made, "pin_file": pin_file}, (said,))


def _initialise(tokens: "Tokens", token: str) -> bool:
    try:
        return tokens.initialise(token)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None


@verb(group, example="tillid hsm rotate-pin tillid-issuing")
@click.argument("token", type=TokenName())
def rotate_pin(token: str) -> Result:
    """Give a token a new random PIN; run it again when it was interrupted.

    At every moment the PIN file, or FILE.new beside it, holds the PIN that works, and a login
    tries both. A running service stays logged in and needs no restart.
    """
    with _tokens() as tokens:
        check_token(tokens, token)
        tokens.change_pin(token)
        pin_file = str(tokens.location(token).pin_file)
    return Result(
        {"token": token, "pin_file": pin_file}, (f"The new PIN of {token} is in {pin_file}.",)
    )


@verb(group, example="tillid hsm attest --out tokens-2026.txt")
@click.argument("labels", metavar="[TOKEN]...", nargs=-1, type=TokenName())
@click.option("--out", type=OutFile(), help="Write the signed statement to this file.")
@click.option(
    "--verify",
    "statement",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Verify a statement that was kept, and compare it with what the tokens say now.",
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Verify with this public key (PEM) instead, and compare nothing.",
)
def attest(
    labels: tuple[str, ...], out: Path | None, statement: Path | None, key: Path | None
) -> Result:
    """State what the tokens say of themselves and of every key, signed with the audit key.

    It is the module's word. A device's own attestation is made with its maker's tools; SoftHSM
    has none. With --verify, exits 9 when a key of the statement is gone or has changed.
    """
    from commands.hsm_attest import state_tokens, verify_kept

    if statement is None and key is not None:
        raise click.UsageError("--key goes with --verify.")
    if statement is not None and (labels or out is not None):
        raise click.UsageError("--verify takes neither tokens nor --out.")
    if statement is not None:
        return verify_kept(statement, key)
    return state_tokens(labels, out)
