# SPDX-License-Identifier: Apache-2.0
"""The one catch-all: an exception in a hook is a refusal. mitmproxy alone would log it and forward the request."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar, cast

import structlog
from mitmproxy import http

from policies.contracts.decision import Reason
from policies.contracts.errors import EvaluationFailed
from proxy_addons.addons.flows import Hook, exchange_of, stop
from proxy_addons.http1.refusal import refusal_response

_log: Final = structlog.get_logger()
_HookMethod = TypeVar("_HookMethod", bound=Callable[..., Any])

POLICY_UNAVAILABLE: Final = "policy-unavailable"
EVALUATION_FAILED: Final = "evaluation-failed"


def fail_closed(hook: Hook) -> Callable[[_HookMethod], _HookMethod]:
    """Make a hook refuse the flow where it raises. A hook that is cancelled refuses too, before it ends.

    A plain hook may return a coroutine where it has to wait; what that raises refuses likewise.
    """

    def decorate(method: _HookMethod) -> _HookMethod:
        if method.__name__ != hook:
            raise TypeError(f"{method.__qualname__} is not the hook {hook}; mitmproxy would never call it")
        return cast("_HookMethod", _guarded(method, hook))

    return decorate


def _guarded(
    method: Callable[..., Awaitable[None] | None], hook: Hook
) -> Callable[..., Coroutine[Any, Any, None] | None]:
    @functools.wraps(method)
    def guarded(addon: object, flow: http.HTTPFlow) -> Coroutine[Any, Any, None] | None:
        try:
            begun = method(addon, flow)
        except Exception as exc:  # noqa: BLE001  # the one place: whatever it was, the request must not go on
            _refuse(flow, exc, addon, hook)
            return None
        return None if begun is None else _awaited(begun, flow, addon, hook)

    return guarded


async def _awaited(begun: Awaitable[None], flow: http.HTTPFlow, addon: object, hook: Hook) -> None:
    try:
        await begun
    except Exception as exc:  # noqa: BLE001  # as above
        _refuse(flow, exc, addon, hook)
    except asyncio.CancelledError as exc:
        _refuse(flow, exc, addon, hook)
        raise


def _refuse(flow: http.HTTPFlow, problem: BaseException, addon: object, hook: Hook) -> None:
    code = EVALUATION_FAILED if isinstance(problem, EvaluationFailed) else POLICY_UNAVAILABLE
    try:
        exchange = exchange_of(flow)
    except LookupError:
        # The layer's own mistake. There is nothing to record by, but the request still must not go on.
        flow.response = refusal_response(code, "unknown")
        _log.error("enforcement_failed", hook=hook.value, addon=type(addon).__name__, error=type(problem).__name__)
        return
    # The type only: the message of an exception may quote the prompt that caused it.
    _log.error(
        "enforcement_failed",
        request_id=exchange.request_id,
        hook=hook.value,
        addon=type(addon).__name__,
        error=type(problem).__name__,
    )
    stop(flow, exchange, Reason(code=code), hook)
