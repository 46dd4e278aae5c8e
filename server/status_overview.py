"""The overview that `tillid status` shows: one row for each issuer, latencies, alarms."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ca.issuers import IssuerRecord
from records.visibility import Channel, Latencies
from server.alarms import Alarm, length_of_time
from server.assembly import Assembly
from server.observations import alarms_now
from server.watch import open_changes


@dataclass(frozen=True, slots=True)
class IssuerStatus:
    """What is served for one issuer."""

    name: str
    state: str
    crl_number: int | None
    crl_age: timedelta | None
    crl_next_update: datetime | None
    answers_age: timedelta | None
    """Age of the oldest OCSP answer made ahead."""
    answers_due: int
    """Certificates whose answers wait to be made."""
    unseen: Mapping[Channel, int]
    """Changes of status that a channel does not show yet."""

    def cells(self) -> tuple[str, ...]:
        """The row for people."""
        waiting = [f"{number} in {channel}" for channel, number in self.unseen.items()]
        answers = "-" if self.answers_age is None else f"{length_of_time(self.answers_age)} old"
        due = f", {self.answers_due} due" if self.answers_due else ""
        return (
            self.name,
            self.state,
            "-" if self.crl_number is None else str(self.crl_number),
            "-" if self.crl_age is None else length_of_time(self.crl_age),
            "-" if self.crl_next_update is None else f"{self.crl_next_update:%F %T}",
            answers + due,
            ", ".join(waiting) or "-",
        )

    def facts(self) -> dict[str, object]:
        """The row for programs; ages in seconds."""
        return {
            "issuer": self.name,
            "state": self.state,
            "crl_number": self.crl_number,
            "crl_age": _seconds(self.crl_age),
            "crl_next_update": self.crl_next_update and self.crl_next_update.isoformat(),
            "ocsp_answers_age": _seconds(self.answers_age),
            "ocsp_answers_due": self.answers_due,
            "unseen": {channel.value: number for channel, number in self.unseen.items()},
        }


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it."""

    issuers: tuple[IssuerStatus, ...]
    latencies: Mapping[Channel, Latencies | None]
    alarms: tuple[Alarm, ...]

    def facts(self) -> dict[str, object]:
        """For programs; times as ISO 8601, lengths in seconds."""
        return {
            "alarms": [
                {
                    "name": alarm.name.value,
                    "subject": alarm.subject,
                    "since": alarm.since.isoformat(),
                    "sentence": alarm.sentence,
                    "way_out": alarm.way_out,
                }
                for alarm in self.alarms
            ],
            "visible_seconds": {
                channel.value: taken
                and {
                    "changes": taken.changes,
                    "p50": _seconds(taken.median),
                    "p99": _seconds(taken.p99),
                    "worst": _seconds(taken.worst),
                }
                for channel, taken in self.latencies.items()
            },
            "issuers": [issuer.facts() for issuer in self.issuers],
        }


def overview(parts: Assembly, now: datetime, back: timedelta) -> Overview:
    """Look at everything once; latencies are those of what was seen since `now - back`."""
    unseen: dict[str, dict[Channel, int]] = {}
    for record, channel, changes in open_changes(parts):
        unseen.setdefault(record.name, {})[channel] = changes.last - changes.first + 1
    issuers = parts.issuers.all()
    return Overview(
        tuple(_issuer(parts, each, now, unseen.get(each.name, {})) for each in issuers),
        {channel: parts.visible.latencies(channel, now - back) for channel in Channel},
        tuple(alarms_now(parts, now)),
    )


def _issuer(
    parts: Assembly, record: IssuerRecord, now: datetime, unseen: Mapping[Channel, int]
) -> IssuerStatus:
    crl = parts.visible.latest_crl(record.name)
    answer = parts.visible.first_to_end(record.name, now) if record.answers_ocsp else None
    due = parts.ocsp_responses.count_due(record.name, now) if record.answers_ocsp else 0
    return IssuerStatus(
        record.name,
        record.state.value,
        crl and crl[0],
        crl and now - crl[1],
        crl and crl[2],
        answer and now - answer[0],
        due,
        unseen,
    )


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
