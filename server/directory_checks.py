"""Comparison of directories with the records, and what mends them (NSIS REG-APP-L6)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography import x509

from ca.identifiers import IssuerName, SerialNumber
from publish_ldap.reconciliation import Comparison, Drift, DriftKind, compare
from records.directory_desk import Checked
from server.assembly import Assembly
from server.directories import authority_groups, wanted_authorities, wanted_digest

if TYPE_CHECKING:
    from publish_ldap.directory import Directory

_PUT_BACK = frozenset({DriftKind.MISSING, DriftKind.DUPLICATE})
REMEDIES = {
    DriftKind.MISSING: "publish again",
    DriftKind.WITHDRAWN: "withdraw again",
    DriftKind.DUPLICATE: "remove everywhere, publish again",
    DriftKind.ENDED: "remove",
    DriftKind.UNASKED: "remove: nobody consented (NSIS REG-APP-L6)",
    DriftKind.AUTHORITY: "publish again",
}
_STATE = {
    DriftKind.MISSING: "published",
    DriftKind.DUPLICATE: "published",
    DriftKind.WITHDRAWN: "withdrawn",
}


@dataclass(frozen=True, slots=True)
class Found:
    """How a directory was found: certificates of ours on the server written to, and the drift."""

    directory: str
    certificates: int
    drift: tuple[Drift, ...]

    def counts(self) -> dict[str, int]:
        """The drift by kind; every kind is there."""
        counted = Counter(each.kind for each in self.drift)
        return {kind.value: counted[kind] for kind in DriftKind}


def check_directory(parts: Assembly, directory: "Directory") -> Found:
    """Compare every server of a directory with the records, both ways.

    The directory goes on living meanwhile, so whatever differs is looked at a second time. No
    certificate is kept, so that the memory is that of the records' digests.

    Raises: DirectoryError.
    """
    judge = _Judge(parts)
    found: list[Comparison] = []
    expected = dict(parts.directory_desk.expected(directory.name))
    for number, server in enumerate(directory.servers()):
        found.append(compare(number, expected, server.certificates(), judge.judge))
    drift = tuple(each for one in found for each in one.drift)
    still = tuple(_second_look(parts, directory, judge, drift))
    authorities = tuple(_authorities(parts, directory))
    return Found(directory.name, found[0].certificates, (*still, *authorities))


def note_check(parts: Assembly, found: Found, now: datetime) -> None:
    """Keep how a directory was found."""
    checked = Checked(found.directory, now, found.certificates, len(found.drift))
    parts.directory_desk.note_check(checked)


def mend(
    parts: Assembly, directory: "Directory", drift: Iterable[Drift], actor: str, now: datetime
) -> int:
    """Make what differs due again, and take away at once what no publication knows.

    Whatever a replica alone shows wrongly comes right by what is written to its master; how many
    things were mended or are about to be.

    Raises: DirectoryError.
    """
    judge, again, issuers, done = _Judge(parts), defaultdict[str, set[int]](set), set[str](), 0
    for each in drift:
        if each.kind is DriftKind.AUTHORITY:
            issuers.add(each.issuer)
            continue
        serial = SerialNumber.from_hex(each.serial)
        if each.kind in {DriftKind.ENDED, DriftKind.UNASKED, DriftKind.DUPLICATE}:
            directory.remove_certificate(None, judge.subject(each.issuer), serial)
            done += each.kind is not DriftKind.DUPLICATE
        if each.task_id is not None:
            again["pending" if each.kind in _PUT_BACK else "withdrawing"].add(each.task_id)
    for state, tasks in again.items():
        done += parts.directory_desk.again(tasks, state, actor, now)
    return done + parts.directory_authorities.again(directory.name, sorted(issuers), now)


class _Judge:
    """Whose certificate it is; generations of one authority share a name, so all are asked."""

    def __init__(self, parts: Assembly) -> None:
        self._parts = parts
        self._by_subject = defaultdict[x509.Name, list[IssuerName]](list)
        self._subjects: dict[str, x509.Name] = {}
        for record in parts.issuers.all():
            self._by_subject[record.subject].append(record.name)
            self._subjects[record.name] = record.subject

    def judge(self, issuer: x509.Name, serial: SerialNumber) -> tuple[str, bool] | None:
        names = self._by_subject.get(issuer)
        if not names:
            return None
        desk = self._parts.directory_desk
        good = [name for name in names if desk.is_valid(name, serial)]
        if any(desk.is_nobodys(name, serial) for name in good):
            return None  # whoever has put it there needed nobody's consent
        return (good or names)[0], bool(good)

    def subject(self, issuer: str) -> x509.Name:
        return self._subjects[issuer]


def _second_look(
    parts: Assembly, directory: "Directory", judge: _Judge, drift: Sequence[Drift]
) -> Iterable[Drift]:
    """What still differs when record and directory are asked again, one by one."""
    servers = directory.servers()
    states = parts.directory_desk.states({each.task_id for each in drift if each.task_id})
    for each in drift:
        if each.task_id is not None and states.get(each.task_id) != _STATE.get(each.kind):
            continue
        if each.task_id is None and parts.directory_desk.knows(directory.name, each):
            continue  # it was published meanwhile
        of = (judge.subject(each.issuer), SerialNumber.from_hex(each.serial))
        there = len(servers[each.server].find_certificate(*of))
        wrong = {DriftKind.MISSING: not there, DriftKind.DUPLICATE: there > 1}
        if wrong.get(each.kind, there > 0):
            yield each


def _authorities(parts: Assembly, directory: "Directory") -> Iterable[Drift]:
    """Issuers whose entry was published and is not there as it was."""
    from publish_ldap.authority_entries import shows_authority  # noqa: PLC0415 - slow to load

    shown = {each.issuer: each.digest for each in parts.directory_authorities.all(directory.name)}
    for group in authority_groups(parts, directory):
        name = group[0].name
        if shown.get(name) != wanted_digest(parts, directory, group):
            continue  # it is on its way
        wrong = {
            number
            for values in wanted_authorities(parts, directory, group)
            for number, server in enumerate(directory.servers())
            if not shows_authority(server, values)
        }
        yield from (Drift(DriftKind.AUTHORITY, number, name) for number in sorted(wrong))
