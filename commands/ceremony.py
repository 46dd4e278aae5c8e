"""`tillid ceremony`: making the certificate authorities, with people and a script."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.files import read_octets
from commands.installation import installation
from commands.output import Result, Table, verb
from commands.token_names import TokenName, check_token

if TYPE_CHECKING:
    from ceremony.conduct import Papers
    from ceremony.people import People
    from ceremony.transcript import Written
    from ceremony.verify import Installation

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group
def group() -> None:
    """Make the certificate authorities: script, rehearsal, custodians, transcript."""


@verb(group, example="tillid ceremony template > ceremony.toml")
def template() -> Result:
    """Print a script with comments, to begin from."""
    from ceremony.script import template_text

    text = template_text()
    return Result({"script": text}, tuple(text.splitlines()))


@verb(group, example="tillid ceremony check ceremony.toml --binding binding.toml")
@click.argument("script", type=_FILE)
@click.option("--binding", type=_FILE, help="Which device plays which token.")
def check(script: Path, binding: Path | None) -> Result:
    """Read a script, and the binding if it is given, and tell in words what will happen.

    Every fault is told at once, with its line; then it exits 2.
    """
    from ceremony.checks import check_binding, read_script
    from ceremony.script import read_binding
    from ceremony.words import people, sentence

    read = read_script(read_octets(str(script)), script.name)
    bound = None
    if binding is not None:
        found = read_binding(read_octets(str(binding)), binding.name)
        check_binding(read.script, found)
        bound = found.binding
    steps = [sentence(step, bound) for step in read.script.step]
    return Result(
        {
            "name": read.script.name,
            "sha256": read.sha256,
            "people": people(read.script),
            "steps": steps,
        },
        (
            read.script.title,
            *(f"  {line}" for line in people(read.script)),
            *(f"{number}. {step}" for number, step in enumerate(steps, 1)),
            f"SHA-256 of the script: {read.sha256}",
        ),
    )


@verb(group, example="tillid ceremony rehearse ceremony.toml --out rehearsal")
@click.argument("script", type=_FILE)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("rehearsal"),
    show_default=True,
    help="Folder for the transcript; everything else is thrown away.",
)
@click.option("--unattended", is_flag=True, help="Stand-ins answer, to check the script alone.")
def rehearse(script: Path, out: Path, *, unattended: bool) -> Result:
    """Hold the whole ceremony on a SoftHSM store and a database that are thrown away.

    The names of its issuers, its transcript and the screen say REHEARSAL.
    """
    from ceremony.checks import read_script
    from ceremony.people import StandIns
    from server.held_pins import forbid_core_dumps
    from server.rehearsal import rehearse as play

    read = read_script(read_octets(str(script)), script.name)
    forbid_core_dumps()
    with tempfile.TemporaryDirectory(prefix="tillid-rehearsal-") as folder:
        if unattended:
            written = play(read, Path(folder), out, StandIns())
        else:
            with _people() as people:
                written = play(read, Path(folder), out, people)
    return _written(written)


@verb(group, example="tillid ceremony run ceremony.toml --binding binding.toml")
@click.argument("script", type=_FILE, required=False)
@click.option("--binding", type=_FILE, help="Which device plays which token.")
@click.option("--organisation", help="Without a script: name of the organisation, as certified.")
@click.option("--country", default="DK", show_default=True, help="ISO 3166 code, with it.")
def run(
    script: Path | None, binding: Path | None, organisation: str | None, country: str
) -> Result:
    """Hold the ceremony of a script, or go on with it where it was broken off.

    Without a script, and with --organisation: tokens, keys and certificates of a root and an
    issuing CA, with nobody to witness it. Then issuing CAs get their first CRL and OCSP signer,
    unless custodians hold their token. Either is safe to run again.
    """
    if script is not None and binding is not None and organisation is None:
        return _run_script(script, binding)
    if script is not None or binding is not None or organisation is None:
        said = "Give SCRIPT and --binding, or --organisation alone."
        raise click.UsageError(said, click.get_current_context())
    from server.ceremony import ISSUING, hold_ceremony, let_be_seen
    from server.clock import utc_now

    with installation() as parts:
        steps = list(hold_ceremony(parts, organisation, country, utc_now()))
        steps += let_be_seen(parts, [ISSUING], utc_now())
    return Result(
        {
            "steps": [
                {"issuer": s.issuer, "done": s.done, "fingerprint": s.fingerprint} for s in steps
            ]
        },
        ("Compare the SHA-256 fingerprints with what relying parties were given.",),
        Table(
            ("Issuer", "Done", "Fingerprint"),
            tuple((s.issuer, s.done, s.fingerprint) for s in steps),
        ),
    )


def _run_script(script: Path, binding: Path) -> Result:
    from ceremony.conduct import hold
    from ceremony.script import MakeIssuer
    from server.ceremony import let_be_seen, site_of
    from server.clock import utc_now
    from server.held_pins import forbid_core_dumps

    papers = _papers(script, binding)
    forbid_core_dumps()
    with _people() as people, installation() as parts:
        written = hold(papers, site_of(parts), people)
        steps = papers.script.script.step
        made = [step.issuer for step in steps if isinstance(step, MakeIssuer)]
        for _ in let_be_seen(parts, made, utc_now()):
            pass
        return _written(written)


def _papers(script: Path, binding: Path) -> "Papers":
    from ceremony.checks import check_binding, read_script
    from ceremony.conduct import Papers
    from ceremony.script import read_binding

    read = read_script(read_octets(str(script)), script.name)
    bound = read_binding(read_octets(str(binding)), binding.name)
    check_binding(read.script, bound)
    return Papers(read, bound, rehearsal=False)


@contextmanager
def _people() -> Iterator["People"]:
    from commands.ceremony_people import TerminalPeople

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with TerminalPeople.open() as people:
        yield people


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # as Ctrl-C: a share on the screen is wiped, and what was done is kept


def _written(written: "Written") -> Result:
    transcript = written.signed.transcript
    files = [str(path) for path in written.files]
    return Result(
        {
            "name": transcript.name,
            "rehearsal": transcript.rehearsal,
            "steps": len(transcript.steps),
            "deviations": len(transcript.deviations),
            "sha256": written.sha256,
            "files": files,
        },
        (
            *(["REHEARSAL."] if transcript.rehearsal else []),
            (
                f"{len(transcript.steps)} steps are done, with {len(transcript.deviations)}"
                " deviations."
            ),
            *files,
            f"SHA-256 of transcript.json: {written.sha256}",
            "Print the PDF, sign it by hand, and put it into the safe.",
        ),
    )


@verb(group, example="tillid ceremony unlock tillid-root")
@click.argument("labels", metavar="[TOKEN]...", nargs=-1, type=TokenName())
def unlock(labels: tuple[str, ...]) -> Result:
    """Try whether custodians can open tokens with their shares, all that they hold by default.

    Verbs that need such a token ask for the shares by themselves when a terminal is there.
    """
    from ceremony.people import gather_pin
    from hsm.errors import TokenNotFound
    from server.held_pins import forbid_core_dumps

    forbid_core_dumps()
    with installation() as parts:
        tokens = parts.tokens
        of_issuers = [record.token for record in parts.issuers.all()]
        held = labels or tuple(one for one in tokens.labels if tokens.custody(one))
        found = []
        for label in held:
            custody = tokens.custody(label)
            if custody is None:
                check_token(tokens, label, of_issuers)
                raise TokenNotFound(label, "no custodians hold its PIN")
            with _people() as people, tokens.online(label):
                if custody.by_device:
                    tokens.use_pin_pad(label)
                else:
                    tokens.unlock(label, gather_pin(people, label, custody))
                found.append({"token": label, "keys": tokens.open(label).key_labels()})
    said = tuple(f"{one['token']} opens: {', '.join(one['keys'])}." for one in found)
    return Result({"tokens": found}, said or ("Custodians hold no PIN here.",))


@verb(group, example="tillid ceremony show .state/ceremonies/first/transcript.json")
@click.argument("transcript", type=_FILE)
def show(transcript: Path) -> Result:
    """Print a transcript as text; nothing is verified."""
    from dataclasses import asdict

    from ceremony.document import lay_out
    from ceremony.transcript import digest_of, read_transcript

    signed, octets = read_transcript(transcript)
    value = asdict(signed.transcript)
    return Result({"transcript": value}, tuple(lay_out(value, digest_of(octets))))


def _asked(transcript: Path) -> "Installation":
    from ceremony.transcript import anchor, read_transcript
    from ceremony.verify import Installation
    from server.ceremony import site_of

    signed, octets = read_transcript(transcript)
    with installation() as parts:
        site = site_of(parts)
        anchored = site.log.holds(anchor(signed.transcript, octets))
        return Installation(site.audit_key().public_key(), anchored)


@verb(group, example="tillid ceremony verify transcript.json")
@click.argument("transcript", type=_FILE)
@click.option(
    "--in-log", is_flag=True, help="Also compare with audit key and log of this installation."
)
def verify(transcript: Path, *, in_log: bool) -> Result:
    """Check a transcript: signature, key tests, certificates, CRLs, text and PDF beside it.

    Needs nothing but the files. Says what cannot be seen from them; exits 9 on any fault.
    """
    from ceremony.verify import verify_transcript

    checks = verify_transcript(transcript, _asked(transcript) if in_log else None)
    words = {True: "yes", False: "NO", None: "open"}
    failed = any(each.holds is False for each in checks)
    return Result(
        {"checks": [{"holds": each.holds, "sentence": each.sentence} for each in checks]},
        ("It is NOT what it claims to be.",) if failed else ("Nothing speaks against it.",),
        Table(("Holds", "What"), tuple((words[each.holds], each.sentence) for each in checks)),
        ExitCode.CHECK_SAYS_NO if failed else ExitCode.DONE,
    )
