"""The assurance levels of NSIS (Sikringsniveau; Regulation (EU) 2015/1502 article 1)."""

from enum import IntEnum
from typing import Self


class AssuranceLevel(IntEnum):
    """Low < Substantial < High (Lav, Betydelig, Høj); requirements are cumulative."""

    LOW = 1
    SUBSTANTIAL = 2
    HIGH = 3

    @property
    def label(self) -> str:
        """The standard's word: Low, Substantial or High."""
        return self.name.capitalize()

    @classmethod
    def from_label(cls, label: str) -> Self:
        """Read the standard's word in any case; ValueError for another word."""
        for level in cls:
            if level.label.lower() == label.lower():
                return level
        raise ValueError("an assurance level is Low, Substantial or High")
