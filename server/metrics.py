"""Prometheus metrics, shared by all processes of one installation.

prometheus_client decides at its import whether values are shared. `share_under` lets it decide
again, so it has to be called before the metrics of a process are made.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


def share_under(folder: Path, *, fresh: bool = False) -> None:
    """Share the values of all processes in this folder; `fresh` forgets those of earlier runs."""
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[DIRECTORY] = str(folder)
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Metrics:
    """What is counted. Labels are routes, jobs and issuers, never people."""

    requests: Counter
    jobs: Counter
    revocation_visible: Histogram
    status_unseen: Gauge
    alarms: Gauge
    crl_next_update: Gauge
    publications: Gauge
    directory_drift: Gauge
    audit_events: Gauge
    token_healthy: Gauge
    standby_in_use: Gauge
    ocsp_responses_due: Gauge
    ocsp_answers: Counter

    @classmethod
    def of_process(cls) -> "Metrics":
        """The metrics of this process; made once."""
        registry = CollectorRegistry()
        return cls(
            Counter(
                "tillid_requests_total",
                "Requests answered.",
                ["listener", "route", "status"],
                registry=registry,
            ),
            Counter("tillid_jobs_total", "Runs of jobs.", ["job", "outcome"], registry=registry),
            Histogram(
                "tillid_revocation_visible_seconds",
                "Seconds from the decision of a change of status until it was seen from outside.",
                ["channel"],
                buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
                registry=registry,
            ),
            Gauge(
                "tillid_status_unseen_seconds",
                "Seconds since the oldest change of status that is not seen yet was decided.",
                ["channel"],
                registry=registry,
                multiprocess_mode="mostrecent",
            ),
            Gauge(
                "tillid_alarms",
                "Alarms that are on, by name.",
                ["alarm"],
                registry=registry,
                multiprocess_mode="mostrecent",
            ),
            Gauge(
                "tillid_crl_next_update_timestamp_seconds",
                "nextUpdate of the served CRL.",
                ["issuer"],
                registry=registry,
                multiprocess_mode="mostrecent",
            ),
            Gauge(
                "tillid_publications",
                "Directory publications by state.",
                ["state"],
                registry=registry,
                multiprocess_mode="mostrecent",
            ),
            Gauge(
                "tillid_directory_drift",
                "What a directory showed otherwise than it should, when it was compared last.",
                ["directory", "kind"],
                registry=registry,
                multiprocess_mode="mostrecent",
            ),
            Gauge(
                "tillid_audit_events",
                "Events in the audit log.",
                registry=registry,
                multiprocess_mode="mostrecent",
            ),
            Gauge(
                "tillid_token_healthy",
                "Whether the token signs: 1 or 0.",
                ["token"],
                registry=registry,
                multiprocess_mode="mostrecent",
            ),
            Gauge(
                "tillid_token_standby_in_use",
                "Whether any process signs with the standby of this token: 1 or 0.",
                ["token"],
                registry=registry,
                multiprocess_mode="livemax",
            ),
            Gauge(
                "tillid_ocsp_responses_due",
                "Certificates whose OCSP responses wait to be made.",
                registry=registry,
                multiprocess_mode="mostrecent",
            ),
            Counter(
                "tillid_ocsp_answers_total",
                "OCSP answers by how they came about.",
                ["answer"],
                registry=registry,
            ),
        )


def exposition() -> bytes:
    """The values of all processes in the Prometheus text format; livemax asks the living alone."""
    _forget_dead(Path(os.environ[DIRECTORY]))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_dead(folder: Path) -> None:
    """A worker that was killed cannot take back what it had set."""
    for path in folder.glob("gauge_live*_*.db"):
        process = path.stem.rpartition("_")[2]
        if not Path("/proc", process).exists():
            with suppress(FileNotFoundError):  # two may be asked at once
                multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]
