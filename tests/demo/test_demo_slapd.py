import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from demo.errors import ProgramMissing, ServerFailed
from demo.processes import free_port
from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory
from tests.support.directory_certificates import Published, an_entry


def test_entries_and_password_outlive_a_stop_and_a_new_start(own_slapd: PrivateSlapd) -> None:
    certificate = Published()
    with Directory(own_slapd.settings()) as directory:
        entry_uuid = directory.add_certificate(an_entry(), certificate.der)
    own_slapd.stop()
    assert not own_slapd.is_running()
    own_slapd.start()
    with Directory(own_slapd.settings()) as directory:
        assert directory.find_certificate(certificate.issuer, certificate.serial) == (entry_uuid,)


def test_starting_and_stopping_twice_changes_nothing(own_slapd: PrivateSlapd) -> None:
    pid = own_slapd.pid
    own_slapd.start()
    assert own_slapd.pid == pid
    own_slapd.stop()
    own_slapd.stop()
    assert own_slapd.pid is None


def test_it_listens_on_the_loopback_alone(own_slapd: PrivateSlapd) -> None:
    inodes = {
        link.readlink().name.removeprefix("socket:[").rstrip("]")
        for link in Path(f"/proc/{own_slapd.pid}/fd").iterdir()
        if str(link.readlink()).startswith("socket:")
    }
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{own_slapd.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.append(fields[1])
    port = int(own_slapd.url.rpartition(":")[2])
    assert listening == [f"0100007F:{port:04X}"]


def test_the_password_is_in_one_private_file_and_not_in_argv(own_slapd: PrivateSlapd) -> None:
    password = own_slapd.password_file.read_text()
    assert stat.S_IMODE(own_slapd.password_file.stat().st_mode) == 0o600
    assert password not in Path(f"/proc/{own_slapd.pid}/cmdline").read_text()
    folder = own_slapd.password_file.parent
    holders = [
        file
        for file in folder.rglob("*")
        if file.is_file() and password.encode() in file.read_bytes()
    ]
    assert holders == [own_slapd.password_file]


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, threading; from pathlib import Path; from demo.slapd import PrivateSlapd\n"
        "server = PrivateSlapd(Path(sys.argv[1]), int(sys.argv[2]))\n"
        "server.start(); print(server.pid, flush=True); threading.Event().wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path), str(free_port())],
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while _is_alive(pid) and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert not _is_alive(pid)


def test_a_port_that_is_taken_is_a_failure_that_names_the_log(
    own_slapd: PrivateSlapd, tmp_path: Path
) -> None:
    second = PrivateSlapd(tmp_path / "second", int(own_slapd.url.rpartition(":")[2]))
    with pytest.raises(ServerFailed, match=r"^slapd did not start: read .*slapd\.log\.$"):
        second.start()
    assert not second.is_running()
    assert own_slapd.is_running()


def test_a_missing_slapd_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.slapd.shutil.which", lambda _name, path: None)  # noqa: ARG005
    with pytest.raises(ProgramMissing, match=r"^slapd is not installed: install it with `apt inst"):
        PrivateSlapd(tmp_path, free_port()).start()


@pytest.mark.parametrize("suffix", ["", "o=tillid", 'dc=x"\nrootpw x', "dc=Tillid"])
def test_a_suffix_is_made_of_domain_components(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ValueError):
        PrivateSlapd(tmp_path, free_port(), suffix)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text()
