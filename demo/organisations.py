"""Legal persons of the tour: mandates, associations and seals, as registrants and officers do."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from demo.applicants import approve, conclude, looked_at, make_request, refusal, signed
from demo.chapters import identity
from demo.stage import Stage
from server.clock import utc_now

Chapter = Iterator[str]
_DIGEST = sha256(b"as filed").hexdigest()


def ask_mandate(stage: Stage, cvr: str, who: Path, **how: object) -> Any:
    """Somebody asks for a mandate of a company, at Substantial unless told."""
    return stage.api("mandates", {"cvr": cvr, "level": "Substantial", **how}, identity=who)


def file_documents(stage: Stage, mandate: Any) -> None:
    """The registration officer records charter and minutes."""
    body = {
        "charter": "charter 1",
        "charter_sha256": _DIGEST,
        "minutes": "minutes 1",
        "minutes_sha256": _DIGEST,
        "role": "chair",
        "held_on": (utc_now() - timedelta(days=30)).date().isoformat(),
        "quorum": True,
        "accepted": True,
    }
    clerk = identity(stage, "registration_officer")
    stage.api(f"mandates/{mandate['id']}/documents", body, identity=clerk)


def conclude_mandate(stage: Stage, mandate: Any) -> Any:
    """The registration officer concludes."""
    clerk = identity(stage, "registration_officer")
    return stage.api(f"mandates/{mandate['id']}/conclusion", {}, identity=clerk)


def grant_mandate(stage: Stage, mandate: Any) -> str:
    """One officer concludes, another signs the package; gives the state."""
    conclude_mandate(stage, mandate)
    by, path = identity(stage, "approving_officer"), f"mandates/{mandate['id']}"
    signature = signed(stage, stage.fetch(f"{path}/package", identity=by), by)
    approved = stage.api(f"{path}/approval", {"signature": signature}, identity=by)
    return str(approved["state"])


def appoint(stage: Stage, cvr: str, boss: Path, administrator: str) -> Chapter:
    """A director appoints whom an application proved, to administer the company's people."""
    appointed: dict[str, object] = {"act": "administer", "administrator": administrator}
    mandate = ask_mandate(stage, cvr, boss, by_role=True, **appointed)
    said = grant_mandate(stage, mandate)
    yield f"mandate {mandate['id']}: {said}, to administer the people of {cvr}"


def associate(
    stage: Stage, cvr: str, boss: Path, of: tuple[str, Path], name: str = "role"
) -> Chapter:
    """A person, known by an application and an identity file, gets the certificate of a role."""
    own, person = of
    body = {"cvr": cvr, "application_id": own, "level": "Substantial", "basis": "administrator"}
    made = stage.api("associations", body, identity=boss)
    path = f"associations/{made['id']}"
    activate = partial(stage.api, f"{path}/activation", {}, identity=boss)
    yield f"activated before the person agreed: refused, {refusal(activate)}"
    stage.api(f"{path}/consent", {}, identity=person)
    yield f"association {made['id']}: {activate()['state']}, the person agreed"
    asked = ("association", "apply", made["id"], str(make_request(stage, name)), "--accept")
    applied = stage.tillid(*asked, "--identity", str(person))
    yield f"$ tillid association apply {made['id']} … --accept: {applied['state']}"
    conclude(stage, applied["id"])
    approve(stage, applied["id"])
    yield looked_at(stage, name, applied)


def sealed(stage: Stage, cvr: str, who: Path, name: str, *, renews: str = "") -> Chapter:
    """Who is mandated applies for the company's seal, or the next one, and gets it."""
    request = make_request(stage, name)
    how = ("--renews", str(stage.folder / f"{renews}.pem")) if renews else ("--accept",)
    made = stage.tillid("organisation", "seal", cvr, str(request), *how, "--identity", str(who))
    if not renews:
        yield f"before the organisation agreed: refused, {refusal(conclude, stage, made['id'])}"
        agree = ("organisation", "agree", cvr, "--accept")
        agreed = stage.tillid(*agree, "--identity", str(who))["agreed_versions"]
        yield f"$ tillid {' '.join(agree)} --identity {who.name}: version {agreed[-1]}"
    conclude(stage, made["id"])
    approve(stage, made["id"])
    yield f"the seal of {cvr}: {looked_at(stage, name, made)}"
