"""A few unwrapped keys in memory, for minutes at most."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock


class KeyCache:
    """Keys by the octets they were unwrapped from: who has not read the row gets nothing."""

    def __init__(
        self,
        size: int = 256,
        seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hold at most `size` keys, each for at most so many seconds."""
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._held: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, wrapped: bytes) -> bytes | None:
        """The key that was unwrapped from these octets not long ago."""
        with self._lock:
            made_at, key = self._held.get(wrapped, (0.0, None))
            if key is None:
                return None
            if self._clock() - made_at > self._seconds:
                del self._held[wrapped]
                return None
            self._held.move_to_end(wrapped)
            return key

    def put(self, wrapped: bytes, key: bytes) -> None:
        """Keep a key; the one that was used longest ago makes room."""
        with self._lock:
            self._held[wrapped] = (self._clock(), key)
            self._held.move_to_end(wrapped)
            while len(self._held) > self._size:
                self._held.popitem(last=False)

    def forget(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._held.clear()
