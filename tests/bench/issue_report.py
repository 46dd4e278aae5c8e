"""What `./dev bench issue` found, as the tables of docs/performance.md."""

import os
import platform
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

REQUEST = "request: parse, proof of possession, key checks"
SIGNATURE = "token signature"
SELF_CHECK = "self-check"


@dataclass
class Way:
    """One way to issue: its measure gives CPU and wall seconds of one certificate."""

    name: str
    measure: Callable[[], tuple[float, float]]
    of_sign: float | None = None
    """The share of the C loop's rate that it is to reach."""
    of_peer: float | None = None
    """How many times as fast as django-ca one by one it is to be."""
    taken: list[tuple[float, float]] = field(default_factory=list)

    def wall(self) -> float:
        return statistics.median(wall for _, wall in self.taken)

    def cpu(self) -> float:
        return statistics.median(cpu for cpu, _ in self.taken)


@dataclass(frozen=True)
class Run:
    """What one run found."""

    floor: Way
    sync: Way
    paths: list[Way]
    peer: Way | None
    hsm: list[tuple[str, float, float, float]]
    steps: list[tuple[str, float]]
    verification: float
    """CPU seconds of one P-256 verification."""
    growth: list[tuple[int, Way]] = field(default_factory=list)


def render(run: Run) -> str:
    """The tables in Markdown: each share with what it is to be, and what limits it if short."""
    rounds, cores = len(run.floor.taken), f"{os.cpu_count()} cores of {platform.machine()}"
    return "\n".join(
        (
            f"{cores}, medians of {rounds} rounds in one run; only ratios mean anything.",
            "",
            *_paths(run),
            "",
            *_limits(run),
            "",
            *_hsm(run),
            "",
            *_steps(run),
            "",
            *_growth(run),
        )
    )


def _paths(run: Run) -> Iterator[str]:
    sign = run.floor.wall()
    yield "| what | a second | µs | of it CPU | of C_Sign | to reach | of django-ca | to reach |"
    yield "|---|---|---|---|---|---|---|---|"
    for way in (run.floor, run.sync, *run.paths):
        peer = f"{run.peer.wall() / way.wall():.1f}" if run.peer else ""
        of_sign = _target(sign / way.wall(), way.of_sign)
        of_peer = _target(run.peer.wall() / way.wall(), way.of_peer) if run.peer else ""
        yield (
            f"| {way.name} | {1 / way.wall():,.0f} | {way.wall() * 1e6:,.0f} |"
            f" {way.cpu() * 1e6:,.0f} | {sign / way.wall():.3f} | {of_sign} | {peer} | {of_peer} |"
        )


def _target(found: float, wanted: float | None) -> str:
    if wanted is None:
        return ""
    return f"{wanted:g}: reached" if found >= wanted else f"**{wanted:g}: short**"


def _limits(run: Run) -> Iterator[str]:
    """Where a path is short: what its time goes to, and what no order of work could do better."""
    sign, sync = run.floor.wall(), run.sync.wall()
    yield (
        "A certificate one by one waits for two synced commits, its intent and itself: on this disk"
        f" {2 * sync * 1e6:,.0f} µs of nothing else, so that no order of work could do better than"
        f" {sign / (2 * sync):.3f} of C_Sign here. Each also needs two verifications, of the"
        " request and of itself, beside its signature:"
        f" {(2 * run.verification + run.floor.cpu()) * 1e6:,.0f} µs of CPU, so that"
        f" {run.floor.cpu() / (2 * run.verification + run.floor.cpu()):.3f} of C_Sign is the most"
        " that one process could reach with no program around them."
    )
    spent = ", ".join(f"{name} {seconds * 1e6:,.0f}" for name, seconds in _dearest(run))
    for way in run.paths:
        if way.of_sign is not None and sign / way.wall() < way.of_sign:
            waits = max(0.0, way.wall() - way.cpu())
            yield ""
            yield (
                f"Short: {way.name}: {way.cpu() * 1e6:,.0f} µs of CPU in our processes and"
                f" {waits * 1e6:,.0f} µs of waiting for the disk, the database and whoever else"
                f" runs here. Our CPU alone would allow {run.floor.cpu() / way.cpu():.3f}; in a"
                f" batch it goes, in µs, to {spent}."
            )


def _dearest(run: Run) -> list[tuple[str, float]]:
    return sorted(run.steps, key=lambda step: step[1], reverse=True)[:4]


def _hsm(run: Run) -> Iterator[str]:
    yield "| signature through hsm/ | µs of CPU | C loop | share | to reach |"
    yield "|---|---|---|---|---|"
    for name, ours, floor, wanted in run.hsm:
        share = floor / ours
        yield (
            f"| {name} | {ours * 1e6:,.0f} | {floor * 1e6:,.0f} | {share:.2f} |"
            f" {_target(share, wanted)} |"
        )
    for name, ours, floor, wanted in run.hsm:
        if floor / ours < wanted:
            yield ""
            yield (
                f"Short: {name}: the {(ours - floor) * 1e6:,.0f} µs beside C_Sign are the session"
                " and its key, the digest, the form of the signature, and a binding that asks"
                " C_Sign twice, first for the length."
            )


def _steps(run: Run) -> Iterator[str]:
    whole = sum(seconds for _, seconds in run.steps)
    yield "Where the CPU time of one certificate in a batch goes:"
    yield ""
    yield "| step | µs | share |"
    yield "|---|---|---|"
    for name, seconds in run.steps:
        yield f"| {name} | {seconds * 1e6:,.0f} | {seconds / whole:.0%} |"


def _growth(run: Run) -> Iterator[str]:
    if not run.growth:
        return
    yield "| certificates stored before | µs of CPU of one more, in batches | beside the first |"
    yield "|---|---|---|"
    for size, way in run.growth:
        first = run.growth[0][1].cpu()
        yield f"| {size:,} | {way.cpu() * 1e6:,.0f} | {way.cpu() / first:.2f} |"
