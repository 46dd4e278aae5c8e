"""`tillid crl`: the revocation lists."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from commands.ca_change import at_hand, with_online
from commands.exit_codes import ExitCode
from commands.files import is_file, read_octets
from commands.installation import installation
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from cryptography import x509

    from revocation.publication import CrlRecord


@click.group
def group() -> None:
    """Certificate revocation lists: issue, list, show and verify."""


@verb(group, example="tillid crl issue --online")
@with_online
def issue(online: bool) -> Result:  # noqa: FBT001 - click's way
    """Issue and publish every CRL that is due now; those of roots only with --online."""
    from server.authorities import renew_root_crls
    from server.clock import utc_now
    from server.service import jobs_by_hand

    with at_hand(online) as parts:
        done = len(list(renew_root_crls(parts, utc_now())))
        done += sum(jobs_by_hand(parts, ("renew-crls", "publish-crls")).values())
    said = f"{done} CRLs were due and are published." if done else "No CRL is due."
    return Result({"issued": done}, (said,))


@verb(group, example="tillid crl list")
def _list() -> Result:
    """List the latest CRLs: complete ones, their deltas, and shards."""
    from server.clock import utc_now

    with installation() as parts:
        found = [each for record in parts.issuers.all() for each in parts.crls.lists(record.name)]
    now = utc_now()
    facts = [_facts(each) for each in found]
    rows = tuple(
        (
            str(fact["issuer"]),
            str(fact["list"]),
            str(each.number),
            _age((now - each.this_update).total_seconds()),
            f"{each.entries:,}",
            f"{each.next_update:%F %T}" + ("" if now <= each.next_update else " (expired)"),
        )
        for each, fact in zip(found, facts, strict=True)
    )
    none = () if found else ("There are no CRLs yet: tillid crl issue.",)
    head = ("Issuer", "List", "Number", "Age", "Entries", "nextUpdate")
    return Result({"crls": facts}, none, Table(head, rows))


def _facts(crl: "CrlRecord") -> dict[str, object]:
    from server.crl_checks import list_name

    return {
        "issuer": crl.issuer,
        "list": list_name(crl.shard),
        "number": crl.number,
        "base": crl.base,
        "entries": crl.entries,
        "this_update": crl.this_update.isoformat(),
        "next_update": crl.next_update.isoformat(),
        "sha256": crl.sha256.hex(),
    }


def _age(seconds: float) -> str:
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


_SHARD = click.option("--shard", type=click.IntRange(1), help="One shard of the issuer's CRL.")
_DELTA = click.option("--delta", is_flag=True, help="The delta CRL of the issuer.")


@verb(group, example="tillid crl show issuing --shard 7")
@click.argument("which", metavar="FILE-OR-ISSUER")
@_SHARD
@_DELTA
def show(which: str, shard: int | None, delta: bool) -> Result:  # noqa: FBT001 - click's way
    """Tell in words what a CRL says: one in a file (PEM or DER), or the latest of an issuer."""
    from revocation.publication import COMPLETE, DELTA
    from server.clock import utc_now
    from server.crl_checks import read_any

    if is_file(which):
        crl = read_any(_octets(which))
    else:
        of = DELTA if delta else shard or COMPLETE
        with installation() as parts:
            record = parts.issuers.get(which)
            octets = parts.crls.whole(record.name, of)
        if not octets:
            raise click.UsageError(f"{which} has no such CRL; tillid crl list tells which it has.")
        crl = read_any(octets)
    facts = _read(crl)
    ends = crl.next_update_utc
    in_force = ends is not None and crl.last_update_utc <= utc_now() <= ends
    dates = (
        f"Made {crl.last_update_utc:%F %T} UTC, the next is announced for {ends or 'no time'};"
        f" it is {'' if in_force else 'not '}in force."
    )
    said = [
        f"{_kind(facts)} number {facts['number']} of {facts['issuer']}.",
        dates,
        f"It lists {len(crl):,} certificates{_reasons(facts)}.",
    ]
    if facts["expired_since"]:
        said.append(f"What expired after {facts['expired_since']} is on it, too.")
    if facts["delta_at"]:
        said.append(f"What changes is told at {facts['delta_at']}.")
    said.append(f"SHA-256 {facts['sha256']}.")
    return Result({**facts, "in_force": in_force}, tuple(said))


def _octets(file: str) -> bytes:
    from revocation.foreign_crls import MAX_OCTETS

    return read_octets(file, MAX_OCTETS)


def _kind(facts: dict[str, object]) -> str:
    if facts["base"] is not None:
        return f"Delta CRL, to be put on a CRL from number {facts['base']} on,"
    return f"The CRL at {facts['of']}," if facts["of"] else "Complete CRL"


def _reasons(facts: dict[str, object]) -> str:
    reasons = facts["reasons"]
    if not isinstance(reasons, dict) or not reasons:
        return ""
    return ": " + ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())


def _read(crl: "x509.CertificateRevocationList") -> dict[str, object]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    numbers = {
        type(each.value): each.value.crl_number
        for each in crl.extensions
        if isinstance(each.value, x509.CRLNumber | x509.DeltaCRLIndicator)
    }
    urls = {type(each.value): _url(each.value) for each in crl.extensions}
    since = [
        each.value.value[2:].decode("ascii", "replace")
        for each in crl.extensions
        if isinstance(each.value, x509.UnrecognizedExtension)
        and each.oid.dotted_string == "2.5.29.60"
    ]
    return {
        "issuer": crl.issuer.rfc4514_string(),
        "number": numbers.get(x509.CRLNumber),
        "base": numbers.get(x509.DeltaCRLIndicator),
        "of": urls.get(x509.IssuingDistributionPoint),
        "delta_at": urls.get(x509.FreshestCRL),
        "expired_since": since[0] if since else None,
        "this_update": crl.last_update_utc.isoformat(),
        "next_update": crl.next_update_utc and crl.next_update_utc.isoformat(),
        "entries": len(crl),
        "reasons": dict(Counter(map(_reason, crl)).most_common()),
        "sha256": crl.fingerprint(hashes.SHA256()).hex(),
    }


def _url(value: "x509.ExtensionType") -> str | None:
    from cryptography import x509

    full = None
    if isinstance(value, x509.IssuingDistributionPoint):
        full = value.full_name
    elif isinstance(value, x509.FreshestCRL):
        full = next(iter(value)).full_name
    return str(full[0].value) if full else None


def _reason(entry: "x509.RevokedCertificate") -> str:
    from cryptography import x509

    for each in entry.extensions:
        if isinstance(each.value, x509.CRLReason):
            return each.value.reason.value
    return "unspecified"


@verb(group, example="tillid crl verify issuing")
@click.argument("which", metavar="FILE-OR-ISSUER")
def verify(which: str) -> Result:
    """Check a CRL in a file, or every list of an issuer as served; exits with 9 unless all hold.

    Of an issuer the complete CRL is also compared with every row of the records.
    """
    from server.clock import utc_now
    from server.crl_checks import check_lists, check_octets, read_any
    from server.verification import Outcome

    octets = _octets(which) if is_file(which) else None
    with installation() as parts:
        if octets is None:
            checks = list(check_lists(parts, parts.issuers.get(which), utc_now()))
        else:
            checks = list(check_octets(parts, read_any(octets), utc_now()))
    fails = any(check.outcome is Outcome.FAILS for check in checks)
    verdict = "It is not to be relied on." if fails else "Everything that could be checked holds."
    return Result(
        {"which": which, "holds": not fails, "checks": [asdict(check) for check in checks]},
        (*(f"{check.name} {check.outcome}: {check.said}" for check in checks), verdict),
        exit_code=ExitCode.CHECK_SAYS_NO if fails else ExitCode.DONE,
    )
