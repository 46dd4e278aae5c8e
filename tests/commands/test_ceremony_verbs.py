"""`tillid ceremony` as people meet it: at a terminal, without one, with files that are wrong."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ceremony.custodians import join_pin, officer_pin
from ceremony.script import template_text
from tests.support.command_line import ROOT, clean_environment, tillid
from tests.support.terminal import Custodians, at_terminal

BINDING = """[token.root]
label = "tillid-root"
pin = "custodians"

[token.issuing]
label = "tillid-issuing"
pin = "file"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "script.toml").write_text(template_text(), encoding="utf-8")
    (tmp_path / "binding.toml").write_text(BINDING, encoding="utf-8")
    return tmp_path


def seen(folder: Path, environment: dict[str, str]) -> tuple[list[str], list[str]]:
    """Of which issuers there is a CRL, and of which an OCSP signer."""
    listed = tillid("crl", "list", "--json", directory=folder, environment=environment)
    crls = [each["issuer"] for each in json.loads(listed.stdout)["result"]["crls"]]
    with closing(sqlite3.connect(folder / "state" / "tillid.sqlite")) as database:
        signers = database.execute(
            "SELECT issuer FROM certificate WHERE profile = 'ocsp-signer' AND status = 'issued'"
        )
        return crls, [issuer for (issuer,) in signers]


def without_terminal(folder: Path, *arguments: str, state: str = ".state") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *arguments],
        cwd=folder,
        env=clean_environment({"TILLID_STATE": state}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
        start_new_session=True,
    )
    return done.returncode, done.stdout


def test_the_template_can_be_checked_as_it_is_printed(folder: Path) -> None:
    printed = tillid("ceremony", "template", directory=folder)
    assert printed.stdout == template_text()
    checked = tillid("ceremony", "check", "script.toml", "--json", directory=folder)
    assert checked.returncode == 0
    assert len(json.loads(checked.stdout)["result"]["steps"]) == 10


def test_every_fault_of_a_script_is_listed_and_nothing_is_made(folder: Path) -> None:
    text = template_text().replace("threshold = 2", "threshold = 9\ncolour = 1", 1)
    (folder / "script.toml").write_text(text, encoding="utf-8")
    done = tillid("ceremony", "check", "script.toml", directory=folder)
    assert done.returncode == 2
    line = text[: text.index("colour")].count("\n") + 1
    assert f"line {line}: step.2.colour is not a key here" in done.stderr
    assert not (folder / ".state").exists()


def test_a_binding_that_does_not_fit_is_refused_before_anything_is_made(folder: Path) -> None:
    (folder / "binding.toml").write_text(BINDING.replace("issuing]", "other]"), encoding="utf-8")
    arguments = ("script.toml", "--binding", "binding.toml")
    for verb in ("check", "run"):
        code, said = without_terminal(folder, "ceremony", verb, *arguments)
        assert code == 2
        assert "token.issuing is of the script and not bound" in said
    assert not (folder / ".state").exists()


