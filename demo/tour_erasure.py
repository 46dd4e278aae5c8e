"""A tour of erasure when not all goes well: a directory is down, a court holds, a duty keeps.

Each chapter says what happens and why. It is played from its beginning each time.
"""

import json
from collections.abc import Iterator
from typing import Any

from demo import direct_sql
from demo.chapters import application, ceremony, identity, issuance, publication, staff
from demo.relying_party import RelyingParty
from demo.stage import Stage

Chapter = Iterator[str]
ADMINISTRATORS = ("security_administrator", "second_administrator")
_SECONDS = 150


def backup(stage: Stage) -> Chapter:
    """A backup of the records as they are before anybody asked for anything."""
    folder = stage.folder
    stage.tillid("backup", "new-key", "--out", str(folder / "backup.key"))
    made = stage.tillid("backup", "create", *_backup(stage))
    yield f"{folder / 'old.backup'}: {made['data_keys']} data keys referred to, none is in it"
    proof = stage.tillid("backup", "prove", *_backup(stage))
    stage.remember(readable=proof["readable"])
    yield f"tillid backup prove: {proof['readable']} keys open, {proof['unreadable']} do not"


def request(stage: Stage) -> Chapter:
    """The data subject asks; the retention policy has ruled on each record."""
    of, secret = stage.facts["application"], stage.facts["secret"]
    asked = stage.api(f"applications/{of}/erasure", {}, secret)
    stage.remember(case=asked["id"])
    yield f"the data subject asks: case {asked['id']}, an answer is owed by {asked['due_at'][:10]}"
    for ruling in _case(stage)["rulings"]:
        yield f"{ruling['class'].replace('_', ' ')}: {ruling['text']['en']}"


def directory_down(stage: Stage) -> Chapter:
    """Without the directory everything goes on but the destruction."""
    stage.slapd.stop()
    yield f"the directory {stage.slapd.url} is down"
    _approved(stage)
    yield "two security administrators approve: the case begins"
    party = RelyingParty(stage)
    seconds = stage.wait_for("OCSP", party.ocsp_revoked, _SECONDS)
    yield f"OCSP says revoked after {seconds:.1f} s"
    yield f"the CRL lists it after {stage.wait_for('the CRL', party.crl_lists):.1f} s more"
    _reached(stage, "visible")
    yield "the case waits: what a directory may still show is not forgotten"
    issuer, _, serial = stage.facts["certificate"].partition("/")
    statement = f"DELETE FROM publication WHERE issuer = '{issuer}' AND serial = '{serial}'"  # noqa: S608 - our own names; that it is refused is the point
    yield f"SQL> {statement}"
    yield f"the database refuses: {direct_sql.refusal(stage.settings, statement)}"


def legal_hold(stage: Stage) -> Chapter:
    """Two persons put a hold on the person; the directory comes back meanwhile."""
    first, second = (str(identity(stage, each)) for each in ADMINISTRATORS)
    basis = ("--basis", "BS 12-3/2026", "--identity", first)
    asked = stage.tillid("retention", "hold", stage.facts["application"], *basis)
    stage.tillid("retention", "approve", asked["id"], "--identity", second)
    yield f"two administrators put the person under legal hold: {asked['id']}, BS 12-3/2026"
    stage.start_directory()
    yield "the directory is back"
    party = RelyingParty(stage)
    stage.wait_for("the withdrawal", lambda: party.directory_values() == 0, _SECONDS)
    yield "the certificate was withdrawn from it, by itself"
    _reached(stage, "notified")
    yield "the case waits before the destruction: the hold is honoured until it ends"
    ends = ("--basis", "BS 12-3/2026 closed", "--identity", second)
    ended = stage.tillid("retention", "release", asked["id"], *ends)
    stage.tillid("retention", "approve", ended["id"], "--identity", first)
    yield "the two end the hold"


def partial_answer(stage: Stage) -> Chapter:
    """What no duty keeps is gone; of the rest the answer says why, and until when."""
    _reached(stage, "scheduled")
    destroyed = _receipt(stage)["done"]["destroyed"]
    yield f"destroyed: {destroyed['certificates']} certificate, {destroyed['keys']} data keys"
    for kept in _receipt(stage)["kept"]:
        yield f"kept: {kept['class'].replace('_', ' ')}. {kept['text']['en']}"
    yield "the case is scheduled, and goes on by itself when that time has ended"
    party = RelyingParty(stage)
    party.fetch_crls()
    yield party.ocsp_says()
    yield f"openssl verify: {party.verify_says()}"


