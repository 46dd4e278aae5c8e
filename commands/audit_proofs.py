"""Proofs of the audit log: made here, and checked anywhere, without an installation."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.files import read_public_key, read_text
from commands.installation import installation
from commands.output import Result, verb

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from audit.heads import Head
    from records.audit_log import AuditLog


def add_to(group: click.Group) -> None:
    """Make the verbs of this module those of the group."""
    for declare in (_prove, _checkpoint):
        declare(group)


def _checkpoint(group: click.Group) -> None:
    @verb(group, example="tillid audit checkpoint")
    def checkpoint() -> Result:
        """Print the latest signed head and the log's public key, to be kept elsewhere."""
        from hsm.labels import AUDIT_KEY
        from records.audit_log import audit_log

        with installation() as parts:
            with audit_log(parts.database) as log:
                head = latest_head(log)
            key = parts.tokens.service_key(AUDIT_KEY).public_key()
        return Result(
            {"head": head.text, "size": head.size, **_key_facts(key)},
            (*head.text.splitlines(), *public_key_pem(key).splitlines()),
        )


def _prove(group: click.Group) -> None:
    @verb(group, example="tillid audit prove 4096 --json > proof.json")
    @click.argument("event", type=click.IntRange(0), required=False)
    @click.option(
        "--from",
        "old",
        type=click.IntRange(1),
        metavar="SIZE",
        help="Prove instead that the log begins with all that the head of this size covers.",
    )
    @click.option(
        "--check",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Check a proof in a file; needs no installation.",
    )
    @click.option(
        "--key",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="With --check: the public key of the log, in PEM, from where you trust it.",
    )
    def prove(event: int | None, old: int | None, check: Path | None, key: Path | None) -> Result:
        """Prove that an event is in the log, or that the log begins with an older one.

        The proof leads to the latest signed head; anybody can check it with the public key.
        """
        if sum(each is not None for each in (event, old, check)) != 1:
            raise click.UsageError("Name one of: an event, --from SIZE, --check FILE.")
        if check is not None:
            return _checked(check, key)
        if key is not None:
            raise click.UsageError("--key goes with --check.")
        return _proof(event, old)


def _proof(event: int | None, old: int | None) -> Result:
    from audit.errors import ProofInvalid
    from audit.proofs import ConsistencyProof, InclusionProof, Proof
    from hsm.labels import AUDIT_KEY
    from records.audit_log import audit_log
    from records.errors import NotFound

    with installation() as parts:
        key = parts.tokens.service_key(AUDIT_KEY).public_key()
        with audit_log(parts.database) as log:
            head = latest_head(log)
            leaves = log.leaves(head.size)
            made: Proof
            if event is None:
                older = log.head_of(old or 0)
                if older is None:
                    raise NotFound("head of the size", str(old))
                made = ConsistencyProof.of(leaves, older, head)
                what = f"The log of {head.size} events begins with that of {older.size}"
            else:
                entries = log.page(event, event + 1)
                header = entries[0].header if entries else b""
                try:
                    made = InclusionProof.of(header, event, leaves, head)
                except ProofInvalid:
                    raise NotFound("signed head that covers event", str(event)) from None
                what = f"Event {event} is in the log of {head.size} events"
    said = f"{what}: {len(made.path)} hashes lead to the signed root. --json gives the proof."
    return Result({**made.document(), **_key_facts(key)}, (said,))


def _checked(path: Path, key_file: Path | None) -> Result:
    from audit.errors import HeadForged, ProofInvalid
    from audit.proofs import InclusionProof, parse_proof
    from ca.errors import MalformedRequest
    from commands.files import parse_public_key
    from server.assembly import AUDIT_ORIGIN

    proof, own_key = parse_proof(read_text(path))
    if key_file is None and not own_key:
        raise MalformedRequest(f"file {path}", "no public key stands in it; name one with --key")
    key = parse_public_key(own_key, path) if key_file is None else read_public_key(key_file)
    digest = _key_facts(key)["key_sha256"]
    try:
        proof.check(key, AUDIT_ORIGIN)
    except (HeadForged, ProofInvalid) as error:
        return Result(
            {"holds": False, "reason": str(error)},
            (f"The proof does not hold: {error}.",),
            exit_code=ExitCode.CHECK_SAYS_NO,
        )
    head = proof.head if isinstance(proof, InclusionProof) else proof.new
    said = f"The proof holds, under the head of {head.size} events of {head.time:%F %T} UTC"
    trust = (
        f"The key stands in the proof itself: compare its SHA-256 {digest}."
        if key_file is None
        else f"The key is that of {key_file}."
    )
    return Result(
        {"holds": True, "size": head.size, "key_sha256": digest, "key_given": key_file is not None},
        (f"{said}.", trust),
    )


def latest_head(log: "AuditLog") -> "Head":
    """The latest signed head; NotFound while there is none."""
    from records.errors import NotFound

    head = log.latest_head()
    if head is None:
        raise NotFound("signed head", "yet; run: tillid job run seal-audit-log")
    return head


def public_key_pem(key: "ec.EllipticCurvePublicKey") -> str:
    """A public key in PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _key_facts(key: "ec.EllipticCurvePublicKey") -> dict[str, object]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {"public_key": public_key_pem(key), "key_sha256": hashlib.sha256(der).hexdigest()}
