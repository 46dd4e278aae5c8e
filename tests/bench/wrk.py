"""wrk, and what the servers spend meanwhile: requests a second, p99, CPU of a request."""

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
_TICKS = os.sysconf("SC_CLK_TCK")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_SCRIPT = """local requests = {{}}
for line in io.lines("{folder}/{name}.lengths") do requests[#requests + 1] = tonumber(line) end
local file = io.open("{folder}/{name}.requests", "rb")
for number, length in ipairs(requests) do requests[number] = file:read(length) end
file:close()
local at = 0
request = function()
  at = at % #requests + 1
  return requests[at]
end
{delay}
done = function(summary)
  local of = summary.errors
  print("errors " .. of.connect .. " " .. of.read .. " " .. of.write .. " " .. of.status)
end
"""


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw."""

    rate: float
    """Requests a second."""
    p99: float
    """Seconds."""
    requests: int
    refused: int
    """Answers with a status of 400 or above."""
    broken: int
    """Connections, reads and writes that failed."""


def get_request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post_request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/ocsp-request\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def write_script(folder: Path, name: str, requests: Sequence[bytes], delay: int = 0) -> Path:
    """A script that sends these in turn; each connection rests `delay` milliseconds between two."""
    (folder / f"{name}.requests").write_bytes(b"".join(requests))
    (folder / f"{name}.lengths").write_text("".join(f"{len(each)}\n" for each in requests))
    rest = f"delay = function() return {delay} end" if delay else ""
    script = folder / f"{name}.lua"
    script.write_text(_SCRIPT.format(folder=folder, name=name, delay=rest))
    return script


def run_wrk(port: int, script: Path, seconds: int, connections: int = CONNECTIONS) -> Load:
    """Load a server on the loopback interface with one thread that keeps connections alive."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True
    )
    return read_output(done.stdout)


def read_output(text: str) -> Load:
    errors = _found(r"errors (\d+) (\d+) (\d+) (\d+)", text)
    latency = _found(r"99%\s+([\d.]+)(us|ms|s|m)", text)
    return Load(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", text)[0]),
        p99=float(latency[0]) * _UNITS[latency[1]],
        requests=int(_found(r"(\d+) requests in", text)[0]),
        refused=int(errors[3]),
        broken=sum(map(int, errors[:3])),
    )


def _found(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"bench: wrk said something else:\n{text}")
    return found.groups()


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it ended meanwhile
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """What the processes have spent so far, in user and system."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS
