# SPDX-License-Identifier: Apache-2.0
"""The sequencer: puts administrative events into the log, and signs what the log is, every few seconds.

Rules. One process leads (`Leadership`); whatever it stores, it stores in a transaction that has found it to be still
the leader. Before the first signature of a term all leaf hashes of a log are read and must give the root that was
signed last, and the newest entries must be those of their hashes. Before every signature the root that was signed last
is computed again from the tiles. Where anything differs, the log is not signed any more while this process runs: two
checkpoints of which one is not the beginning of the other are the one thing that nothing mends. Records are still
taken, so that nothing is lost while somebody finds out what happened.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from controlplane.audit.checkpoints import Checkpoint, sign_checkpoint
from controlplane.audit.note_keys import KeyMalformed
from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_entries import admin_entry
from controlplane.services.checkpoints import Contradiction, SignedCheckpoint, Superseded
from controlplane.services.errors import StoreUnavailable
from controlplane.services.log_key import LogKey
from controlplane.services.log_ports import Leadership
from controlplane.services.log_state import LogAltered, StoredTiles, check_head, check_leaves, check_tail, root_of
from controlplane.services.ports import Session, Store
from controlplane.services.signed_memory import Forgetful, SignedMemory

# A checkpoint is at most this old while a sequencer runs; also that of a log to which nothing was added.
SIGN_EVERY_S: Final = 2.0
# An administrative event is in the log within this and the time of one transaction.
DRAIN_EVERY_S: Final = 0.25
_EVENTS_AT_ONCE: Final = 500
# While a log is checked, which takes seconds for millions of entries.
_CLAIM_EVERY_S: Final = 1.0

_log = structlog.get_logger("gatehouse.log")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """What this process knows of one log as its sequencer. `altered` says why it does not sign it any more."""

    tenant: str
    size: int = 0
    root: bytes = b""
    signed_at: datetime | None = None
    altered: str | None = None


class Sequencer:
    """Leads where it may. `step` is for one thread; everything else may be asked from any."""

    def __init__(
        self,
        *,
        store: Store,
        leadership: Leadership,
        key: LogKey,
        clock: Clock,
        new_id: NewId,
        pseudonym_key: bytes,
        memory: SignedMemory | None = None,
    ) -> None:
        self.store = store
        self._leadership = leadership
        self._key = key
        self._clock = clock
        self._new_id = new_id
        self._pseudonym_key = pseudonym_key
        self._memory = memory or Forgetful()
        self._fence: int | None = None
        self._last_fence: int | None = None
        self._checked: set[str] = set()
        self._status: dict[str, LogStatus] = {}
        self._claimed_at = 0.0
        self._stop = threading.Event()

    @property
    def leads(self) -> bool:
        return self._fence is not None

    def status(self) -> tuple[LogStatus, ...]:
        """Return what became of each log that this process signed or refused to sign."""
        return tuple(self._status.values())

    def run(self, stop: threading.Event, *, sign_every_s: float = SIGN_EVERY_S) -> None:
        """Do the sequencer's work until `stop` is set, then let another process lead."""
        due = 0.0
        self._stop = stop
        try:
            while not stop.is_set():
                self.step(sign=due <= 0)
                due = sign_every_s if due <= 0 else due - DRAIN_EVERY_S
                stop.wait(DRAIN_EVERY_S)
        finally:
            self._leadership.close()

    def step(self, *, sign: bool = True) -> None:
        """Put waiting events into the log, and where `sign` says so, sign every log.

        A store that does not answer is waited for.
        """
        if not self._lead():
            return
        try:
            for tenant in self._drain():
                if sign:
                    self._sign_or_refuse(tenant)
        except StoreUnavailable as exc:
            _log.warning("sequencer_waits", problem=str(exc))
        except Superseded:
            self._follow("superseded")

    def _lead(self) -> bool:
        fence = self._leadership.claim()
        if fence is None:
            if self._fence is not None:
                self._follow("lost")
            return False
        if fence != self._fence:
            _log.info("sequencer_leads", fence=fence)
            if self._last_fence is None or fence - self._last_fence > 1:
                self._checked.clear()  # others have led since: everything is looked at again
            self._fence = self._last_fence = fence
        return True

    def _follow(self, reason: str) -> None:
        _log.warning("sequencer_follows", fence=self._fence, reason=reason)
        self._fence = None

    def _drain(self) -> Sequence[str]:
        """Put events that wait into the log, and return the tenants that have a log."""
        with self.store.read() as session:
            waiting = session.admin_events.waiting(limit=_EVENTS_AT_ONCE)
        for tenant in sorted({event.tenant for event in waiting}):
            try:
                self._drain_tenant(tenant)
            except (ValueError, LookupError, TypeError) as exc:
                self._refuse(tenant, f"nothing can be appended to it ({type(exc).__name__})")
        with self.store.read() as session:
            return session.checkpoints.tenants()

    def _drain_tenant(self, tenant: str) -> None:
        with self._leading() as session:
            events = session.admin_events.waiting(limit=_EVENTS_AT_ONCE, tenant=tenant)
            entries = [
                admin_entry(event, record_id=self._new_id(""), pseudonym_key=self._pseudonym_key) for event in events
            ]
            first = session.decisions.append_own(tenant, entries, at=self._clock())
            session.admin_events.placed({event.seq: first + at for at, event in enumerate(events)})

    def _sign_or_refuse(self, tenant: str) -> None:
        known = self._status.get(tenant, LogStatus(tenant=tenant))
        if known.altered is not None:
            return
        try:
            if tenant not in self._status:
                known = self._status[tenant] = self._recalled(tenant)
            if tenant not in self._checked:
                self._check(tenant)
                self._checked.add(tenant)
            signed = self._sign(tenant, known)
        except (LogAltered, Contradiction, KeyMalformed) as exc:
            self._refuse(tenant, str(exc))
        except (ValueError, LookupError, TypeError) as exc:
            # What the store gives is not what it was given: a hash too short, text where bytes were.
            self._refuse(tenant, f"what is stored of it cannot be read ({type(exc).__name__})")
        else:
            self._status[tenant] = replace(known, size=signed.size, root=signed.root, signed_at=signed.signed_at)
            # Behind the commit: a signature that was remembered and not stored would look like one that was taken away.
            self._memory.keep(tenant, signed.note)

    def _recalled(self, tenant: str) -> LogStatus:
        """Return what this server signed last, before it was started again."""
        kept = self._memory.recall(tenant, self._key.signer(tenant).verifier)
        if kept is None or kept.at_s is None:
            return LogStatus(tenant=tenant)
        signed_at = datetime.fromtimestamp(kept.at_s, UTC)
        return LogStatus(tenant=tenant, size=kept.checkpoint.size, root=kept.checkpoint.root, signed_at=signed_at)

    def _refuse(self, tenant: str, problem: str) -> None:
        """Sign this log no more, and say so once."""
        known = self._status.get(tenant, LogStatus(tenant=tenant))
        if known.altered is None:
            _log.error("log_altered", tenant=tenant, problem=problem)
            self._status[tenant] = replace(known, altered=problem)

    def _check(self, tenant: str) -> None:
        """Compare all of a log with what was signed of it."""
        began = time.monotonic()
        with self.store.read() as session:
            head, last = session.log.head(tenant), session.checkpoints.latest(tenant)
            check_leaves(StoredTiles(session.log, tenant), head, last, awake=self._stay_awake)
            check_tail(session.log, tenant, head)
        _log.info("log_checked", tenant=tenant, size=head.size, seconds=round(time.monotonic() - began, 1))

    def _stay_awake(self) -> None:
        now = time.monotonic()
        if self._stop.is_set():
            raise Superseded
        if now - self._claimed_at > _CLAIM_EVERY_S:
            self._claimed_at = now
            if self._leadership.claim() != self._fence:
                raise Superseded

    def _sign(self, tenant: str, known: LogStatus) -> SignedCheckpoint:
        key = self._key.signer(tenant)
        with self._leading() as session:
            head, last = session.log.head(tenant), session.checkpoints.latest(tenant)
            tiles = StoredTiles(session.log, tenant)
            check_head(tiles, head, last, key.verifier)
            _check_memory(tiles, last, known)
            at = self._clock()
            checkpoint = Checkpoint(key.name, head.size, head.root)
            note = sign_checkpoint(checkpoint, key, at_s=int(at.timestamp())).to_bytes().decode()
            session.checkpoints.sign(tenant, size=head.size, root=head.root, note=note, at=at)
        return SignedCheckpoint(
            tenant=tenant,
            size=head.size,
            root=head.root,
            note=note,
            cosignatures="",
            first_signed_at=at,
            signed_at=at,
        )

    @contextmanager
    def _leading(self) -> Iterator[Session]:
        """A transaction in which nobody else leads."""
        if self._fence is None:
            raise Superseded
        with self.store.write() as session:
            session.checkpoints.lead(self._fence)
            yield session


def _check_memory(tiles: StoredTiles, last: SignedCheckpoint | None, known: LogStatus) -> None:
    """Raise LogAltered where what this process signed is no longer there: a store may forget, a signature stays."""
    if known.signed_at is None:
        return
    if last is None or last.size < known.size:
        raise LogAltered(f"{known.size} entries were signed here, and that checkpoint is no longer there")
    if root_of(tiles, known.size) != known.root:
        raise LogAltered(f"the tiles of the first {known.size} entries have another root than the one signed")
