# SPDX-License-Identifier: Apache-2.0
"""Whether processes grow: the resident memory of each, early in its life and late."""

import statistics
import time
from dataclasses import dataclass, field

import psutil

# What allocators and caches of a process that serves take before they settle: a control plane that is kept from the
# processor by other work has been seen to settle 23 MiB higher, half a minute late.
_ALLOWED_BYTES = 24 * 2**20
_ALLOWED_SHARE = 0.05


@dataclass
class Growth:
    """`sample` now and then; `grown` names those that did. Only lives of at least `settled_s` are judged."""

    settled_s: float
    _samples: dict[tuple[str, int], list[tuple[float, int]]] = field(default_factory=dict)

    def sample(self, parts: dict[str, int]) -> None:
        now = time.monotonic()
        for name, pid in parts.items():
            try:
                parent = psutil.Process(pid)
                family = [(name, parent)] + [(f"{name} child", child) for child in parent.children(recursive=True)]
                for called, process in family:
                    at = self._samples.setdefault((called, process.pid), [])
                    at.append((now, process.memory_info().rss))
            except psutil.Error:
                continue  # it was just killed

    def lives(self) -> list[tuple[str, int, int]]:
        """Return (name, early bytes, late bytes) of each life that was long enough: medians of two quarters of it."""
        found = []
        for (name, _), samples in self._samples.items():
            began, ended = samples[0][0], samples[-1][0]
            if ended - began < 2 * self.settled_s:
                continue
            settled = [size for at, size in samples if at - began >= self.settled_s]
            quarter = max(len(settled) // 4, 1)
            found.append((name, int(statistics.median(settled[:quarter])), int(statistics.median(settled[-quarter:]))))
        return found

    def grown(self) -> list[str]:
        return [
            f"{name} grew from {early:,} to {late:,} bytes"
            for name, early, late in self.lives()
            if late > early * (1 + _ALLOWED_SHARE) + _ALLOWED_BYTES
        ]
