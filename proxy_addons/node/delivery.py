# SPDX-License-Identifier: Apache-2.0
"""Delivers a batch of records: whole, or in halves where the control plane does not take it whole.

Rules: a line is set aside only where the control plane refuses it alone and takes an empty batch from us at the same
time. Whatever refuses everything (a wrong address, something in between) is no line's fault, and is waited for.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from proxy_addons.clients.control_plane import ControlPlane, ControlPlaneUnavailable
from proxy_addons.durable import private_directory, write_durably

_log: Final = structlog.get_logger()

# Statuses that may be due to what was sent: bad, too large, of a kind not taken, not to be made sense of.
_OF_THE_BATCH: Final = frozenset({400, 413, 415, 422})
_TOO_LARGE: Final = 413
# As docs/spec/decision-record.md limits a request, with half its bytes to spare.
_MOST_BYTES: Final = 4 * 1024 * 1024
# Whoever takes less than this does not want records.
_LEAST_BYTES: Final = 64 * 1024
_NO_RECORDS: Final = b"\n"


class SetAside:
    """The lines that the control plane takes in no way, one file each, for a person to look at."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def count(self) -> int:
        return sum(1 for _ in self._directory.glob("*.line"))

    def keep(self, line: bytes, *, problem: str) -> None:
        """Return when `line` is durable here. Raises OSError."""
        name = hashlib.sha256(line).hexdigest()
        write_durably(private_directory(self._directory) / f"{name}.line", line)
        # By its digest: a line has personal content.
        _log.error("record_set_aside", digest=f"sha256:{name}", problem=problem)


class Delivery:
    """`max_bytes` is how large a batch may be: less than at first where something in between takes no more."""

    def __init__(self, control_plane: ControlPlane, set_aside: SetAside) -> None:
        self.max_bytes = _MOST_BYTES
        self._control_plane = control_plane
        self._set_aside = set_aside

    async def deliver(self, lines: Sequence[bytes]) -> None:
        """Return once each of `lines` is durable at the control plane, or here where it is refused for itself.

        Raises ControlPlaneUnavailable where that is to be tried again with all of them: what is sent twice is stored
        once. Raises OSError where a line cannot be set aside.
        """
        batch = b"".join(lines)
        try:
            await self._control_plane.append_records(batch)
        except ControlPlaneUnavailable as exc:
            if exc.status not in _OF_THE_BATCH:
                raise
            if exc.status == _TOO_LARGE:
                self.max_bytes = max(_LEAST_BYTES, min(self.max_bytes, len(batch) // 2))
            problem = str(exc)
        else:
            return
        if len(lines) > 1:
            half = len(lines) // 2
            await self.deliver(lines[:half])
            await self.deliver(lines[half:])
            return
        await self._control_plane.append_records(_NO_RECORDS)
        await asyncio.to_thread(self._set_aside.keep, lines[0], problem=problem)
