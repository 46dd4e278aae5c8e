"""Playing the story: chapter after chapter, drawn while it runs; then it stays until Ctrl-C."""

import signal
import time
from contextlib import ExitStack
from threading import Event
from types import FrameType

from rich.console import Console
from rich.markup import escape

from demo.chapters import identity
from demo.stage import Stage
from demo.tours import TOURS


class Interrupted(KeyboardInterrupt):
    """SIGTERM or Ctrl-C in the middle of the story."""


def play(*, once: bool, tour: str = "") -> dict[str, object]:
    """Play what was not played yet; gives addresses, and the seconds it took.

    A tour, by its name, is played from its beginning.

    Raises:
        DemoError: a program is missing, or a chapter did not go as it should; a further run goes
            on from there.
    """
    console = Console(highlight=False, emoji=False)
    started = time.monotonic()
    played = TOURS[tour]
    stage = Stage.prepare(played.folder, played.settings)
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as stack:
        stack.callback(stage.stop)
        for number, (title, chapter) in enumerate(played.chapters, 1):
            heading = f"[bold]{number}/{len(played.chapters)} {title}[/bold]"
            with console.status(heading):
                console.print(heading)
                for told in chapter(stage):
                    console.print(f"   {escape(told)}", soft_wrap=True)
        seconds = time.monotonic() - started
        facts = _ending(stage, console, seconds)
        if not once:
            _stay(stage, console)
    return {**facts, "seconds": round(seconds, 1)}


def _ending(stage: Stage, console: Console, seconds: float) -> dict[str, object]:
    settings = stage.settings
    console.print(f"\n[bold]The story is told, in {seconds:.1f} s.[/bold]")
    addresses = {
        "public": settings.public.url,
        "staff": settings.staff.url,
        "directory": stage.slapd.url,
        "state": str(stage.state),
    }
    for name, address in addresses.items():
        console.print(f"   {name:10} {address}", soft_wrap=True)
    officers = stage.facts["officers"]
    links = {
        officer: stage.tillid("officer", "sign-in", "--identity", str(own))["link"]
        for own, officer in ((identity(stage, name), of) for name, of in officers.items())
    }
    console.print(f"\nOne-time links to the pages ({settings.links.minutes} minutes, once each):")
    for called, officer in officers.items():
        console.print(f"   {called.replace('_', ' '):24} {links[officer]}", soft_wrap=True)
    trust = stage.folder / "root.pem"
    console.print(
        f"\nYour browser asks about the certificate: its trust anchor is {trust}", soft_wrap=True
    )
    console.print("\nTwo commands to try, in another terminal:")
    state = f"TILLID_STATE={stage.state}"
    console.print(f"   {state} .venv/bin/tillid audit tail", soft_wrap=True)
    console.print(
        f"   curl --silent {settings.public.url}/crl/issuing.crl |"
        " openssl crl -inform DER -noout -text",
        soft_wrap=True,
    )
    return {**addresses, "links": links}


def _stay(stage: Stage, console: Console) -> None:
    console.print("\nThe service runs until Ctrl-C.")
    ended = Event()
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    stage.wait_for("the end", ended.is_set, seconds=float("inf"))
    console.print("Stopping; the next run goes on from here.")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted
