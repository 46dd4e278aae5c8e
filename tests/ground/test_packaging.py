"""What is packaged, locked and promised by the task runner."""

import ast
import re
import shutil
import stat
import subprocess
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-dev.lock")
VERBS = ("demo", "test", "cover", "check", "bench", "soak", "lock", "clean", "help")


def top_level_names() -> set[str]:
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    return {Path(name).stem for name in included}


def run_dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "dev"), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = WheelBuilder(str(ROOT))
    directory = str(tmp_path_factory.mktemp("wheel"))
    return Path(next(builder.build(directory=directory, versions=["standard"])))


def test_the_wheel_brings_our_top_level_names_and_no_others(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {Path(name).parts[0] for name in archive.namelist()}
    metadata = {top for top in tops if top.endswith(".dist-info")}
    assert len(metadata) == 1
    assert {Path(top).stem for top in tops - metadata} == top_level_names()


def test_the_wheel_says_that_its_packages_are_typed(wheel: Path) -> None:
    packages = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    with zipfile.ZipFile(wheel) as archive:
        assert {f"{package}/py.typed" for package in packages} <= set(archive.namelist())


def test_no_installed_distribution_shares_a_top_level_name_with_us() -> None:
    owners = packages_distributions()
    shared = {name: owners[name] for name in top_level_names() if name in owners}
    assert {name: set(found) - {"tillid"} for name, found in shared.items()} == {
        name: set() for name in shared
    }


def test_every_tool_knows_the_same_packages() -> None:
    tool = PYPROJECT["tool"]
    ours = top_level_names()
    assert {*tool["importlinter"]["root_packages"], "cli"} == ours
    assert {*tool["mypy"]["packages"], *tool["mypy"]["modules"]} == ours
    assert set(tool["coverage"]["run"]["source"]) == ours


def test_the_layers_name_every_package_once() -> None:
    (layers,) = (
        contract["layers"]
        for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    layered = [name.strip() for layer in layers for name in layer.split("|")]
    assert sorted([*layered, "cli"]) == sorted(top_level_names())


@pytest.mark.parametrize("library", ["sqlalchemy", "flask", "ldap3", "pkcs11", "shamir_mnemonic"])
def test_each_outside_door_has_one_package_that_may_open_it(library: str) -> None:
    (sources,) = (
        set(contract["source_modules"])
        for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
        if library in contract.get("forbidden_modules", ())
    )
    assert len(top_level_names() - sources - {"cli"}) == 1


def test_the_command_line_opens_no_outside_door() -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    doors = {name for contract in contracts for name in contract.get("forbidden_modules", ())}
    nodes = list(ast.walk(ast.parse((ROOT / "cli.py").read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert doors
    assert not doors & {name.split(".")[0] for name in names}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_carries_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|^\s*-[a-z-]|^--|@ ", text.replace("    --hash", ""), re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_requirement_is_exact_and_hashed(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert requirements
    for requirement in requirements:
        assert re.fullmatch(r"[\w.-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+", requirement)


def test_what_runs_is_locked_alike_for_running_and_for_testing() -> None:
    run, dev = (pinned(lock) for lock in LOCKS)
    assert run.items() < dev.items()


def test_every_declared_dependency_is_locked() -> None:
    project = PYPROJECT["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["editable"]]
    names = {re.split(r"[\[<>=~! ]", requirement)[0] for requirement in declared}
    assert names <= pinned(LOCKS[0]).keys()


@pytest.mark.parametrize("script", ["dev", ".ci/run", "tests/bare/prove"])
def test_a_script_is_executable(script: str) -> None:
    assert (ROOT / script).stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("shell", [name for name in ("sh", "dash") if shutil.which(name)])
@pytest.mark.parametrize("script", ["dev", "tests/bare/prove"])
def test_a_plain_shell_can_read_the_script(shell: str, script: str) -> None:
    done = subprocess.run(
        [shell, "-n", str(ROOT / script)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_acceptance_run_is_the_documented_test_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    assert lines[-1].endswith("exec ./dev test")


def test_help_lists_every_verb() -> None:
    done = run_dev("help")
    assert done.returncode == 0
    assert tuple(re.findall(r"^  (\w+) ", done.stdout, re.MULTILINE)) == VERBS


def test_every_listed_verb_is_dispatched() -> None:
    cases = re.findall(r"^([\w |-]+)\)", (ROOT / "dev").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(VERBS) <= {verb for case in cases for verb in case.split(" | ")}


def test_an_unknown_verb_is_one_sentence_and_exit_code_two() -> None:
    done = run_dev("certify")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "dev: There is no verb certify: ./dev help lists them.\n"


def test_the_task_runner_works_from_any_directory(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "dev"), "help"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0


def copied_dev(tmp_path: Path) -> Path:
    checkout = tmp_path / "a checkout"
    checkout.mkdir()
    shutil.copy2(ROOT / "dev", checkout / "dev")
    return checkout


def run_clean(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(checkout / "dev"), "clean", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": str(checkout.parent)},
    )


def test_clean_removes_what_was_made_and_nothing_else(tmp_path: Path) -> None:
    checkout = copied_dev(tmp_path)
    for made in (".state/logs", ".venv/bin", ".mypy_cache", "ca/__pycache__"):
        (checkout / made).mkdir(parents=True)
    (checkout / ".state/logs/pip.log").touch()
    (checkout / "ca/authority.py").touch()
    assert run_clean(checkout, "--yes").returncode == 0
    assert {path.name for path in checkout.rglob("*")} == {"dev", "ca", "authority.py"}


def test_clean_asks_before_it_removes(tmp_path: Path) -> None:
    checkout = copied_dev(tmp_path)
    (checkout / ".venv").mkdir()
    done = run_clean(checkout)
    assert done.returncode == 2
    assert done.stderr == "dev: Nothing is removed without a yes: run ./dev clean --yes.\n"
    assert (checkout / ".venv").exists()


def test_clean_refuses_while_a_service_runs_from_the_state_directory(tmp_path: Path) -> None:
    checkout = copied_dev(tmp_path)
    state = checkout / ".state"
    (state / "logs").mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as service:
        (state / "serve.pid").write_text(f"{service.pid}\n", encoding="utf-8")
        done = run_clean(checkout, "--yes")
        service.terminate()
    assert done.returncode == 7
    assert f"kill {service.pid}" in done.stderr
    assert state.exists()


def test_clean_leaves_a_state_directory_that_holds_something_else(tmp_path: Path) -> None:
    checkout = copied_dev(tmp_path)
    (checkout / ".state").mkdir()
    (checkout / ".state/novel.txt").touch()
    assert run_clean(checkout, "--yes").returncode == 0
    assert (checkout / ".state/novel.txt").exists()
