# SPDX-License-Identifier: Apache-2.0
"""How the index cuts the log into pieces."""

from dataclasses import dataclass
from typing import Final

from controlplane.store.bitmaps import LARGEST

_MOST_OF_A_GROUP: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Lengths in log indexes: `chunk` of a bitmap, `block` of fresh fingerprints, `group` of settled ones.

    A group is whole blocks and whole chunks. Tests take small ones, so that a few records cross every border.
    """

    chunk: int = 4096
    block: int = 512
    group: int = _MOST_OF_A_GROUP

    def __post_init__(self) -> None:
        if self.chunk > LARGEST or self.group > _MOST_OF_A_GROUP:
            raise ValueError("numbers within a piece must fit their words")
        if self.group % self.block or self.group % self.chunk:
            raise ValueError("a group must be whole blocks and whole chunks")


GEOMETRY: Final = Geometry()
