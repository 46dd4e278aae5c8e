"""`tillid ca`: certificate authorities and their issuers: list, show, and the verbs of change."""

from typing import TYPE_CHECKING

import click

from commands import ca_change, ca_foreign
from commands.ca_import import import_verb
from commands.installation import installation
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from ca.issuers import IssuerRecord


@click.group
def group() -> None:
    """Certificate authorities: make, renew, certify, retire, import, list, show."""


group.add_command(import_verb, "import")


ca_change.add_to(group)
ca_foreign.add_to(group)


def _facts(record: "IssuerRecord") -> dict[str, object]:
    from ca.hierarchy import fingerprint

    certificate, policy = record.certificate, record.policy
    return {
        "name": record.name,
        "authority": record.authority,
        "generation": record.generation,
        "parent": record.parent,
        "state": _state(record),
        "subject": record.subject.rfc4514_string(),
        "token": record.token,
        "key": record.key_label,
        "spki_sha256": record.spki_sha256,
        "key_destroyed_at": record.key_destroyed_at and record.key_destroyed_at.isoformat(),
        "profile": record.profile,
        "profiles": list(policy.profiles),
        "crl_validity_hours": _hours(policy.crl_validity),
        "crl_margin_hours": _hours(policy.crl_renew_margin),
        "not_after": None if certificate is None else certificate.not_valid_after_utc.isoformat(),
        "fingerprint": None if certificate is None else fingerprint(certificate),
        "crl": record.urls.crl,
        "ocsp": record.urls.ocsp,
        "certificate": record.urls.certificate,
        "certificates": [
            {
                "kind": each.kind,
                "signer": each.signer,
                "not_after": each.certificate.not_valid_after_utc.isoformat(),
                "fingerprint": fingerprint(each.certificate),
            }
            for each in record.certificates
        ],
    }


def _hours(period: object) -> float | None:
    from datetime import timedelta

    return period / timedelta(hours=1) if isinstance(period, timedelta) else None


def _state(record: "IssuerRecord") -> str:
    """The state, and that a certificate is waited for, which is none of its own."""
    waits = record.certificate is None and record.state == "active"
    return "waits for its certificate" if waits else str(record.state)


@verb(group, example="tillid ca list")
def _list() -> Result:
    """List every issuer, roots first: one for each key of each authority."""
    with installation() as parts:
        found = [_facts(record) for record in parts.issuers.all()]
    rows = tuple(
        (
            str(f["name"]),
            str(f["parent"] or "(foreign)"),
            str(f["state"]),
            str(f["not_after"] or ""),
        )
        for f in found
    )
    none = () if found else ("There are no issuers yet: tillid ceremony run.",)
    table = Table(("Issuer", "Under", "State", "Valid until"), rows)
    return Result({"issuers": found}, none, table)


@verb(group, example="tillid ca show issuing")
@click.argument("name")
def show(name: str) -> Result:
    """Show one issuer in words: what it is, what it may do, and where its status is."""
    with installation() as parts:
        record = parts.issuers.get(name)
        policy = parts.crl_policy(record)
        facts = _facts(record)
    hours = policy.validity.total_seconds() / 3600
    crl = [f"Its CRL is valid for {hours:g} hours."]
    if record.policy.crl_shards:
        crl.append(f"Certificates are spread over {record.policy.crl_shards} shards of it.")
    if record.policy.crl_deltas:
        crl.append("A delta CRL goes with each complete one.")
    if kept := record.policy.crl_keep_expired.days:
        crl.append(f"Revoked certificates stay listed for {kept} days after they expired.")
    if (longer := record.policy.ocsp_validity) is not None:
        minutes = longer.total_seconds() / 60
        crl.append(f"Its OCSP responses are valid for {minutes:g} minutes, or as the settings say.")
    return Result(facts, (*_sentences(record), *crl))


def _sentences(record: "IssuerRecord") -> tuple[str, ...]:
    from ca.hierarchy import fingerprint
    from ca.issuers import IssuerState

    under = "a foreign authority" if record.parent is None else record.parent
    above = "It is a root" if record.is_root else f"It stands under {under}"
    states = {
        IssuerState.ACTIVE: "It issues certificates",
        IssuerState.SUPERSEDED: "It gave way to a later key, and signs CRL and OCSP signers only",
        IssuerState.RETIRED: "It is retired, for good",
    }
    may = ", ".join(record.policy.profiles) or "every profile that its place allows"
    what = f"Issuer {record.name}, key {record.generation} of {record.authority}:"
    said = [
        f"{what} {record.subject.rfc4514_string()}.",
        f"{above}; its key {record.key_label} is in token {record.token}.",
    ]
    if record.certificate is None:
        return (*said, f"It waits for its certificate: tillid ca request {record.name}.")
    said.append(f"{states[record.state]}; its certificate follows profile {record.profile}.")
    if record.state is IssuerState.ACTIVE:
        said.append(f"It may issue {may}.")
    if record.key_destroyed_at is not None:
        said.append(f"Its key was destroyed on {record.key_destroyed_at:%F}.")
    said += [
        f"{each.kind}, {each.signer or 'foreign'}: until"
        f" {each.certificate.not_valid_after_utc:%F}, SHA-256 {fingerprint(each.certificate)}"
        for each in record.certificates
    ]
    said.append(f"CRL {record.urls.crl}, certificate {record.urls.certificate}.")
    return tuple(said)
