"""What a process remembers of its own work on CRLs; all of it may be forgotten."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from revocation.publication import Pace
from revocation.published_files import is_published

_SEEN_SECONDS = 5.0
_Seen = tuple[int, int, int, bytes]


@dataclass(slots=True)
class CrlWork:
    """How often CRLs were made, which files were seen to be as recorded, and whether to stop."""

    pace: Pace = field(default_factory=Pace)
    stopping: Event = field(default_factory=Event)
    _seen: dict[Path, _Seen] = field(default_factory=dict)
    _in_force: dict[tuple[str, int], tuple[float, frozenset[int]]] = field(default_factory=dict)

    def in_force(
        self, name: str, shards: int, look: Callable[[], frozenset[int]]
    ) -> frozenset[int]:
        """What can be fetched, as a look of a moment ago showed it; all or asked anew.

        0 is the complete CRL, and the others are so many shards.

        Batches ask again and again, and one look asks for each shard.
        """
        at, found = self._in_force.get((name, shards), (0.0, frozenset[int]()))
        if len(found) <= shards or time.monotonic() - at > _SEEN_SECONDS:
            found = look()
            self._in_force[(name, shards)] = (time.monotonic(), found)
        return found

    def is_published(self, path: Path, sha256: bytes) -> bool:
        """Whether the file holds the octets of this digest; read again only when it was changed."""
        try:
            found = path.stat()
        except OSError:
            return False
        seen = (found.st_mtime_ns, found.st_ino, found.st_size, sha256)
        if self._seen.get(path) != seen:
            if not is_published(path, sha256):
                return False
            self._seen[path] = seen
        return True
