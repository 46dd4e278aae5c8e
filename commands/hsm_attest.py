"""What `tillid hsm attest` does: state, and verify what was stated."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from ca.errors import MalformedRequest
from commands.exit_codes import ExitCode
from commands.files import check_place, read_text, write_octets
from commands.installation import settings
from commands.output import Result, Table
from commands.token_names import check_token
from hsm.labels import AUDIT_KEY
from server.attestation import attest, differences, verify_statement
from server.clock import utc_now
from server.logs import log_to
from server.tokens import Tokens


def state_tokens(names: tuple[str, ...], out: Path | None) -> Result:
    """Ask the tokens, sign what they say, and show it."""
    loaded = settings()
    file = None if out is None or str(out) == "-" else out
    if file is not None:
        check_place(file)
    tokens = Tokens(loaded.hsm)
    try:
        with (
            log_to(loaded.state, "command", loaded.logs.level),
            tokens.online(*tokens.labels),
        ):
            for name in names:
                check_token(tokens, name)
            text = attest(tokens, names, utc_now())
            key = tokens.service_key(AUDIT_KEY).public_key()
            document = verify_statement(text, key)
    finally:
        tokens.close()
    if out is not None and file is None:
        return Result({"statement": text}, tuple(text.splitlines()))
    if file is not None:
        write_octets(file, text.encode(), "The tokens were asked")
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    rows = [
        (token["label"], each["label"], each["type"], each["made_by"] or "not said", _flags(each))
        for token in document["tokens"]
        for each in token["keys"]
    ]
    said = [f"{each['label']}: {each['maker_attestation']}." for each in document["tokens"]]
    said += [f"{name}: not present." for name in document["absent"]]
    said += [f"The signed statement is in {out}."] if out is not None else []
    return Result(
        {"statement": text, "document": document, "audit_key": pem},
        tuple(said),
        Table(("Token", "Key", "Type", "Made by", "Attributes"), tuple(rows)),
    )


def verify_kept(statement: Path, key_file: Path | None) -> Result:
    """Verify a statement; without a key file also compare it with what the tokens say now."""
    text = read_text(statement)
    if key_file is not None:
        document = verify_statement(text, _public_key(key_file))
        return Result({"at": document["at"], "differences": []}, (_signed(document["at"]),))
    tokens = Tokens(settings().hsm)
    try:
        document = verify_statement(text, tokens.service_key(AUDIT_KEY).public_key())
        with tokens.online(*tokens.labels):
            found = differences(document, tokens)
    finally:
        tokens.close()
    return Result(
        {"at": document["at"], "differences": found},
        (_signed(document["at"]), *(found or ["The tokens say the same of those keys now."])),
        exit_code=ExitCode.CHECK_SAYS_NO if found else ExitCode.DONE,
    )


def _signed(at: str) -> str:
    return f"The statement of {at} is signed by the audit key."


def _flags(key: dict[str, dict[str, bool | None]]) -> str:
    return ", ".join(name for name, value in key["flags"].items() if value)


def _public_key(path: Path) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(read_text(path).encode())
    except ValueError:
        raise MalformedRequest(f"file {path}", "it holds no public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise MalformedRequest(f"file {path}", "audit keys are on an elliptic curve")
    return key
