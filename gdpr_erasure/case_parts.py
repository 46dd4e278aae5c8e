"""The parts of an answer: who collects them, and who makes a package of them.

A collector tells how much it found and the digest of it, so that completeness can be proved; one
that has not answered blocks the package.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from gdpr_erasure.record_classes import RecordClass

_EPOCH = (1980, 1, 1, 0, 0, 0)
PartsT_contra = TypeVar("PartsT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Collected:
    """What one collector found: how many records, and their content (canonical JSON, UTF-8)."""

    count: int
    content: bytes

    @property
    def sha256(self) -> str:
        """Digest of the content, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @classmethod
    def of(cls, records: Sequence[Mapping[str, object]]) -> "Collected":
        """Records as canonical JSON."""
        text = json.dumps(records, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return cls(len(records), text.encode())


class Collector(Protocol):
    """Finds the records of one kind."""

    @property
    def name(self) -> str:
        """A short word-with-hyphens; the name of its part in the package."""

    @property
    def record_class(self) -> RecordClass:
        """What it collects; left out of a case that does not ask for it."""

    def collect(self, subject_id: str) -> Collected:
        """Everything of this kind about the subject; raises when it cannot be reached."""


class PackageRenderer(Protocol[PartsT_contra]):
    """Makes the files of an answer: `access_package` and `portability_package` are such."""

    def __call__(
        self, parts: PartsT_contra, subject_id: str, language: str, now: datetime
    ) -> Mapping[str, bytes]:
        """Files by name."""


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """How far one collector is: `count` and `sha256` are None until it answered."""

    name: str
    count: int | None = None
    sha256: str | None = None
    at: datetime | None = None
    failure: str | None = None
    """Class of what was in the way at the last try; never its words, which may name somebody."""

    @property
    def is_done(self) -> bool:
        """Whether it has answered."""
        return self.sha256 is not None


def pack(files: Mapping[str, bytes]) -> bytes:
    """The files as one ZIP archive; the same files always give the same octets."""
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return octets.getvalue()


def manifest(case_id: str, kind: str, statuses: list[CollectorStatus]) -> bytes:
    """What was collected, with counts and digests, as canonical JSON."""
    found = [{"name": s.name, "count": s.count, "sha256": s.sha256} for s in statuses]
    content = {"case": case_id, "kind": kind, "collected": found}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
