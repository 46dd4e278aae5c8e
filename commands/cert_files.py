"""Verbs of `tillid cert` about files: export, lint, verify, generate."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.files import OutFile, read_octets, write_octets, writing
from commands.installation import OPERATOR, installation
from commands.output import Result, lone_verb
from server.problems import Problem, ProblemRaised

if TYPE_CHECKING:
    from cryptography import x509

    from ca.identifiers import IssuerName, SerialNumber
    from ca.issuance import CertificateOrder
    from ca.key_quality import SubjectPublicKey
    from server.assembly import Assembly

_FILE = click.Path(path_type=Path)


@lone_verb(example="tillid cert export issuing/01ab… --format pkcs7 --chain --out web.p7b")
@click.argument("certificate")
@click.option("--format", "form", type=click.Choice(("pem", "der", "pkcs7")), default="pem")
@click.option("--chain", is_flag=True, help="With the certificates of the issuers above it.")
@click.option("--out", required=True, type=OutFile(), help="- for standard output (PEM).")
def export(certificate: str, form: str, chain: bool, out: Path) -> Result:  # noqa: FBT001 - click's way
    """Write a certificate of ours to a file: PEM, DER, or PKCS#7 with certificates only."""
    from commands.cert import place_of
    from server.verification import chain_of

    if form == "der" and chain:
        raise click.UsageError("A DER file holds one certificate; use pem or pkcs7 for a chain.")
    if form != "pem" and str(out) == "-":
        raise click.UsageError("Standard output takes PEM only.")
    with installation() as parts:
        issuer, serial = place_of(certificate)
        _check_names_nobody(parts, issuer, serial)
        leaf = parts.certificates.body(issuer, serial)
        above = chain_of(parts, leaf) if chain else []
    path = [leaf, *(record.certificate for record in above if record.certificate is not None)]
    octets = _encoded(path, form)
    facts = {"issuer": issuer, "serial_number": serial.hex, "format": form, "out": str(out),
             "certificates": len(path)}  # fmt: skip
    if str(out) == "-":
        return Result(
            {**facts, "certificate": octets.decode()}, tuple(octets.decode().split("\n")[:-1])
        )
    write_octets(out, octets)
    return Result(facts, (f"{issuer}/{serial.hex} is in {out}, {len(path)} in all.",))


@lone_verb(example="tillid cert lint web.pem --profile tls-server")
@click.argument("file", type=_FILE)
@click.option("--profile", help="Also hold it to a profile.")
def lint(file: Path, profile: str | None) -> Result:
    """Hold any certificate to our rules; exits with 9 if one is broken, and names its clause."""
    from ca.profiles import load_profile
    from ca.standing_rules import RULES, judge

    wanted = None if profile is None else load_profile(profile)
    findings = judge(_read(file), wanted)
    said = [f"{f.rule}: {f.sentence} ({f.clause}). Way out: {f.way_out}." for f in findings]
    none = f"{file} breaks none of {len(RULES)} rules" + (
        f", and is as {profile} says." if profile else "."
    )
    return Result(
        {"file": str(file), "findings": [asdict(finding) for finding in findings]},
        tuple(said) or (none,),
        exit_code=ExitCode.CHECK_SAYS_NO if findings else ExitCode.DONE,
    )


@lone_verb(example="tillid cert verify web.pem --at 2026-03-01T12:00:00Z")
@click.argument("file", type=_FILE)
@click.option("--at", help="A time (RFC 3339) instead of now.")
def verify(file: Path, at: str | None) -> Result:
    """Check path, our records, CRL and OCSP of a certificate; exits with 9 unless all hold."""
    from server.clock import utc_now
    from server.verification import Outcome
    from server.verification import verify as checks_of

    certificate, now = _read(file), utc_now()
    moment = now if at is None else _time(at)
    with installation() as parts:
        checks = checks_of(parts, certificate, moment, now)
    fails = any(check.outcome is Outcome.FAILS for check in checks)
    verdict = "It is not to be relied on." if fails else "Everything that could be checked holds."
    return Result(
        {
            "file": str(file),
            "at": moment.isoformat(),
            "holds": not fails,
            "checks": [asdict(check) for check in checks],
        },
        (*(f"{check.name} {check.outcome}: {check.said}" for check in checks), verdict),
        exit_code=ExitCode.CHECK_SAYS_NO if fails else ExitCode.DONE,
    )


