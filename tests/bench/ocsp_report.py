"""What `./dev bench ocsp` found, as the tables of docs/performance.md."""

import os
import platform
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.bench.wrk import Load


@dataclass
class Way:
    """One way to be answered: its measure gives a run of wrk and the server's CPU seconds."""

    name: str
    measure: Callable[[], tuple[Load, float]]
    of_nginx: float | None = None
    """The share of nginx's rate that it is to reach."""
    of_peer: float | None = None
    """How many times as fast as django-ca it is to be."""
    taken: list[tuple[Load, float]] = field(default_factory=list)

    def rate(self) -> float:
        return statistics.median(load.rate for load, _ in self.taken)

    def cpu(self) -> float:
        return statistics.median(cpu for _, cpu in self.taken)

    def p99(self) -> float:
        return statistics.median(load.p99 for load, _ in self.taken)


@dataclass(frozen=True)
class Made:
    """Responses made ahead, and the CPU and wall seconds that they took."""

    count: int
    cpu: float
    wall: float
    ours: float
    """CPU seconds of one with a key in memory, without its row."""
    theirs: float
    """The same by the builder of cryptography."""


@dataclass(frozen=True)
class Run:
    """What one run found."""

    floor: Way
    paths: list[Way]
    peer: Way | None
    made: Made
    alone: float
    """CPU seconds of one answer with a nonce and a key in memory, in one thread without HTTP."""
    certificates: int
    questions: int


def render(run: Run) -> str:
    """The tables in Markdown: each share with what it is to be."""
    rounds, cores = len(run.floor.taken), f"{os.cpu_count()} cores of {platform.machine()}"
    made = run.made
    return f"""{cores}, medians of {rounds} rounds in one run; only ratios mean anything.
{run.certificates:,} certificates, {run.questions:,} different questions, two worker processes; the
load comes from the same cores.

{_table(run)}

{_limits(run)}

Made ahead by the token, two for each certificate, with their rows:
{made.count / made.wall:,.0f} a second, {made.cpu / made.count * 1e6:,.0f} µs of CPU each. With a
key in memory and without rows one takes {made.ours * 1e6:,.0f} µs of CPU, by cryptography's builder
{made.theirs * 1e6:,.0f}: {made.theirs / made.ours:.1f} times as much."""


def _limits(run: Run) -> str:
    """Of what is short with a key in memory: what its time goes to."""
    held, signed = run.paths[1], run.paths[3]
    if signed.of_nginx is None or signed.rate() / run.floor.rate() >= signed.of_nginx:
        return "Nothing that is signed on demand is short."
    rest = signed.cpu() - held.cpu() - run.alone
    return (
        f"Short: {signed.name}: {signed.cpu() * 1e6:,.0f} µs of CPU. {run.alone * 1e6:,.0f} of them"
        " are what one thread without HTTP needs to know the request, to sign what is said, and"
        f" to let the gate read it again; {held.cpu() * 1e6:,.0f} are HTTP, as for an answer from"
        f" memory; the other {rest * 1e6:,.0f} are threads that wait for one interpreter and find"
        " cold caches. The token adds its own signature to that."
    )


def _table(run: Run) -> str:
    return "\n".join(_paths(run))


def _paths(run: Run) -> Iterator[str]:
    yield "| what | a second | CPU µs | p99 ms | of nginx | to reach | of django-ca | to reach |"
    yield "|---|---|---|---|---|---|---|---|"
    for way in (run.floor, *run.paths, *([run.peer] if run.peer else [])):
        share = way.rate() / run.floor.rate()
        times = way.rate() / run.peer.rate() if run.peer else None
        beside = ("", "") if times is None else (f"{times:.1f}", _target(times, way.of_peer))
        yield (
            f"| {way.name} | {way.rate():,.0f} | {way.cpu() * 1e6:,.0f} |"
            f" {way.p99() * 1e3:.1f} | {share:.2f} | {_target(share, way.of_nginx)} |"
            f" {beside[0]} | {beside[1]} |"
        )


def _target(found: float, wanted: float | None) -> str:
    if wanted is None:
        return ""
    return f"{wanted:g}: reached" if found >= wanted else f"**{wanted:g}: short**"
