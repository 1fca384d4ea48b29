# SPDX-License-Identifier: Apache-2.0
"""Remember what was computed from a snapshot for as long as the snapshot lives.

Facts: a snapshot never changes, it cannot be hashed (it has mappings), and two of them are in use side by side while
one replaces the other. So an index is kept by the snapshot's identity and dropped by its finalizer, which runs before
the identity can be used again.
"""

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from policies.contracts.snapshot import PolicySnapshot

_T = TypeVar("_T")


def per_snapshot(build: Callable[[PolicySnapshot], _T]) -> Callable[[PolicySnapshot], _T]:
    """Return `build` computing once for each living snapshot. `build` MUST NOT keep the snapshot in its result."""
    built: dict[int, _T] = {}

    @wraps(build)
    def lookup(snapshot: PolicySnapshot) -> _T:
        key = id(snapshot)
        if key not in built:
            built[key] = build(snapshot)
            weakref.finalize(snapshot, built.pop, key, None)
        return built[key]

    return lookup
