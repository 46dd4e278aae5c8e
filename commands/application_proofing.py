"""`tillid application`: the acts of officers on evidence beside documents, and on referrals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from commands.output import Result, verb
from commands.staff_client import StaffClient

_identity = click.option(
    "--identity",
    required=True,
    type=click.Path(path_type=Path),
    help="Identity file of the officer who acts (from `tillid officer enrol`).",
)
_DEVIATIONS = ("changed_name", "missing_middle_name", "transliteration")
_PRESENCES = ("in_person", "supervised_remote", "automated_remote", "online")


def add_proofing_to(group: click.Group) -> None:
    """Add the verbs to the group."""
    for add in (_add_plain, _add_comparison, _add_questions, _add_prior, _add_resolution):
        add(group)


def _add_plain(group: click.Group) -> None:
    """The verbs that need nothing but the application."""
    _plain(group, "take-up", "proofing", "Take an application up without a document.")
    _plain(group, "send-letter", "letter", "Post a code to the address that the register has.")
    _plain(group, "refer", "referral", "Refer what waits for an answer, or what disagrees.")
    _plain(group, "ask-again", "answers", "Ask the registers again about a referred application.")


def _plain(group: click.Group, name: str, step: str, help_text: str) -> None:
    def act(application: str, identity: Path) -> Result:
        return _done(identity, application, step, None)

    act.__name__, act.__doc__ = name.replace("-", "_"), help_text
    made = click.argument("application")(_identity(act))
    verb(group, example=f"tillid application {name} A-7KQ2M4XN3P --identity me.pem")(made)


def _add_comparison(group: click.Group) -> None:
    @verb(
        group,
        example="tillid application compare A-7KQ2M4XN3P --kind signature --matches"
        " --feature-list F-1 --identity me.pem",
    )
    @click.argument("application")
    @click.option("--kind", required=True, type=click.Choice(("photo", "signature")), help="What.")
    @click.option("--matches/--differs", required=True, default=None, help="What was seen.")
    @click.option("--feature-list", required=True, help="Version of the list that was gone by.")
    @_identity
    def compare(
        application: str,
        kind: str,
        matches: bool,  # noqa: FBT001 - click's way
        feature_list: str,
        identity: Path,
    ) -> Result:
        """Record a comparison made in person, there and then, with the evidence on record."""
        body = {"kind": kind, "matches": matches, "live": True, "feature_list": feature_list}
        return _done(identity, application, "comparisons", body)


def _add_questions(group: click.Group) -> None:
    @verb(
        group,
        example="tillid application questions A-7KQ2M4XN3P --presence in_person --source cpr"
        " --counts 3 3 --identity me.pem",
    )
    @click.argument("application")
    @click.option("--presence", required=True, type=click.Choice(_PRESENCES), help="Where.")
    @click.option("--source", required=True, help="The approved source of the answers.")
    @click.option("--counts", required=True, type=(int, int), help="How many asked, and right.")
    @_identity
    def questions(
        application: str, presence: str, source: str, counts: tuple[int, int], identity: Path
    ) -> Result:
        """Record how many control questions were answered rightly; no answer is kept."""
        asked, correct = counts
        body = {"presence": presence, "source": source, "asked": asked, "correct": correct}
        return _done(identity, application, "questions", body)


def _add_prior(group: click.Group) -> None:
    @verb(
        group,
        example="tillid application prior-proofing A-7KQ2M4XN3P --provider bank --scope aml"
        " --reference R-1 --identity me.pem",
    )
    @click.argument("application")
    @click.option("--provider", required=True, help="Who proofed the identity before.")
    @click.option("--scope", required=True, help="For which purpose.")
    @click.option("--reference", required=True, help="Where it is on record there.")
    @_identity
    def prior_proofing(
        application: str, provider: str, scope: str, reference: str, identity: Path
    ) -> Result:
        """Record an earlier proofing; it counts if an equivalence assessment holds for it."""
        body = {"provider": provider, "scope": scope, "reference": reference}
        return _done(identity, application, "prior-proofings", body)


def _add_resolution(group: click.Group) -> None:
    @verb(
        group,
        example="tillid application resolve A-7KQ2M4XN3P --deviation changed_name"
        " --reason 'the register shows the earlier name' --identity second.pem",
    )
    @click.argument("application")
    @click.option("--deviation", required=True, type=click.Choice(_DEVIATIONS), help="Which.")
    @click.option("--reason", required=True, help="What shows that it is one person.")
    @_identity
    def resolve(application: str, deviation: str, reason: str, identity: Path) -> Result:
        """Resolve a referral as a second officer, for a deviation of names."""
        body = {"deviation": deviation, "reason": reason}
        return _done(identity, application, "resolution", body)


def _done(identity: Path, application: str, step: str, body: Mapping[str, object] | None) -> Result:
    found: dict[str, Any] = StaffClient.as_officer(identity).post(
        f"applications/{application}/{step}", *([] if body is None else [dict(body)])
    )
    sentences = [f"{found['id']}: {found['state']}, level {found['level']}"]
    sentences += [f"{f['requirement']} {f['code']}: {f['sentence']}" for f in found["findings"]]
    return Result(found, tuple(sentences))
