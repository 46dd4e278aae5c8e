"""The parts of an answer: how far each collector is, and the package that is made of them.

A collector (`gdpr_erasure.person_file`) tells how much it found and the digest of it, so that
completeness can be proved; one that has not answered blocks the package.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

_EPOCH = (1980, 1, 1, 0, 0, 0)


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