@lone_verb(
    example="tillid cert generate --profile tls-server --host web.example --out web.p12"
    " --password-file fd:3 3<password"
)
@click.option("--profile", "profile_name", required=True, help="tls-server, tls-client or device.")
@click.option("--host", multiple=True, help="Host name or IP address, for servers and clients.")
@click.option(
    "--subject", multiple=True, help="ATTRIBUTE=VALUE in the profile's order, for devices."
)
@click.option("--key-type", help="One of the profile's key types; the first unless told.")
@click.option(
    "--password-file", type=_FILE, help="A file, fd:N or credential:NAME; asked for without."
)
@click.option("--out", required=True, type=OutFile(), help="A PKCS#12 file that is not there yet.")
def generate(  # noqa: PLR0913, PLR0917 - an option each
    profile_name: str, host: tuple[str, ...], subject: tuple[str, ...], key_type: str | None,
    password_file: Path | None, out: Path,
) -> Result:  # fmt: skip
    """Make a key and its certificate for a service or device, in one PKCS#12 file.

    The key is kept nowhere else. Where the holder can make a request, let it: the key then never
    travels.
    """
    from ca.identifiers import SerialNumber
    from ca.issuance import issue, prepare
    from ca.pkcs12 import check_password, generate_key, pack
    from server.clock import utc_now
    from server.verification import chain_of

    kind = _key_type(profile_name, key_type)
    if str(out) == "-" or out.exists():
        raise click.UsageError(f"{out} is there already, or standard output: name a new file.")
    password = check_password(_password(password_file))
    key = generate_key(kind)
    order = _order(profile_name, key.public_key(), host, subject)
    with installation() as parts:
        now = utc_now()
        prepared = prepare(order, parts.issuing(order.profile), now, parts.settings.serial.node)
        certificate = issue(prepared, parts.certificates, OPERATOR, now)
        above = chain_of(parts, certificate)
    place = f"{prepared.content.issuer.name}/{SerialNumber(certificate.serial_number).hex}"
    path = (certificate, *(r.certificate for r in above if r.certificate is not None))
    _write_once(out, pack(key, path, place, password), place)
    facts = {"certificate": place, "out": str(out), "key_type": kind}
    return Result(facts, (f"Certificate {place} and its key are in {out}, and nowhere else.",))


def _key_type(profile_name: str, wanted: str | None) -> str:
    from ca.profiles import load_profile

    types = load_profile(profile_name).key_types
    if wanted is not None and wanted not in types:
        raise click.UsageError(f"Profile {profile_name} takes {', '.join(types)}.")
    if wanted is not None and not wanted.startswith(("EC-", "RSA-")):
        raise click.UsageError(f"A key of type {wanted} is not made for a PKCS#12 file.")
    return wanted or types[0]


def _order(
    profile_name: str, key: "SubjectPublicKey", hosts: tuple[str, ...], subject: Sequence[str]
) -> "CertificateOrder":
    from ca.issuance import CertificateOrder
    from ca.names import SubjectName
    from ca.profiles import load_profile
    from ca.requests import CertificationRequest
    from server.ordering import NAMED_BY_SUBJECT, server_order

    if profile_name not in NAMED_BY_SUBJECT:
        if subject:
            raise click.UsageError(f"A certificate of {profile_name} is named by --host.")
        return server_order(profile_name, CertificationRequest(key, (), b""), hosts)
    pairs = [tuple(each.split("=", 1)) for each in subject]
    if hosts or not all(len(pair) == 2 for pair in pairs):  # noqa: PLR2004 - name and value
        raise click.UsageError("A device is named by --subject ATTRIBUTE=VALUE, each by itself.")
    name = SubjectName.of((pair[0], pair[1]) for pair in pairs)
    return CertificateOrder(load_profile(profile_name), name, key)


def _password(source: Path | None) -> str:
    from ca.errors import MalformedRequest
    from hsm.errors import PinUnreadable
    from hsm.pins import read_pin

    if source is not None:
        try:
            return read_pin(source)
        except PinUnreadable:
            why = "it is not there, no text, or longer than 4,096 octets"
            raise MalformedRequest(f"password file {source}", why) from None
    return str(
        click.prompt("Password of the file", hide_input=True, confirmation_prompt=True, err=True)
    )


def _time(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text} is no time such as 2026-03-01T12:00:00Z.") from None
    if read.tzinfo is None:
        raise click.UsageError(f"{text} does not say its offset from UTC; append Z.")
    try:
        return read.astimezone(UTC)
    except OverflowError:
        raise click.UsageError(f"{text} is before the year 1 or after 9999 in UTC.") from None


def _read(file: Path) -> "x509.Certificate":
    from ca.foreign_certificates import MAX_PEM_OCTETS, read_certificate

    return read_certificate(read_octets(str(file), MAX_PEM_OCTETS))


def _check_names_nobody(parts: "Assembly", issuer: "IssuerName", serial: "SerialNumber") -> None:
    if parts.certificates.record(issuer, serial).subject_id is None:
        return
    raise ProblemRaised(
        Problem(
            type="names-a-person",
            title="The certificate names a person",
            status=403,
            detail="The certificate names a person, and is not handed out on the machine itself.",
            way_out="Its holder fetches it; officers see it in the case.",
        )
    )


def _encoded(path: "list[x509.Certificate]", form: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    if form == "pkcs7":
        return pkcs7.serialize_certificates(path, Encoding.DER)
    encoding = Encoding.PEM if form == "pem" else Encoding.DER
    return b"".join(each.public_bytes(encoding) for each in path)


def _write_once(out: Path, octets: bytes, place: str) -> None:
    """Only for its owner, and never over another file."""
    way_out = f"The key is lost: `tillid cert revoke {place}`, and generate another."
    with writing(out, f"Certificate {place} was issued", way_out):
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
