# SPDX-License-Identifier: Apache-2.0
"""What the layer asks of a stream's enforcer; an exception in one of its methods becomes an outcome that fails."""

from typing import Final

import structlog

from proxy_addons.core.streaming import StreamEnforcer
from proxy_addons.http1.messages import Examined

_log: Final = structlog.get_logger()


def examine(enforcer: StreamEnforcer, content: bytes) -> Examined:
    """Return what may leave now that `content` has arrived."""
    try:
        return _examined(enforcer, enforcer.feed(content))
    except Exception as exc:  # noqa: BLE001  # whatever is wrong with the enforcer must not let the piece through
        return failing(exc)


def expire(enforcer: StreamEnforcer, now_ns: int) -> Examined:
    """Return what leaves of an enforcer that Expires, now that it is due."""
    try:
        return _examined(enforcer, enforcer.expire(now_ns))  # type: ignore[attr-defined]  # as its `due_ns` says
    except Exception as exc:  # noqa: BLE001  # as above
        return failing(exc)


def _examined(enforcer: StreamEnforcer, piece: bytes) -> Examined:
    waiting = waits(enforcer)
    return Examined(piece, cut=not waiting and has_cut(enforcer), waits=waiting)


async def decide(enforcer: StreamEnforcer) -> bool:
    """Let `enforcer` decide and return whether that failed, as a hook does."""
    await enforcer.decide()  # type: ignore[attr-defined]  # as its `waits` says
    return False


def waits(enforcer: StreamEnforcer) -> bool:
    """Whether the enforcer is one that Waits, and does. Asked as `has_cut` is."""
    return getattr(enforcer, "waits", False) is not False


def due_ns(enforcer: StreamEnforcer) -> int | None:
    """When the enforcer is due, if it is one that Expires. Asked as `has_cut` is."""
    due: int | None = getattr(enforcer, "due_ns", None)
    return due


def has_cut(enforcer: StreamEnforcer) -> bool:
    """Whether the enforcer is one that CutsByItself, and has. Asked for every piece: a protocol's check takes long."""
    return getattr(enforcer, "cut", None) is not None


def failing(exc: Exception) -> Examined:
    _log.error("enforcement_failed", stage="stream", error=type(exc).__name__)
    return Examined(b"", failed=True)


def last_bytes(enforcer: StreamEnforcer, code: str) -> bytes:
    """Return the enforcer's error event for `code`, or nothing if it cannot even give that."""
    try:
        return enforcer.abort(code)
    except Exception as exc:  # noqa: BLE001  # nothing that this enforcer still holds may leave
        _log.error("enforcement_failed", stage="abort", error=type(exc).__name__)
        return b""
