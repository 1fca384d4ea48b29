# SPDX-License-Identifier: Apache-2.0
"""What the node tells the control plane of itself: at once when something changes, and every 5 s."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from policies.contracts.codec import JSON
from proxy_addons.clients.control_plane import ControlPlane, ControlPlaneUnavailable
from proxy_addons.node.changed import Changed
from proxy_addons.node.claims import Claim
from proxy_addons.node.posture import Result
from proxy_addons.node.worker_process import WorkerState

_log: Final = structlog.get_logger()

_EVERY_S: Final = 5.0
# Several workers acknowledge within milliseconds of each other; one report serves them.
_GATHER_S: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedBundle:
    """A bundle that was not put to work. `final`: it never will be; else it is tried again. `etag` names its bytes."""

    code: str
    etag: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolDepth:
    """Records on this node's disk that the control plane has not acknowledged; `shipped` since the node's start.

    `refused`: it takes nothing from this node at all, and somebody has to see to that. `set_aside` are lines that it
    refuses for themselves, `corrupt` segments that were damaged.
    """

    records: int = 0
    oldest_s: int = 0
    shipped: int = 0
    refused: bool = False
    set_aside: int = 0
    corrupt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    node_id: str
    environment: str
    version: str
    workers: tuple[WorkerState, ...]
    spool: SpoolDepth
    guard_engine: str
    rejected_bundle: RejectedBundle | None
    sources: tuple[Claim, ...] = ()
    posture: tuple[Result, ...] = ()
    # Unconfirmed for too long, where `refusing` workers refuse for it. The control plane knows by not hearing of us.
    stale: bool = False
    refusing: bool = False
    environment_number: int | None = None
    environment_rejected: str | None = None
    candidate_wanted: int | None = None
    candidate_problem: str = ""  # why no worker has been told of the candidate that the environment document names

    def to_json(self) -> dict[str, JSON]:
        rejected = self.rejected_bundle
        return {
            "node_id": self.node_id,
            "environment": self.environment,
            "version": self.version,
            "workers": [self._worker(state) for state in self.workers],
            "spool": {
                "depth_records": self.spool.records,
                "oldest_s": self.spool.oldest_s,
                "shipped": self.spool.shipped,
            },
            "guard_engine": self.guard_engine,
            "rejected_bundle": None if rejected is None else {"code": rejected.code, "etag": rejected.etag},
            # Left out where there are none: a control plane of the version before knows no such member.
            **({} if self.environment_number is None else {"environment_number": self.environment_number}),
            **({"sources": [claim.to_json() for claim in self.sources]} if self.sources else {}),
            **({"posture": [result.to_json() for result in self.posture]} if self.posture else {}),
        }

    def _worker(self, state: WorkerState) -> dict[str, JSON]:
        # What an earlier candidate failed at says nothing of this one: the control plane would withdraw it for that.
        failed = state.candidate_error if state.candidate_failed == self.candidate_wanted else ""
        problem = failed or self.candidate_problem
        return {
            "slot": state.slot,
            "pid": state.pid,
            "serial": state.serial,
            "revision": state.revision,
            "epoch": state.epoch,
            "error": state.error,
            # As `sources`: left out where there is nothing to say, for a control plane of the version before.
            **({} if state.candidate_serial is None else {"candidate_serial": state.candidate_serial}),
            **({"candidate_error": problem} if problem else {}),
            **({} if state.failed_serial is None else {"failed_serial": state.failed_serial}),
            **({} if state.revocations_epoch is None else {"revocations_epoch": state.revocations_epoch}),
        }


def serving(workers: Iterable[WorkerState]) -> bool:
    """Whether every worker takes requests, decides them by a policy and knows who asks."""
    return all(worker.ready and worker.serial is not None and worker.epoch is not None for worker in workers)


async def keep_reporting(control_plane: ControlPlane, status: Callable[[], NodeStatus], changed: Changed) -> None:
    """Report for as long as the node lives. A report that does not arrive is made good by the next."""
    arrives = True
    while True:
        now = status()
        try:
            await control_plane.report_status(now.node_id, now.to_json())
        except ControlPlaneUnavailable as exc:
            if arrives:
                _log.warning("status_lost", problem=str(exc))
            arrives = False
        else:
            arrives = True
        if _told_of(now) == _told_of(status()):
            await changed.wait(_EVERY_S)
        await asyncio.sleep(_GATHER_S)


def _told_of(status: NodeStatus) -> tuple[object, ...]:
    """Return what is reported at once when it changes."""
    return (
        status.workers,
        status.rejected_bundle,
        status.environment_number,
        status.candidate_wanted,
        status.candidate_problem,
        status.posture,
    )
