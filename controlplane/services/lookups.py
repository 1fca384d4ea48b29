# SPDX-License-Identifier: Apache-2.0
"""Was this value seen? Answered by its keyed hash, which records hold; the value itself is neither kept nor logged.

Whoever may ask could try many values and learn who or what is in the log. So every question is noted with its hash
before it is answered, and there is a limit to how many one principal asks in a minute.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controlplane.identifiers import Clock
from controlplane.services.admin_log import note
from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import Dimension
from controlplane.services.errors import TooOften
from controlplane.services.model import Principal
from controlplane.services.ports import Session, Store
from controlplane.services.records import FoundDecisions, LoggedDecision
from controlplane.services.subjects import as_pseudonym
from policies.contracts.content import content_hash
from policies.contracts.record import span_hash

MOST_COUNTED: Final = 1_000
_MOST_PAGES: Final = 20
_MOST_IN_A_MINUTE: Final = 30
_MINUTE_S: Final = 60.0


class LookupKind(StrEnum):
    """SUBJECT: `user:NAME`. SPAN: what a detector found. CONTENT: a whole text of a prompt or an answer."""

    SUBJECT = "subject"
    SPAN = "span"
    CONTENT = "content"


_DIMENSIONS: Final = {
    LookupKind.SUBJECT: Dimension.SUBJECT,
    LookupKind.SPAN: Dimension.SPAN,
    LookupKind.CONTENT: Dimension.CONTENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`count` stops at MOST_COUNTED: then `is_more` says that there are more decisions than that."""

    kind: LookupKind
    hash: str
    count: int
    is_more: bool
    first: LoggedDecision | None
    last: LoggedDecision | None

    @property
    def dimension(self) -> str:
        """The filter of decisions that finds them all."""
        return _DIMENSIONS[self.kind].value


class Allowance:
    """How many questions each principal asked of this process within a minute."""

    def __init__(self, *, most: int = _MOST_IN_A_MINUTE, timer: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._timer = timer
        self._asked: dict[tuple[str, str], deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, actor: Principal) -> None:
        """Count a question. Raises TooOften."""
        now = self._timer()
        with self._lock:
            asked = self._asked.setdefault((actor.tenant, actor.id), deque())
            while asked and asked[0] <= now - _MINUTE_S:
                asked.popleft()
            if len(asked) >= self._most:
                raise TooOften("too-many-lookups", f"At most {self._most} lookups in a minute: ask again later.")
            asked.append(now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    store: Store
    clock: Clock
    pseudonym_key: bytes
    allowance: Allowance = field(default_factory=Allowance)

    def look_up(self, actor: Principal, kind: LookupKind, value: str) -> Seen:
        """Return how often the value was seen. The question is noted before it is answered."""
        self.allowance.take(actor)
        hashed = self._hash(actor, kind, value)
        with self.store.write() as session:
            note(session, actor, self.clock, action="value_looked_up", target=hashed, kind=kind)
        with self.store.read() as session:
            as_of = session.decisions.size(actor.tenant)
            found = list(_all(session, actor, kind, hashed, as_of=as_of))
            last = next(_all(session, actor, kind, hashed, as_of=as_of, descending=True), None) if found else None
        return Seen(
            kind=kind,
            hash=hashed,
            count=min(len(found), MOST_COUNTED),
            is_more=len(found) > MOST_COUNTED,
            first=found[0] if found else None,
            last=last,
        )

    def _hash(self, actor: Principal, kind: LookupKind, value: str) -> str:
        match kind:
            case LookupKind.SUBJECT:
                return as_pseudonym(self.pseudonym_key, actor.tenant, value)
            case LookupKind.SPAN:
                return span_hash(self.pseudonym_key, tenant=actor.tenant, span=value)
            case LookupKind.CONTENT:
                return content_hash(self.pseudonym_key, tenant=actor.tenant, text=value)


def _all(
    session: Session, actor: Principal, kind: LookupKind, hashed: str, *, as_of: int, descending: bool = False
) -> Iterator[LoggedDecision]:
    """Yield the decisions that have the hash, up to one more than are counted."""
    wanted = DecisionFilter(values={_DIMENSIONS[kind]: (hashed,)})
    after: int | None = None
    count = 0
    for _ in range(_MOST_PAGES):
        found: FoundDecisions = session.decision_index.find(
            actor.tenant, wanted, after=after, as_of=as_of, descending=descending, limit=MOST_COUNTED + 1 - count
        )
        yield from found.items
        count += len(found.items)
        after = found.at
        if after is None or count > MOST_COUNTED:
            return