def test_people_are_not_asked_where_there_is_no_terminal(folder: Path) -> None:
    arguments = ("ceremony", "run", "script.toml", "--binding", "binding.toml")
    code, said = without_terminal(folder, *arguments)
    assert code == 2
    assert "no terminal is attached" in said
    assert "--unattended" in said


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("script.toml",),
        ("--binding", "binding.toml"),
        ("script.toml", "--binding", "binding.toml", "--organisation", "x"),
    ],
)
def test_run_takes_a_script_with_its_binding_or_an_organisation(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    code, said = without_terminal(folder, "ceremony", "run", *arguments)
    assert code == 2
    assert "Give SCRIPT and --binding, or --organisation alone." in said


def test_a_rehearsal_says_so_everywhere_and_leaves_only_its_papers(folder: Path) -> None:
    done = tillid("ceremony", "rehearse", "script.toml", "--unattended", "--json", directory=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["rehearsal"] is True
    papers = folder / "rehearsal"
    assert sorted(path.name for path in papers.iterdir()) == [
        "transcript.json",
        "transcript.pdf",
        "transcript.txt",
    ]
    transcript = json.loads((papers / "transcript.json").read_bytes())["transcript"]
    assert transcript["rehearsal"] is True
    text = (papers / "transcript.txt").read_text(encoding="utf-8")
    assert text.startswith("*** REHEARSAL")
    assert b"REHEARSAL" in (papers / "transcript.pdf").read_bytes()
    assert not (folder / ".state").exists()
    shown = tillid("ceremony", "show", "rehearsal/transcript.json", directory=folder)
    assert shown.stdout == text
    verified = tillid("ceremony", "verify", "rehearsal/transcript.json", directory=folder)
    assert verified.returncode == 0
    assert "Nothing speaks against it." in verified.stdout
    octets = (papers / "transcript.json").read_bytes()
    (papers / "transcript.json").write_bytes(octets.replace(b"Stand-in 3", b"Stand-in 9"))
    changed = tillid("ceremony", "verify", "rehearsal/transcript.json", directory=folder)
    assert changed.returncode == 9
    assert "It is NOT what it claims to be." in changed.stdout


def test_a_file_that_is_no_transcript_is_refused(folder: Path) -> None:
    done = tillid("ceremony", "verify", "script.toml", directory=folder)
    assert done.returncode == 2
    assert "cannot be read" in done.stderr


def test_without_a_script_issuers_are_seen_before_they_issue(folder: Path) -> None:
    environment = {"TILLID_STATE": str(folder / "state")}
    assert tillid("db", "migrate", directory=folder, environment=environment).returncode == 0
    run = ("ceremony", "run", "--organisation", "Test A/S", "--json")
    done = tillid(*run, directory=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    steps = [(each["issuer"], each["done"]) for each in json.loads(done.stdout)["result"]["steps"]]
    assert steps[-2:] == [("issuing", "CRL issued"), ("issuing", "OCSP signer certified")]
    assert seen(folder, environment) == (["root", "issuing"], ["issuing"])
    again = tillid(*run, directory=folder, environment=environment)
    done_again = [each["done"] for each in json.loads(again.stdout)["result"]["steps"]]
    assert done_again == ["certificate was there"] * 2


def test_a_ceremony_at_a_terminal_survives_a_kill_and_keeps_its_secrets(folder: Path) -> None:
    state = folder / "state"
    environment = {"TILLID_STATE": str(state)}
    assert tillid("db", "migrate", directory=folder, environment=environment).returncode == 0
    run = ("ceremony", "run", "script.toml", "--binding", "binding.toml", "--json")
    people = Custodians()
    killed = at_terminal(
        *run, directory=folder, environment=environment, people=people, kill_at="Step 6 of 10"
    )
    assert killed.code != 0
    assert len(people.shares) == 3
    ended = at_terminal(*run, directory=folder, environment=environment, people=people)
    assert ended.code == 0, ended.output
    assert people.given == 2
    result = json.loads(ended.output)["result"]
    assert result["steps"] == 10
    pin = join_pin(people.shares[:2])
    secrets = [pin, officer_pin(pin, "tillid-root"), *people.shares]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [p for p in files if any(each.encode() in p.read_bytes() for each in secrets)] == []
    # What a custodian saw is wiped before the terminal's own screen comes back.
    for share in people.shares:
        after = killed.screen[killed.screen.index(share.split()[0]) :]
        assert "\x1b[H\x1b[2J\x1b[3J" in after[: after.index("\x1b[?1049l")]
    verified = tillid(
        "ceremony",
        "verify",
        result["files"][0],
        "--in-log",
        directory=folder,
        environment=environment,
    )
    assert verified.returncode == 0, verified.stdout
    assert verified.stdout.count("\nopen\t") == 1
    assert seen(folder, environment) == (["root", "issuing"], ["issuing"])


def test_custodians_open_their_token_and_a_slip_is_told_and_asked_again(folder: Path) -> None:
    environment = {"TILLID_STATE": str(folder / "state")}
    assert tillid("db", "migrate", directory=folder, environment=environment).returncode == 0
    text = template_text()
    without_crl = text[: text.index('[[step]]\ndo = "crl"')] + '[[step]]\ndo = "closing"\n'
    (folder / "script.toml").write_text(without_crl, encoding="utf-8")
    people = Custodians()
    run = ("ceremony", "run", "script.toml", "--binding", "binding.toml")
    assert at_terminal(*run, directory=folder, environment=environment, people=people).code == 0
    first, second, _ = people.shares
    typed = iter([f"{first} extra", first, first, "ab " * 20, second.upper()])
    people.answers[r"their first four letters do\."] = lambda _: next(typed)
    ended = at_terminal(
        "ceremony", "unlock", directory=folder, environment=environment, people=people
    )
    assert ended.code == 0, ended.output
    assert "tillid-root opens: root-ca." in ended.output
    for complaint in ("these are 21", "was given already", "word 1 is not a word"):
        assert complaint in ended.screen
    code, said = without_terminal(folder, "crl", "issue", "--online", state="state")
    assert code == 8
    assert "Custodians hold the PIN of token tillid-root." in said
    people.answers.clear()
    issue = ("crl", "issue", "--online")
    issued = at_terminal(*issue, directory=folder, environment=environment, people=people)
    assert issued.code == 0, issued.output
    code, said = without_terminal(folder, "ceremony", "unlock", state="state")
    assert code == 2
    assert "no terminal is attached" in said


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_share_on_the_screen_is_wiped_when_the_program_is_told_to_end(
    folder: Path, by: signal.Signals
) -> None:
    environment = {"TILLID_STATE": str(folder / "state")}
    ended = at_terminal(
        "ceremony",
        "rehearse",
        "script.toml",
        directory=folder,
        environment=environment,
        people=Custodians(),
        kill_at="Write the words down",
        by=by,
    )
    assert ended.code == 130
    assert "\x1b[H\x1b[2J\x1b[3J\x1b[?1049l" in ended.screen
    assert "a rehearsal begins anew" in ended.screen
