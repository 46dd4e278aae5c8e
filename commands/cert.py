"""`tillid cert`: certificates of servers and services; those of people come from applications."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.cert_files import export, generate, lint, verify
from commands.cert_status import hold, release, revoke
from commands.exit_codes import ExitCode
from commands.files import OutFile, check_place, is_file, read_octets, write_octets
from commands.installation import OPERATOR, installation
from commands.output import Result, verb

if TYPE_CHECKING:
    from ca.identifiers import IssuerName, SerialNumber
    from records.certificate_rows import CertificateRecord


@click.group
def group() -> None:
    """Certificates: issue, show, status; hold, release, revoke; export, lint, verify, generate."""


for _verb in (export, generate, lint, verify, revoke, hold, release):
    group.add_command(_verb)


@verb(group, example="tillid cert issue --profile tls-server --csr web.csr --out web.pem")
@click.option("--profile", "profile_name", required=True, help="A profile that names no person.")
@click.option("--csr", required=True, help="PKCS#10 request, PEM or DER, or SPKAC; - for input.")
@click.option(
    "--out",
    required=True,
    type=OutFile(),
    help="Where the certificate goes; - for standard output.",
)
@click.option(
    "--host",
    multiple=True,
    help="Host name or IP address, instead of those that the request proposes.",
)
@click.option(
    "--issuer",
    help="The certificate authority that signs; else the first that may issue the profile.",
)
def issue(
    profile_name: str, csr: str, out: Path, host: tuple[str, ...], issuer: str | None
) -> Result:
    """Issue a certificate from a request file, under a profile that names no person."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from ca.identifiers import SerialNumber
    from ca.issuance import issue as sign
    from ca.issuance import prepare
    from ca.requests import MAX_OCTETS
    from ca.spkac import read_request
    from server.clock import utc_now
    from server.ordering import request_order

    octets = read_octets(csr, MAX_OCTETS)
    order = request_order(profile_name, read_request(octets), host)
    if str(out) != "-":
        check_place(out, csr)
    with installation() as parts:
        now = utc_now()
        signer = parts.issuing(order.profile, issuer)
        prepared = prepare(order, signer, now, parts.settings.serial.node)
        certificate = sign(prepared, parts.certificates, OPERATOR, now)
    pem = certificate.public_bytes(Encoding.PEM)
    by, serial = prepared.content.issuer.name, SerialNumber(certificate.serial_number).hex
    facts = {"issuer": by, "serial_number": serial, "out": str(out)}
    if str(out) == "-":
        return Result({**facts, "certificate": pem.decode()}, tuple(pem.decode().splitlines()))
    done = f"Certificate {by}/{serial} was issued"
    write_octets(out, pem, done, f"Make room, then: tillid cert export {by}/{serial} --out FILE")
    named = ", ".join(order.host_names) or dict(order.subject.attributes)["CN"]
    said = f"Certificate {by}/{serial} for {named} is in {out}."
    return Result(facts, (said,))


@verb(
    group,
    example="tillid cert issue-folder requests/ --profile tls-server --out certificates/",
)
@click.argument("requests", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--profile", required=True, help="A profile that names no person.")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for the certificates, each under the name of its request.",
)
def issue_folder(requests: Path, profile: str, out: Path) -> Result:
    """Issue for every request file of a folder, in batches.

    Takes files that end in .csr, .req, .pem or .der. Each names its hosts itself, or its device by
    its subject; whoever runs this vouches for the names. A request that is refused does not keep
    the others from their certificates. Run it again to go on where it was interrupted: what is in
    its file already is left as it is.
    """
    from commands.cert_folder import issue_all_of

    return issue_all_of(requests, profile, out)


@verb(group, example="tillid cert show issuing/01ab…")
@click.argument("certificate")
def show(certificate: str) -> Result:
    """Show the record of one certificate: ISSUER/SERIAL, or a file."""
    with installation() as parts:
        facts = facts_of(parts.certificates.record(*place_of(certificate)))
    return Result(facts, tuple(f"{key}: {value}" for key, value in facts.items()))


@verb(group, example="tillid cert status web.pem && deploy")
@click.argument("certificate")
def status(certificate: str) -> Result:
    """Say good, revoked or unknown; exits with 9 unless it is good."""
    from revocation.status import Good, Revoked

    with installation() as parts:
        found = parts.statuses.status_of(*place_of(certificate))
    word = type(found).__name__.lower()
    facts = {"status": word}
    if isinstance(found, Revoked):
        facts |= {"reason": found.reason.label, "at": found.at.isoformat()}
    code = ExitCode.DONE if isinstance(found, Good) else ExitCode.CHECK_SAYS_NO
    return Result(facts, (" ".join(facts.values()),), exit_code=code)


def place_of(text: str) -> "tuple[IssuerName, SerialNumber]":
    """ISSUER/SERIAL, or the file of a certificate that one of our issuers signed.

    The file may hold the chain above it, too.
    """
    from cryptography.hazmat.primitives import hashes

    from ca.foreign_certificates import MAX_PEM_OCTETS, read_first_of_chain
    from ca.identifiers import IssuerName, SerialNumber
    from records.errors import NotFound

    issuer, slash, serial = text.partition("/")
    if is_file(text):
        certificate = read_first_of_chain(read_octets(text, MAX_PEM_OCTETS))
        with installation() as parts:
            wanted = certificate.fingerprint(hashes.SHA256()).hex()
            found = parts.certificates.find(fingerprint=wanted)
        if not found:
            raise NotFound("certificate of ours in", text)
        return found[0].issuer, found[0].serial_number
    try:
        return IssuerName(issuer), SerialNumber.from_hex(serial if slash else "")
    except ValueError:
        raise click.UsageError(f"{text} is neither a file nor ISSUER/SERIAL.") from None


def facts_of(record: "CertificateRecord") -> dict[str, object]:
    """The record of a certificate for programs."""
    return {
        "issuer": record.issuer,
        "serial_number": record.serial_number.hex,
        "status": record.status,
        "profile": record.profile,
        "not_before": record.not_before.isoformat(),
        "not_after": record.not_after.isoformat(),
        "revoked_at": record.revoked_at and record.revoked_at.isoformat(),
        "reason": record.reason and record.reason.label,
        "cause": record.cause,
        "invalid_since": record.invalid_since and record.invalid_since.isoformat(),
        "decided_by": record.decided_by,
        "fingerprint": record.fingerprint,
    }
