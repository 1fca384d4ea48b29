# SPDX-License-Identifier: Apache-2.0
"""What was signed of a log, and who may sign."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A note of the log at one size. `cosignatures` are lines of witnesses, each with its newline."""

    tenant: str
    size: int
    root: bytes
    note: str
    cosignatures: str
    first_signed_at: datetime
    signed_at: datetime

    @property
    def text(self) -> str:
        """The note with every signature there is."""
        return self.note + self.cosignatures


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """How many numbers of sources are known to stand in the log, and to which size the index goes."""

    numbered: int
    indexed: int


class Superseded(Exception):
    """Another process leads since: what was to be stored is not, and this one signs no more until it leads again."""


class Contradiction(Exception):
    """What was to be signed contradicts what was signed before. Nothing was stored."""
