"""Holding a ceremony: step after step, each told, done, witnessed and written down once.

A run that is broken off, by Ctrl-C, a dead token or a dead machine, is gone on with by the same
command. What it did is in the journal, in the tokens and in the database; nothing else is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from audit.events import Detail, Event
from ceremony.errors import Conflict, Unwritable
from ceremony.journal import Journal
from ceremony.people import People
from ceremony.script import BindingRead, ScriptRead, Step
from ceremony.site import Site
from ceremony.steps import Room
from ceremony.transcript import ACTOR, Written, finish
from ceremony.words import people as people_words
from ceremony.words import sentence
from hsm.errors import LockHeld
from hsm.module import exclusive


@dataclass(frozen=True, slots=True)
class Papers:
    """What a ceremony is held by."""

    script: ScriptRead
    binding: BindingRead
    rehearsal: bool


def hold(papers: Papers, site: Site, people: People) -> Written:
    """Hold a ceremony, or go on with it, to its signed transcript.

    Raises:
        Conflict: it was begun with another script or binding, or is being held by somebody now.
        CeremonyError, HsmError, ca.errors.CaError: it stopped; the same command goes on.
    """
    script = papers.script.script
    folder = site.folder / script.name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(folder / "lock", 0):
            journal = Journal.open(folder / "journal.jsonl", site.clock)
            _begin(papers, site, journal)
            _anchor_beginning(papers, site, journal)
            room = Room(script, papers.binding.binding, site, people, journal)
            labels = [bound.label for bound in papers.binding.binding.token.values()]
            with (
                _told_when_stopped(papers, people, journal),
                site.tokens.online(*labels),
            ):
                _steps(papers, room)
                return finish(journal, site, folder)
    except LockHeld as error:
        raise Conflict(script.name, "it is being held by another process now") from error
    except OSError as error:
        where = Path(error.filename) if error.filename else folder
        raise Unwritable(where, error.strerror or "it cannot be used") from error


def _begin(papers: Papers, site: Site, journal: Journal) -> None:
    """Write down what it is held by, or see that it is still the same."""
    digests = {
        "script_sha256": papers.script.sha256,
        "binding_sha256": papers.binding.sha256,
        "rehearsal": papers.rehearsal,
    }
    name, software = papers.script.script.name, site.software()
    if not journal.entries:
        journal.append(
            "begun",
            name=name,
            title=papers.script.script.title,
            script=papers.script.document.text,
            binding=papers.binding.document.text,
            software=software,
            **digests,
        )
        return
    begun = journal.entries[0]
    for member, digest in digests.items():
        if begun.get(member) != digest:
            what = member.removesuffix("_sha256")
            raise Conflict(name, f"it was begun with another {what}, and goes on with that alone")
    if not journal.of("ended"):
        journal.append("resumed")
        if software != begun["software"]:
            journal.append("deviation", step=0, text="Gone on with other software than begun with")


def _anchor_beginning(papers: Papers, site: Site, journal: Journal) -> None:
    """Tell the audit log of a ceremony that may never end; once."""
    said: dict[str, Detail] = {"sha256": papers.script.sha256, "rehearsal": papers.rehearsal}
    event = Event("ceremony.begun", ACTOR, papers.script.script.name, said)
    if not site.log.holds(event):
        site.log.append(event, journal.now())


@contextmanager
def _told_when_stopped(papers: Papers, people: People, journal: Journal) -> Iterator[None]:
    try:
        yield
    except BaseException:
        done, steps = len(journal.of("done")), len(papers.script.script.step)
        kept = f"{done} of {steps} steps are done and kept; the same command goes on."
        people.tell("", "Stopped: " + ("a rehearsal begins anew." if papers.rehearsal else kept))
        raise


def _steps(papers: Papers, room: Room) -> None:
    script, binding, people = room.script, room.binding, room.people
    steps = len(script.step)
    if not room.journal.of("done"):
        people.tell(script.title, *(f"  {line}" for line in people_words(script)))
    for number, step in enumerate(script.step, 1):
        done = room.journal.done(number)
        people.tell("", f"Step {number} of {steps}: {sentence(step, binding)}")
        if done is not None:
            people.tell(f"  done at {done['at'][:19]}Z")
            continue
        if step.note:
            people.tell(f"  {step.note}")
        if papers.rehearsal:
            people.tell("  REHEARSAL")
        _step(room, number, step)


def _step(room: Room, number: int, step: Step) -> None:
    journal, people = room.journal, room.people
    room.await_outside(step)
    for text in people.before_step():
        journal.append("deviation", step=number, text=text)
    if journal.begun(number):
        journal.append("deviation", step=number, text="Begun before, broken off, and gone on with")
    journal.append("started", step=number)
    facts = asdict(room.perform(number, step))
    people.tell(*_result(facts))
    journal.append("done", step=number, facts=facts, witnesses=_witnesses(room, step))


def _result(facts: dict[str, object]) -> Iterator[str]:
    """What a step left behind, as people compare it."""
    if "made" in facts:
        yield "  made" if facts["made"] else "  was there, and is what it should be"
    for member in ("outcome", "device", "sha256"):
        if member in facts:
            value = str(facts[member])
            yield f"  {member}: " + (
                bytes.fromhex(value).hex(":").upper() if member == "sha256" else value
            )


def _witnesses(room: Room, step: Step) -> list[str]:
    """The names of witnesses who were there at the beginning, typed by themselves."""
    if not step.witnesses:
        return []
    entry = next(e for e in room.journal.of("done") if e["facts"]["do"] == "attendance")
    present: list[str] = entry["facts"]["people"]["witness"]
    names: list[str] = []
    for count in range(1, step.witnesses + 1):
        question = f"Witness {count} of {step.witnesses}, type your name:"
        names.append(room.people.identify(question, [n for n in present if n not in names]))
    return names
