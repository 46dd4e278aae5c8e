"""`tillid key`: the key store, and the seals by which destroyed keys die in old copies."""

from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.installation import installation
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from records.sealing import SealOutcome


@click.group
def group() -> None:
    """The keys of personal data: show, seal, rotate."""


@verb(group, example="tillid key show")
def show() -> Result:
    """Show the epoch in force, how far its seal is, and the snapshots of the key store."""
    from records.key_epochs import epoch_state

    with installation() as parts:
        state = epoch_state(parts.vault.keys)
        doomed = parts.vault.doomed.count()
        snapshots = [str(path) for path in parts.vault.snapshots.newest()]
    if state is None:
        return Result({"epoch": 0, "keys": 0, "doomed": 0}, ("The key store holds no key yet.",))
    waiting = sorted(name for name, _ in state.roots_left)
    sealed = f"older roots are left in {', '.join(waiting)}" if waiting else "no older root is left"
    return Result(
        {
            "epoch": state.facts.epoch,
            "keys": state.facts.keys,
            "complete": state.facts.completed_at is not None,
            "doomed": doomed,
            "tokens": sorted(state.tokens),
            "waiting_for": waiting,
            "snapshots": snapshots,
        },
        (
            f"Epoch {state.facts.epoch} wraps {state.facts.keys} keys; {sealed}.",
            f"{doomed} keys are to die with the next seal.",
        ),
        Table(("Newest snapshot",), tuple((path,) for path in snapshots)),
    )


@verb(group, example="tillid key seal --now")
@click.option("--now", "at_once", is_flag=True, help="Do not wait for the job's time.")
@click.option("--dry-run", is_flag=True, help="Say what a seal would do, and do nothing.")
def seal(at_once: bool, dry_run: bool) -> Result:  # noqa: FBT001 - click's way
    """Make keys that were destroyed unreadable in every old copy of the key store.

    Without --now it only carries on a seal that a crash or a token kept from its end. Exits 10
    while a token was not seen without its older root; run it again when that token is back.
    """
    from server.clock import utc_now

    with installation() as parts:
        due, doomed = parts.vault.is_due(), parts.vault.doomed.count()
        unfinished = due and not parts.vault.is_complete()
        if dry_run or not (at_once or unfinished):
            said = "A seal is due." if due else "There is nothing to seal."
            return Result({"due": due, "doomed": doomed}, (said,))
        outcome = parts.vault.seal(utc_now())
    return _result(outcome)


@verb(group, example="tillid key rotate")
@click.option("--dry-run", is_flag=True, help="Say what would be wrapped anew, and do nothing.")
def rotate(dry_run: bool) -> Result:  # noqa: FBT001 - click's way
    """Give every token a new root and wrap everything anew, though no key was destroyed.

    For a suspicion about a root or a copy of the key store. Exits as `tillid key seal`.
    """
    from server.clock import utc_now

    with installation() as parts:
        if dry_run:
            facts = parts.vault.keys.facts()
            keys = 0 if facts is None else facts.keys
            return Result({"keys": keys}, (f"{keys} keys would be wrapped anew.",))
        outcome = parts.vault.seal(utc_now(), rotate=True)
    return _result(outcome)


@verb(group, example="tillid key write-off tillid-service-2 --yes")
@click.argument("token")
@click.option("--yes", is_flag=True, help="Do not ask; it is put on record.")
def write_off(token: str, yes: bool) -> Result:  # noqa: FBT001 - click's way
    """Wait no longer for a token that is lost, which the settings name no more.

    Evidence of a seal then leaves it out: its roots were not seen to be gone.
    """
    from server.clock import utc_now

    if not yes:
        click.confirm(f"Was token {token} lost or destroyed for good?", abort=True, err=True)
    with installation() as parts:
        count = parts.vault.write_off(token, utc_now())
    if not count:
        return Result({"token": token, "roots": 0}, (f"No root in {token} is waited for.",))
    return Result({"token": token, "roots": count}, (f"{token} is waited for no longer.",))


def _result(outcome: "SealOutcome") -> Result:
    value = {
        "epoch": outcome.epoch,
        "began": outcome.began,
        "complete": outcome.complete,
        "waiting_for": list(outcome.waiting_for),
        "snapshots": outcome.snapshots,
    }
    if not outcome.complete:
        said = f"Epoch {outcome.epoch} waits for {', '.join(outcome.waiting_for)}."
        return Result(value, (said,), exit_code=ExitCode.PARTLY_DONE)
    if not outcome.began:
        return Result(value, ("Nothing was to be sealed; snapshots are current.",))
    return Result(value, (f"Epoch {outcome.epoch} began, and no older root is left.",))
