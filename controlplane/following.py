# SPDX-License-Identifier: Apache-2.0
"""What decides for each environment that somebody asks about, kept at what is in force there.

Theory: the database's serials are looked at while questions come. A release that is put to work is built aside and then
takes over in one assignment; an evaluator that is replaced serves those who have it. Where the one in force cannot be
built, the one before it decides for some seconds and then nobody: a change of policy that cannot be followed must not
go unnoticed.

Warning: everything here belongs to one event loop.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import structlog

from controlplane.evaluator import Evaluator
from controlplane.services.errors import NotFound, StoreUnavailable, Unready
from controlplane.services.in_force import CurrentPolicy
from controlplane.services.rego_engines import RegoEngines

# An activation of another process is seen within this; one of this process at once.
_LOOK_EVERY_S: Final = 0.1
# Older than that, what was seen is looked at again before anything is decided by it.
_SEEN_FOR_S: Final = 0.5
# After so long without a question nobody looks any more.
_LOOK_FOR_S: Final = 60.0
# An OPA starts within a second; longer than this, what is decided is not what is in force.
_BEHIND_FOR_S: Final = 10.0
_BUILD_AGAIN_AFTER_S: Final = 1.0
# Each has an OPA of some 50 MB.
_MOST_EVALUATORS: Final = 8

Scope: TypeAlias = tuple[str, str]

_log = structlog.get_logger("gatehouse.decisions")


@dataclass(slots=True)
class _Followed:
    """An environment: what decides for it, and what is being built to do so."""

    evaluator: Evaluator | None = None
    building: asyncio.Task[None] | None = None
    behind_since: float | None = None
    tried_at: float = -math.inf
    marks: tuple[int, ...] | None = None
    blocked: frozenset[str] = frozenset()


class Following:
    """The environments that are asked about. The longest unused gives its place to another one."""

    def __init__(self, *, in_force: CurrentPolicy, rego: RegoEngines) -> None:
        self._in_force = in_force
        self._rego = rego
        self._followed: OrderedDict[Scope, _Followed] = OrderedDict()
        self._heads: Mapping[Scope, tuple[int, ...]] = {}
        self._seen_at = -math.inf
        self._asked_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._working: set[asyncio.Task[None]] = set()
        self._retiring: set[asyncio.Task[None]] = set()

    async def what_decides(self, scope: Scope) -> tuple[Evaluator, frozenset[str]]:
        """Return what decides for `scope` (tenant, environment) now, and who is blocked there.

        Whoever uses the evaluator MUST enter it before waiting for anything. Raises NotFound for no such environment,
        Unready where what is in force cannot be evaluated, StoreUnavailable.
        """
        followed = await self._follow(scope)
        evaluator = followed.evaluator
        if evaluator is None or evaluator.is_retired:
            raise Unready("policy-unavailable", "What is in force cannot be evaluated now.")
        return evaluator, followed.blocked

    def forget_what_was_seen(self) -> None:
        """Look again before the next question is decided."""
        self._seen_at = -math.inf

    async def _follow(self, scope: Scope) -> _Followed:
        """Return what decides for `scope`, which is what is in force but for the time to build it."""
        self._asked_at = time.monotonic()
        await self._see()
        head = self._heads.get(scope)
        if head is None:
            raise NotFound("environment-unknown", "There is no such environment.")
        serial, marks = head[0], head[1:]
        if serial == 0:
            raise NotFound("nothing-in-force", "Nothing was ever put in force in this environment.")
        followed = self._followed.setdefault(scope, _Followed())
        self._followed.move_to_end(scope)
        # Whatever else has changed there: the list may be another.
        if followed.marks != marks:
            followed.blocked, followed.marks = await asyncio.to_thread(self._in_force.blocked, scope), marks
        self._turn_to(scope, followed, serial)
        if followed.evaluator is None or _is_behind(followed):
            await self._built(followed)
        return followed

    def _turn_to(self, scope: Scope, followed: _Followed, serial: int) -> None:
        """Begin to build what is in force, unless it decides already, is being built, or failed a moment ago."""
        now = time.monotonic()
        if followed.evaluator is not None and followed.evaluator.serial == serial:
            followed.behind_since = None
            return
        if followed.behind_since is None:
            followed.behind_since = now
        if followed.building is None and now - followed.tried_at >= _BUILD_AGAIN_AFTER_S:
            followed.tried_at = now
            followed.building = _spawn(self._build(scope, followed, serial), self._working)

    async def _built(self, followed: _Followed) -> None:
        if followed.building is not None:
            # One who waits and leaves must not take the engine from the others.
            await asyncio.shield(followed.building)
        if followed.evaluator is None or _is_behind(followed):
            raise Unready("policy-unavailable", "What is in force cannot be evaluated now.")

    async def _build(self, scope: Scope, followed: _Followed, serial: int) -> None:
        try:
            snapshot = await asyncio.to_thread(self._in_force.snapshot, scope, serial)
            fresh = await Evaluator.open(snapshot, serial=serial, rego=self._rego)
        except Exception as exc:  # noqa: BLE001  # whatever it is, those who wait are told that nothing decides
            _log.error("decision_point_behind", environment=scope[1], serial=serial, error=type(exc).__name__)
            return
        finally:
            followed.building = None
        before, followed.evaluator, followed.behind_since = followed.evaluator, fresh, None
        _log.info("decision_point_turned", environment=scope[1], serial=serial, revision=snapshot.revision)
        if before is not None:
            _spawn(before.retire(), self._retiring)
        while len(self._followed) > _MOST_EVALUATORS:
            self._forget_one()

    def _forget_one(self) -> None:
        _, forgotten = self._followed.popitem(last=False)
        if forgotten.evaluator is not None:
            _spawn(forgotten.evaluator.retire(), self._retiring)

    async def _see(self) -> None:
        """Know what is in force, as of at most half a second ago."""
        if self._looking is None or self._looking.done():
            self._looking = _spawn(self._keep_looking(), self._working)
        if time.monotonic() - self._seen_at > _SEEN_FOR_S:
            await self._look()

    async def _keep_looking(self) -> None:
        while time.monotonic() - self._asked_at < _LOOK_FOR_S:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self._look()
            except StoreUnavailable:
                continue
            for scope, followed in tuple(self._followed.items()):
                head = self._heads.get(scope)
                if head is not None and head[0]:
                    self._turn_to(scope, followed, head[0])

    async def _look(self) -> None:
        asked_at = time.monotonic()
        self._heads = await asyncio.to_thread(self._in_force.heads)
        self._seen_at = asked_at

    async def end(self) -> None:
        """End every engine."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        while self._followed:
            self._forget_one()
        await asyncio.gather(*self._retiring)


def _spawn(work: Coroutine[Any, Any, None], among: "set[asyncio.Task[None]]") -> "asyncio.Task[None]":
    """Begin `work`, held in `among` until it ends: the loop itself holds no task."""
    task = asyncio.get_running_loop().create_task(work)
    among.add(task)
    task.add_done_callback(among.discard)
    return task


def _is_behind(followed: _Followed) -> bool:
    return followed.behind_since is not None and time.monotonic() - followed.behind_since > _BEHIND_FOR_S
