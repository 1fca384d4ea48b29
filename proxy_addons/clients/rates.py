# SPDX-License-Identifier: Apache-2.0
"""Rates counted across all workers of a node, exactly: token buckets in a memory-mapped file.

Theory: a bucket stands in one of the eight places of the set that its key's digest selects. A take locks that set (a
byte of the file, `fcntl`), refills the bucket by the time gone by, and takes a token or says how long to wait. The
kernel gives a dead worker's locks back. A bucket that is full again says no more than one that was never there, so it
gives up its place without loss; where none of a set is full, the one idle longest does.

Facts: the clock is CLOCK_MONOTONIC, one for all processes until the machine restarts; the header names the boot, and a
file of another boot begins anew. `fcntl` locks belong to a process, so one process uses one thread for takes.
"""

import asyncio
import fcntl
import hashlib
import math
import mmap
import os
import secrets
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import Rate
from proxy_addons.durable import private_directory

_MAGIC: Final = b"gatehouse.rates/1"
_HEADER: Final = struct.Struct("<32s64s32s")  # magic, boot id of the machine, key of the digests
_HEADER_BYTES: Final = 4096
# digest of the key, tokens, when they were counted, and the rate as last asked
_BUCKET: Final = struct.Struct("<32sddQQ")
_SET: Final = 8
# 65,536 subjects and policies at once in 4 MiB; only authenticated subjects that policy allowed have buckets.
_SETS: Final = 8192
# A set is held for microseconds. Where its lock is not to be had in this time a holder hangs: refuse, do not wait.
_DEADLINE_S: Final = 0.25
# Digests of keys that were asked for, so that those of busy subjects are not worked out again.
_MOST_REMEMBERED: Final = 4096
# Adding up refills rounds; without this a client that waits exactly as long as told could be refused once more.
_ALMOST_ONE: Final = 1 - 1e-9


class RateCounter(Protocol):
    """Counts what a rate grants. `tests/contract/test_rates_contract.py` holds both adapters to it."""

    async def take(self, policy: str, subject: str, rate: Rate) -> float:
        """Take one token of `subject` under `policy`: 0 where there was one, else seconds until there is.

        Raises EvaluationFailed where it cannot be counted: refuse the request.
        """

    async def close(self) -> None:
        """Give back files and connections."""


class SharedRates:
    """The RateCounter of one node: exact across its processes, kept when workers restart."""

    def __init__(self, path: Path, *, scope: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`scope` (tenant and environment) is part of every key. Raises OSError."""
        self._scope = scope.encode()
        self._clock = clock
        private_directory(path.parent)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = _HEADER_BYTES + _SETS * _SET * _BUCKET.size
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            self._key = _initialise(self._file, size)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        self._memory = mmap.mmap(self._file, size)
        self._places: dict[tuple[str, str], tuple[bytes, int]] = {}

    async def take(self, policy: str, subject: str, rate: Rate) -> float:
        digest, number = self._places.get((policy, subject)) or self._place_of(policy, subject)
        if not self._try_lock(number):
            await self._lock(number)
        try:
            return self._take(_HEADER_BYTES + number * _SET * _BUCKET.size, digest, rate)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)

    async def close(self) -> None:
        self._memory.close()
        os.close(self._file)

    def _place_of(self, policy: str, subject: str) -> tuple[bytes, int]:
        """Return the digest of a bucket's key, and the number of its set."""
        # NUL stands in none of the three, so that no two keys are written alike.
        key = b"\0".join((self._scope, policy.encode(), subject.encode()))
        digest = hashlib.blake2b(key, key=self._key, digest_size=32).digest()
        if len(self._places) >= _MOST_REMEMBERED:
            self._places.clear()
        place = self._places[policy, subject] = digest, int.from_bytes(digest[:8], "big") % _SETS
        return place

    async def _lock(self, number: int) -> None:
        """Wait for a set that another process holds."""
        deadline = time.monotonic() + _DEADLINE_S
        while not self._try_lock(number):
            if time.monotonic() > deadline:
                raise EvaluationFailed("limits", "the rate counter is locked")
            await asyncio.sleep(0)

    def _try_lock(self, number: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except BlockingIOError:
            return False
        except OSError as exc:
            raise EvaluationFailed("limits", f"the rate counter cannot be locked ({exc.strerror})") from exc
        return True

    def _take(self, start: int, digest: bytes, rate: Rate) -> float:
        now = self._clock()
        place, tokens = self._find(start, digest, rate, now)
        per_token_s = rate.per_s / rate.requests
        granted = tokens >= _ALMOST_ONE
        left = max(tokens - 1, 0.0) if granted else tokens
        _BUCKET.pack_into(self._memory, place, digest, left, now, rate.requests, rate.per_s)
        return 0.0 if granted else (1 - tokens) * per_token_s

    def _find(self, start: int, digest: bytes, rate: Rate, now: float) -> tuple[int, float]:
        """Return the bucket's place and its tokens at `now`; where it has none, the best place and a full bucket."""
        best, idle_longest = start, math.inf
        for place in range(start, start + _SET * _BUCKET.size, _BUCKET.size):
            found, tokens, counted_at, requests, per_s = _BUCKET.unpack_from(self._memory, place)
            if found == digest:
                return place, _refilled(tokens, counted_at, rate, now)
            free = not per_s or _refilled(tokens, counted_at, Rate(requests=requests, per_s=per_s), now) >= requests
            idle_since = -math.inf if free else counted_at
            if idle_since < idle_longest:
                best, idle_longest = place, idle_since
        return best, float(rate.requests)


def _refilled(tokens: float, counted_at: float, rate: Rate, now: float) -> float:
    if not (0 <= tokens < math.inf and counted_at <= now):
        return 0.0  # torn by a kill in the middle of a write: as if all were spent
    return min(float(rate.requests), tokens + (now - counted_at) * rate.requests / rate.per_s)


def _initialise(descriptor: int, size: int) -> bytes:
    """Return the digests' key, and make the file new unless it is whole and of this boot."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    header = os.pread(descriptor, _HEADER.size, 0)
    if len(header) == _HEADER.size and os.fstat(descriptor).st_size == size:
        magic, written_boot, key = _HEADER.unpack(header)
        if magic.rstrip(b"\0") == _MAGIC and written_boot.rstrip(b"\0") == boot:
            return bytes(key)
    key = secrets.token_bytes(32)  # keyed, so that no subject can choose names that fall into another's set
    # Truncating shrinks what another process may have mapped; but any that has is of this boot, and came through here.
    os.ftruncate(descriptor, 0)
    os.ftruncate(descriptor, size)
    os.pwrite(descriptor, _HEADER.pack(_MAGIC, boot, key), 0)
    return key
