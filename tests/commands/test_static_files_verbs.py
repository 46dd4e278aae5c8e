"""`tillid static-files`: a folder for a web server, and its configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.assembly import Assembly
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
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
