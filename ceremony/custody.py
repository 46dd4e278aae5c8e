"""What may be known of a split PIN, and is kept beside the PIN files: not the PIN, nor a share."""

import json
from dataclasses import asdict, dataclass

MOST_SHARES = 16  # SLIP-0039, "Format of the share mnemonic": four bits


@dataclass(frozen=True, slots=True)
class Custody:
    """What may be known of a split PIN: how many hold it, and the number of the set of shares."""

    threshold: int
    shares: int
    identifier: int
    """Fifteen random bits that all shares of one set begin with."""
    in_force: bool = True
    """Whether the token has this PIN; not yet, while a token made elsewhere has its first one."""

    @property
    def by_device(self) -> bool:
        """Whether the device keeps the PIN, or what it has instead, and asks for it by itself."""
        return self.threshold == 0

    def encode(self) -> bytes:
        """The form in which it is kept beside the PIN files."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def parse(cls, octets: bytes) -> "Custody":
        """The inverse of `encode`. Raises: ValueError, TypeError."""
        custody = cls(**json.loads(octets))
        if not 0 <= custody.threshold <= custody.shares <= MOST_SHARES:
            raise ValueError("no numbers of shares")
        return custody


BY_DEVICE = Custody(threshold=0, shares=0, identifier=0)
