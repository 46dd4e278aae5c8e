"""`tillid static-files`: a folder for a web server, and its configuration."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.assembly import Assembly
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.command_line import ROOT, clean_environment
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.service import until
from tests.support.softhsm import SoftHsm


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path / "state") as found:
        run_job("renew-crls", found, Metrics.of_process())
        yield found


@pytest.fixture
def tillid(
    parts: Assembly,
    softhsm: SoftHsm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    return Operator(environment_of(softhsm, parts.settings.state), capsys, monkeypatch)


def test_a_folder_is_written_once_and_a_second_run_finds_nothing_to_do(
    tillid: Operator, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    assert tillid("static-files", "publish", folder).result == {"files": 7}
    assert tillid("static-files", "publish", folder).result == {"files": 0}
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "unauthorized.ocsp",
        *(f"crl/{name}.crl" for name in ("root", "issuing")),
        *(f"ca/{name}.{form}" for name in ("root", "issuing") for form in ("cer", "p7c")),
    }


def test_whoever_follows_outlives_a_folder_that_cannot_be_written(
    parts: Assembly, softhsm: SoftHsm, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    crl = folder / "crl" / "issuing.crl"
    command = [sys.executable, "-c", "import cli; cli.main()", "static-files", "publish", folder]
    with subprocess.Popen(
        [*command, "--follow"],
        env=clean_environment(environment_of(softhsm, parts.settings.state)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stderr is not None
        until("all is there", lambda: sum(path.is_file() for path in folder.glob("*/[!.]*")) == 6)
        crl.parent.rename(tmp_path / "aside")
        crl.parent.write_text("no folder")
        assert str(folder) in following.stderr.readline()
        crl.parent.unlink()
        assert "there again" in following.stderr.readline()
        assert crl.exists()
        following.terminate()
        assert following.wait(10) == 0


def test_the_configuration_names_folder_address_and_origin(
    tillid: Operator, tmp_path: Path
) -> None:
    asked = ("static-files", "nginx", tmp_path / "files")
    alone = tillid(*asked).result["configuration"]
    assert f"root {tmp_path}/files;" in alone
    assert "proxy_pass" not in alone
    with_node = tillid(*asked, "--listen", "80", "--origin", "http://10.0.0.5:8080").result
    assert "listen 80;" in with_node["configuration"]
    assert "proxy_pass http://10.0.0.5:8080;" in with_node["configuration"]


@pytest.mark.parametrize("listen", ["80; root /etc", "80 {", "80\nroot /etc"])
def test_a_word_that_nginx_would_read_otherwise_is_malformed_input(
    tillid: Operator, tmp_path: Path, listen: str
) -> None:
    refused = tillid("static-files", "nginx", tmp_path / "files", "--listen", listen)
    assert refused.code == 2
    assert "listen address" in refused.problem["detail"]
