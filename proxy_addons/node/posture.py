# SPDX-License-Identifier: Apache-2.0
"""The node checks how it stands, as its environment document says how often, and reports what came of it.

A check has a deadline, talks to nobody but the node's own data port and its upstreams, and never ends the node: what
could not be looked at is skipped. Without an environment document nothing is checked, because a control plane of before
them does not take such results.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import structlog

from policies.contracts.codec import JSON

_log: Final = structlog.get_logger()

_LOOK_EVERY_S: Final = 1.0
# After a change of policy, so that it is in force when it is looked at, and several changes are one round.
_SETTLE_S: Final = 60.0
_DEADLINE_S: Final = 60.0
_DEFAULT_EVERY_S: Final = 300


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Found:
    """What a check came to; `detail` is a code."""

    outcome: Outcome
    detail: str


Check = Callable[[], Awaitable[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    check: str
    found: Found
    at: datetime

    def to_json(self) -> dict[str, JSON]:
        return {
            "check": self.check,
            "result": self.found.outcome.value,
            "detail": self.found.detail,
            "at": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class Posture:
    """`results` are of the last round, in the order of `checks`; `changed` is called after each round.

    `every_s()` says how often; None: not at all. `in_force()` names the policy in force, None before there is one: a
    change of it is looked at soon.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        every_s: Callable[[], int | None],
        in_force: Callable[[], object],
        changed: Callable[[], None],
        deadline_s: float = _DEADLINE_S,
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self.results: tuple[Result, ...] = ()
        self._checks = checks
        self._every_s = every_s
        self._in_force = in_force
        self._changed = changed
        self._deadline_s = deadline_s
        self._look_every_s = look_every_s

    async def run(self) -> None:
        """Check for as long as the node lives. Nothing is checked before a policy is in force."""
        now = asyncio.get_running_loop().time
        seen: object = None
        due: float | None = None
        while True:
            every_s, in_force = self._every_s(), self._in_force()
            if every_s is not None and in_force is not None:
                every_s = every_s or _DEFAULT_EVERY_S
                latest = now() + (min(_SETTLE_S, every_s) if in_force != seen else every_s)
                seen, due = in_force, latest if due is None else min(due, latest)
                if now() >= due:
                    await self.check()
                    due = None
                    continue
            await asyncio.sleep(self._look_every_s)

    async def check(self) -> None:
        """Make a round of checks, one after the other."""
        self.results = tuple([await self._one(name, check) for name, check in self._checks.items()])
        self._changed()

    async def _one(self, name: str, check: Check) -> Result:
        try:
            async with asyncio.timeout(self._deadline_s):
                found = await check()
        except TimeoutError:
            found = Found(Outcome.SKIPPED, "timed-out")
        except (OSError, ValueError) as exc:
            _log.warning("posture_not_checked", check=name, problem=type(exc).__name__)
            found = Found(Outcome.SKIPPED, "not-checked")
        if found.outcome is Outcome.FAILED:
            _log.error("posture_check_failed", check=name, detail=found.detail)
        return Result(check=name, found=found, at=datetime.now(UTC))