def receipt(stage: Stage) -> Chapter:
    """The receipt stands without the service, and one changed octet is found."""
    folder = stage.folder
    (folder / "audit.pem").write_text(stage.tillid("audit", "checkpoint")["public_key"])
    text = str(_case(stage)["receipt"])
    (folder / "receipt.txt").write_text(text)
    (folder / "altered.txt").write_text(text.replace("certificates", "certificatet", 1))
    for name in ("receipt.txt", "altered.txt"):
        ran = stage.offline("erase", "receipt", "verify", str(folder / name), "--key", _key(stage))
        yield f"$ tillid erase receipt verify {folder / name} --key {_key(stage)}"
        yield next(iter(ran.output.splitlines()), "no answer")
    done = _receipt(stage)["done"]
    tokens = ", ".join(done["epochs"]["tokens"])
    yield f"epoch {done['epochs']['destroyed']} of the keys ended in token {tokens}"
    yield f"seen revoked in the CRL: {_crl_number(done, 'before')}, {_crl_number(done, 'after')}"


def restored(stage: Stage) -> Chapter:
    """The backup from before is put back: who was erased stays so, what was revoked too."""
    proof = stage.tillid("backup", "prove", *_backup(stage))
    yield f"tillid backup prove: {proof['readable']} keys open, {proof['unreadable']} do not"
    stage.stop_service()
    found = stage.tillid("backup", "restore", *_backup(stage), "--yes")
    learned = sum(each["revoked"] + each["unknown"] for each in found["issuers"])
    yield f"tillid backup restore: {learned} revocation learned from the published CRL"
    yield f"{found['erased']} person was erased since the backup, and is closed off"
    stage.start_service()
    party = RelyingParty(stage)
    stage.wait_for("OCSP", party.ocsp_revoked, _SECONDS)
    yield party.ocsp_says()
    stage.remember(case=_open_case(stage))
    _approved(stage)
    _reached(stage, "scheduled")
    yield f"the erasure was carried on as case {stage.facts['case']}, approved by two again"
    checked = stage.tillid("audit", "verify")
    yield f"audit log whole: {checked['events']} events, {checked['heads']} signed heads"


def _backup(stage: Stage) -> tuple[str, ...]:
    return (str(stage.folder / "old.backup"), "--key", str(stage.folder / "backup.key"))


def _key(stage: Stage) -> str:
    return str(stage.folder / "audit.pem")


def _case(stage: Stage) -> Any:
    who = str(identity(stage, ADMINISTRATORS[0]))
    return stage.tillid("erase", "receipt", "show", stage.facts["case"], "--identity", who)


def _open_case(stage: Stage) -> str:
    who = str(identity(stage, ADMINISTRATORS[0]))
    found = stage.tillid("erase", "list", "--identity", who)["erasures"]
    return next(str(each["id"]) for each in found if each["state"] == "requested")


def _receipt(stage: Stage) -> Any:
    return json.loads(str(_case(stage)["receipt"]).partition("\n")[0])


def _approved(stage: Stage) -> None:
    for administrator in ADMINISTRATORS:
        who = str(identity(stage, administrator))
        stage.tillid("erase", "approve", stage.facts["case"], "--yes", "--identity", who)


def _reached(stage: Stage, state: str) -> None:
    stage.wait_for(f"the state {state}", lambda: _case(stage)["state"] == state, _SECONDS, rest=1)


def _crl_number(done: Any, when: str) -> str:
    seen = done[when]
    numbers = [each["number"] for each in seen["seen"] if each["channel"] == "crl"]
    return f"number {numbers[0]} {when} the destruction"


ERASURE = (
    ("The key ceremony", ceremony),
    ("Service, directory and staff", staff),
    ("An application at NSIS Substantial", application),
    ("Intent, signature, certificate", issuance),
    ("Publication", publication),
    ("A backup", backup),
    ("Erasure is asked for, under the policy nsis", request),
    ("A directory is down", directory_down),
    ("A legal hold", legal_hold),
    ("A partial answer", partial_answer),
    ("The receipt, verified offline", receipt),
    ("The old backup is put back", restored),
)
