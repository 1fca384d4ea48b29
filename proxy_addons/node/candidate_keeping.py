# SPDX-License-Identifier: Apache-2.0
"""From the candidate that the environment document names to workers that try it beside the bundle in force.

Order, and why: as for the bundle in force (`bundle_activation`), but nothing of it is remembered: what a restart tries
is what the document says. Whatever fails leaves the bundle in force alone to decide, is reported, and is tried again.
The end of a candidate, and a change of its mode or share, wait for nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from policies.bundle.environment import Candidate
from policies.contracts.errors import BundleRejected
from policies.contracts.snapshot import PolicySnapshot
from proxy_addons.clients.control_plane import ControlPlaneUnavailable, Fetched
from proxy_addons.node.bundle_activation import Verified
from proxy_addons.node.bundle_store import BundleStore, etag_of
from proxy_addons.node.fleet import Fleet
from proxy_addons.node.follow import Backoff
from proxy_addons.node.guard_socket import GuardUnavailable
from proxy_addons.node.known_upstreams import UpstreamUnknown
from proxy_addons.node.messages import TryCandidate
from proxy_addons.node.patterns import PatternsNotCompiled
from proxy_addons.prepared_policy import prepare

_log: Final = structlog.get_logger()


class CandidateUnusable(Exception):
    """The candidate cannot be tried now. `code` says why, in the words of a rejected bundle."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class CandidateKeeper:
    """`fetch(serial)` gives the candidate's bundle; `in_force()` the serial that is; the others as BundleActivation's.

    `problem` is why the candidate that is wanted is not with the workers; empty where it is, or none is wanted.
    `tried(snapshot)` is told what workers try from now on; None: nothing.
    """

    def __init__(
        self,
        store: BundleStore,
        fleet: Fleet,
        *,
        fetch: Callable[[int], Awaitable[Fetched | None]],
        verify: Callable[[bytes, int], Verified],
        guard: Callable[[int, str], Awaitable[str]],
        patterns: Callable[[PolicySnapshot], Awaitable[str]],
        in_force: Callable[[], int],
        tried: Callable[[PolicySnapshot | None], None] = lambda _snapshot: None,
    ) -> None:
        self.problem = ""
        self._store = store
        self._fleet = fleet
        self._fetch = fetch
        self._verify = verify
        self._guard = guard
        self._patterns = patterns
        self._in_force = in_force
        self._tell = tried
        self._wanted: Candidate | None = None
        self._news = asyncio.Event()
        self._bringing: asyncio.Task[None] | None = None

    @property
    def wanted_serial(self) -> int | None:
        """The candidate that is to be tried."""
        return None if self._wanted is None else self._wanted.serial

    @property
    def serials(self) -> set[int]:
        """The bundles that are not to be deleted."""
        return set() if self._wanted is None else {self._wanted.serial}

    def follow(self, candidate: Candidate | None) -> None:
        """Try `candidate` from now on, or none."""
        if candidate is not None and candidate.serial <= self._in_force():
            candidate = None  # it was promoted, or overtaken
        self._wanted, self.problem = candidate, ""
        tried = self._fleet.candidate
        if candidate is None or tried is None or tried.serial != candidate.serial:
            if self._bringing is not None:
                self._bringing.cancel()
            self._fleet.end_candidate()
            self._tell(None)
            self._news.set()
        else:
            self._fleet.try_candidate(_with_terms(tried, candidate))

    def settle(self) -> None:
        """Look again, now that another bundle is in force: the candidate may be that very one."""
        if self._wanted is not None and self._wanted.serial <= self._in_force():
            self.follow(None)

    async def run(self) -> None:
        """Bring what is wanted to the workers, for as long as the node lives."""
        backoff = Backoff()
        while True:
            await self._news.wait()
            self._news.clear()
            if (wanted := self._wanted) is None:
                continue
            self._bringing = asyncio.create_task(self._bring(wanted))
            try:
                await asyncio.wait({self._bringing})
            finally:
                self._bringing.cancel()
            if self._bringing.cancelled():  # something else is wanted
                continue
            problem = self._bringing.exception()
            if problem is None:
                backoff.reset()
            elif isinstance(problem, CandidateUnusable | ControlPlaneUnavailable | OSError):
                self._note(wanted, problem)
                await self._pause(backoff.next_s())
                self._news.set()
            else:
                raise problem

    async def _pause(self, seconds: float) -> None:
        """Wait, unless something else is wanted meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    def _note(self, wanted: Candidate, problem: BaseException) -> None:
        # A control plane or a disk that is not there for a moment is nothing that speaks against the candidate.
        code = problem.code if isinstance(problem, CandidateUnusable) else ""
        if self._wanted == wanted and (not code or self.problem != code):
            self.problem = code
            _log.error("candidate_not_tried", serial=wanted.serial, code=code, problem=type(problem).__name__)
            self._fleet.changed.notify()

    async def _bring(self, wanted: Candidate) -> None:
        path = self._store.path(wanted.serial)
        content = await asyncio.to_thread(_read, path)
        if etag_of(content) != wanted.etag:
            fetched = await self._fetch(wanted.serial)
            content = b"" if fetched is None else fetched.content
            if etag_of(content) != wanted.etag:
                raise CandidateUnusable("content-altered")
        verified = await asyncio.to_thread(self._verified, content, wanted)
        if await asyncio.to_thread(_read, path) != content:
            await asyncio.to_thread(self._store.keep, wanted.serial, content)
        await asyncio.to_thread(prepare, path, verified)
        try:
            patterns = await self._patterns(verified.snapshot)
            guard_socket = await self._guard(wanted.serial, verified.manifest_revision)
        except UpstreamUnknown as exc:
            raise CandidateUnusable("upstream-unknown") from exc
        except PatternsNotCompiled as exc:
            raise CandidateUnusable("patterns-not-compiled") from exc
        except GuardUnavailable as exc:
            raise CandidateUnusable("guard-unavailable") from exc
        now = self._wanted
        if now is None or now.serial != wanted.serial:
            return  # ended while this waited
        order = TryCandidate(
            serial=wanted.serial,
            path=str(path),
            guard_socket=guard_socket,
            patterns=patterns,
            etag=wanted.etag,
            mode=now.mode.value,
            subjects_percent=now.subjects_percent,
            workers_percent=now.workers_percent,
            salt=now.salt,
        )
        self._fleet.try_candidate(order)
        self._tell(verified.snapshot)
        self.problem = ""
        _log.info("candidate_tried", serial=wanted.serial, mode=now.mode.value)

    def _verified(self, content: bytes, wanted: Candidate) -> Verified:
        try:
            verified = self._verify(content, wanted.serial - 1)
        except BundleRejected as exc:
            raise CandidateUnusable(exc.code) from exc
        if verified.serial != wanted.serial:
            raise CandidateUnusable("serial-differs")
        return verified


def _with_terms(order: TryCandidate, candidate: Candidate) -> TryCandidate:
    return replace(
        order,
        mode=candidate.mode.value,
        subjects_percent=candidate.subjects_percent,
        workers_percent=candidate.workers_percent,
        salt=candidate.salt,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
