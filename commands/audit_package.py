"""`tillid audit export --package`: what an auditor of an assessment is given, in one folder.

Each requirement with what meets it, what shows that, and its tests; sampled cases; the policies in
force; the verified log with its latest signed head; a signed manifest over all of it.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.audit_proofs import latest_head, public_key_pem
from commands.exit_codes import ExitCode
from commands.files import writing
from commands.installation import installation
from commands.output import Result
from commands.staff_client import StaffClient

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from records.audit_log import AuditLog
    from server.assembly import Assembly

Files = dict[str, bytes]
_WHAT = (
    "Requirements of the guidance to NSIS 2.0 (2018), as catalogued; later versions are not. What"
    " meets NSIS is an organisation with its auditor's statement, never software."
)
_CHAIN = (
    "`log/checkpoint` is its latest signed head, `log/key.pem` its public key: compare both with"
    " what is kept elsewhere. What came after that head, as this drawing, the next head covers."
)
_PERSONS = (
    "A case names its person by the opaque id alone; `tillid audit open` shows what the log says of"
    " persons, and tells of it."
)
_OBJECT = re.compile(rb'"o":"([^"]*)"')


def write_package(folder: Path, identity: Path, count: int, seed: str | None) -> Result:
    """Gather everything, then write it; nothing is written unless all of it is there.

    Raises:
        UsageError: the folder is not empty.
        ProblemRaised: the identity is not an auditor's, or the service does not answer.
        NotFound: the log has no signed head yet.
    """
    from server.clock import utc_now
    from server.packages import sign_package

    _require_empty(folder)
    auditor = StaffClient.as_officer(identity)
    asked = {"count": count, **({} if seed is None else {"seed": seed})}
    with installation() as parts:
        verified, files = _log(parts)
        sampled = auditor.post("audit/samples", asked)
        files |= _cases(parts, sampled) | _policies(parts)
        files["requirements.json"] = _json(_requirements())
        files["index.md"] = _index(parts, sampled, verified, sorted(files)).encode()
        signed = sign_package(parts, files, utc_now())
    with writing(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, octets in signed.items():
            path = folder / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(octets)
    cases = sum(len(each["cases"]) for each in sampled["drawn"])
    said = [f"{folder}: {cases} cases, noted in the log as {sampled['reference']}."]
    said += [f"Begin with {folder / 'index.md'}; `tillid subject check` verifies the files."]
    said += [] if verified["whole"] else [f"The log is broken at event {verified['broken_at']}."]
    return Result(
        {
            "folder": str(folder),
            "reference": sampled["reference"],
            "seed": sampled["seed"],
            "cases": cases,
            "files": len(signed),
            "log_whole": verified["whole"],
        },
        tuple(said),
        exit_code=ExitCode.DONE if verified["whole"] else ExitCode.CHECK_SAYS_NO,
    )


def _require_empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} is not empty; name a folder that is, or a new one.")
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK | os.X_OK):
        raise click.UsageError(f"Nothing can be written in {folder}; name another folder.")


def _log(parts: "Assembly") -> tuple[dict[str, Any], Files]:
    """Verify the whole log with its payloads; what was found, and the files that say so."""
    from hsm.labels import AUDIT_KEY
    from records.audit_log import audit_log

    public = parts.tokens.service_key(AUDIT_KEY).public_key()
    with audit_log(parts.database) as log:
        head = latest_head(log)
        found = _verified(parts, log, public)
    return found, {
        "log/checkpoint": head.text.encode(),
        "log/key.pem": public_key_pem(public).encode(),
        "log/verification.json": _json(found),
    }


def _verified(
    parts: "Assembly", log: "AuditLog", public: "ec.EllipticCurvePublicKey"
) -> dict[str, Any]:
    from audit.errors import ChainBroken
    from audit.log import Extent, verify_log
    from audit.payload_watch import PayloadWatch
    from records.audit_payloads import AuditKeys, sealed_payloads
    from server.assembly import AUDIT_ORIGIN

    watch = PayloadWatch(sealed_payloads(log.view, 0), AuditKeys(log.view, parts.personal))
    try:
        found = verify_log(log, public, AUDIT_ORIGIN, Extent(payloads=watch))
    except ChainBroken as error:
        return {"whole": False, "broken_at": error.position, "reason": error.reason.value}
    return {
        "whole": True,
        "events": found.size,
        "heads": found.heads,
        "covered": found.latest.size if found.latest else 0,
        "root": found.root.hex(),
        "payloads": watch.present,
        "payloads_ended": watch.missing,
    }


def _cases(parts: "Assembly", sampled: Mapping[str, Any]) -> Files:
    """Each case with the headers of the events about it and its certificates."""
    cases = {
        f"cases/{each['level'].lower()}-{each['outcome']}-{case['id']}.json": case
        for each in sampled["drawn"]
        for case in each["cases"]
    }
    about = {
        name: {case["id"], *(f"{c['issuer']}/{c['serial_number']}" for c in case["certificates"])}
        for name, case in cases.items()
    }
    events = _events(parts, set().union(*about.values()))
    return {
        name: _json({**case, "events": [each for each in events if each["o"] in about[name]]})
        for name, case in cases.items()
    }


def _events(parts: "Assembly", objects: set[str]) -> list[dict[str, Any]]:
    from records.audit_log import audit_log

    wanted = {name.encode() for name in objects}
    with audit_log(parts.database) as log:
        headers = (entry.header for entry in log.entries(0))
        # Most headers are of others, and need not be parsed.
        near = (each for each in headers if wanted.intersection(_OBJECT.findall(each)))
        return [found for found in map(json.loads, near) if found["o"] in objects]


def _policies(parts: "Assembly") -> Files:
    """What decides, as it stands now: proofing, sources, texts, retention, assessments."""
    from ra.policies import policy_words
    from ra.terms import TermsKind
    from server.clock import utc_now
    from server.person_parts import kept_catalogue

    now, policy = utc_now(), parts.policy.policy
    terms = [text for kind in TermsKind for text in parts.policy.terms.in_force(kind, now)]
    adapter, retention = parts.settings.registers.adapter, parts.settings.retention.policies
    catalogue = kept_catalogue(parts.settings) if adapter == "none" else parts.registers()[1]
    decided = {
        "proofing": {"name": policy.name, "sha256": policy.sha256, "policy": policy_words(policy)},
        "sources": [asdict(each) for each in catalogue.sources],
        "equivalences": [asdict(each) for each in catalogue.equivalences],
        "telephones": [asdict(each) for each in catalogue.telephones],
        "risk_assessments": [asdict(each) for each in parts.decisions.assessments],
        "officers_listed_for_high": len(parts.decisions.officers),
        "registers": f"{adapter} (test equipment)" if adapter == "fake" else adapter,
        "activate_from": parts.settings.delivery.activate_from,
        "retention": [name.strip() for name in retention.split(",")],
        "audit_years": {
            "personal": parts.settings.audit.personal_years,
            "administrative": parts.settings.audit.administrative_years,
        },
    }
    texts = {
        f"policies/{text.kind.value}-{text.version}-{text.language}.md": text.text.encode()
        for text in terms
    }
    return {"policies/policies.json": _json(decided), **texts}


def _requirements() -> list[dict[str, object]]:
    from ra.evidence_queries import evidence_query, tests_of
    from ra.requirement_page import how_met
    from ra.requirements import requirements

    rows: list[dict[str, object]] = []
    for each in requirements().values():
        query = evidence_query(each.id)
        rows.append(
            {
                "id": each.id,
                "from": min(each.levels).label,
                "applies": each.applies,
                "force": each.force,
                "source": each.source,
                "requirement": each.sentence,
                "met": how_met(each),
                "evidence": {"case_keys": query.keys, "verb": f"tillid {query.verb}"},
                "tests": tests_of(each),
            }
        )
    return rows


def _index(
    parts: "Assembly", sampled: Mapping[str, Any], verified: Mapping[str, Any], names: list[str]
) -> str:
    """The page that a person begins with."""
    chain = (
        f"whole: {verified['events']} events, {verified['heads']} signed heads"
        if verified["whole"]
        else f"**BROKEN at event {verified['broken_at']}**: {verified['reason']}"
    )
    lines = ["# Audit package", "", _WHAT, "", *_test_equipment(parts)]
    lines += [f"**The log** is {chain}. {_CHAIN}", ""]
    drawing = f"seed `{sampled['seed']}`, noted in the log as `{sampled['reference']}`"
    lines += [f"**Cases** were drawn by lot, {drawing}. {_PERSONS}", ""]
    lines += ["| level | outcome | among | drawn |", "|---|---|---|---|"]
    lines += [
        f"| {each['level']} | {each['outcome']} | {each['among']} | {len(each['cases'])} |"
        for each in sampled["drawn"]
    ]
    lines += ["", "## Files", "", "`manifest.json` has the SHA-256 of each, and is signed.", ""]
    lines += [f"- [{name}]({name})" for name in names]
    lines += ["", "## Requirements", ""]
    lines += ["| id | from | requirement | met | in a case | ask | tests |"]
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [_row(each) for each in _requirements()]
    return "\n".join(lines) + "\n"


def _row(of: Mapping[str, Any]) -> str:
    keys = " ".join(f"`{key}`" for key in of["evidence"]["case_keys"])
    tests = " ".join(f"`{test}`" for test in of["tests"])
    cells = (of["id"], of["from"], of["requirement"], of["met"], keys, of["evidence"]["verb"])
    return f"| {' | '.join(cells)} | {tests} |"


def _test_equipment(parts: "Assembly") -> list[str]:
    found = []
    if parts.settings.registers.adapter == "fake":
        found.append("its registers, which know nobody real")
    if "softhsm" in parts.settings.hsm.module.name:
        found.append("SoftHSM, which keeps keys in files")
    return [f"**Test equipment** stands in for {' and for '.join(found)}.", ""] if found else []


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n").encode()
