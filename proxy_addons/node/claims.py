# SPDX-License-Identifier: Apache-2.0
"""What the node says its workers numbered, so that the control plane finds what never arrived: also the newest records.

Theory: a jump in a sequence shows only once a later number has come. A spool that was deleted has no later number; but
its worker said which one it gave last. It is said of processes that ended too, for as long as the node lives.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from policies.contracts.codec import JSON
from proxy_addons.node.totals import Unintelligible

# Of each slot. A slot whose workers die faster than the control plane hears of them has other troubles.
_ENDED_KEPT: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Records up to `last_seq` of the process `boot_id` of the source `id` were durable on this node."""

    id: str
    boot_id: str
    last_seq: int
    ended: bool = False

    def to_json(self) -> dict[str, JSON]:
        return {"id": self.id, "boot_id": self.boot_id, "last_seq": self.last_seq, "ended": self.ended}


def claim_from(raw: Any) -> Claim | None:
    """Read what a worker says of itself; None where it says nothing. Raises Unintelligible for anything else."""
    match raw:
        case None:
            return None
        case {"id": str() as source_id, "boot_id": str() as boot_id, "last_seq": int() as last_seq} if last_seq >= 0:
            return Claim(id=source_id, boot_id=boot_id, last_seq=last_seq)
    raise Unintelligible("no claim of a source")


@dataclass(slots=True)
class ClaimsOfSlot:
    """The claims of one slot's processes that have ended."""

    _ended: deque[Claim] = field(default_factory=lambda: deque(maxlen=_ENDED_KEPT))

    def retire(self, last: Claim | None) -> None:
        """Keep the last word of a process that has ended."""
        if last is not None:
            self._ended.append(replace(last, ended=True))

    def with_running(self, running: Iterable[Claim | None]) -> tuple[Claim, ...]:
        return (*self._ended, *(claim for claim in running if claim is not None))
