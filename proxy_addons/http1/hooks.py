# SPDX-License-Identifier: Apache-2.0
"""Which methods of the addons each hook calls, found once at start, and calling them so that a failure is known.

mitmproxy logs an addon that raises and goes on as if it had agreed, and never calls a method whose name is misspelt.
Here a raising addon is a failed hook, which the layer turns into a refusal, and an unknown name is an error at start.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import mitmproxy.proxy.layers  # noqa: F401  # registers the hooks of all layers
import structlog
from mitmproxy import addonmanager, hooks

from proxy_addons.http1.eager import start

_log: Final = structlog.get_logger()

# An addon's class lists here its public methods that are not hooks.
NOT_HOOKS: Final = "NOT_HOOKS"


class MisspeltHook(ValueError):
    """An addon has a public method that is no hook and that it does not declare in NOT_HOOKS."""


class HookTable:
    """The addons' methods by hook name, in the order of the addons."""

    def __init__(self, addons: Sequence[object]) -> None:
        """Raises MisspeltHook."""
        chain = tuple(addonmanager.traverse(addons))
        for addon in chain:
            _check_names(addon)
        self._methods: Mapping[str, tuple[Callable[..., object], ...]] = {
            name: methods for name in hooks.all_hooks if (methods := tuple(_methods(chain, name)))
        }

    def __contains__(self, name: str) -> bool:
        return name in self._methods

    def start(self, name: str, subject: object) -> "bool | asyncio.Task[bool]":
        """Call the methods of the hook `name`. Return whether it failed, or, where one waits, the task that says so.

        They are called in place up to the first that gives an awaitable: most hooks have none, and need no coroutine.
        """
        methods = self._methods.get(name, ())
        try:
            for called, method in enumerate(methods, 1):
                try:
                    result = method(subject)
                except Exception as exc:  # noqa: BLE001  # the boundary to the addons: a failure becomes a refusal
                    _tell(name, method, exc)
                    return True
                if result is not None and inspect.isawaitable(result):
                    return start(self._go_on(name, subject, result, methods[called - 1 :]))
        except asyncio.CancelledError:
            return True
        return _intercepted(subject)

    async def _go_on(
        self, name: str, subject: object, begun: Awaitable[object], methods: Sequence[Callable[..., object]]
    ) -> bool:
        """Wait for `begun`, which the first of `methods` gave, and call the others."""
        result: object = begun
        for called, method in enumerate(methods):
            try:
                if called:
                    result = method(subject)
                if result is not None and inspect.isawaitable(result):
                    await result
            except Exception as exc:  # noqa: BLE001  # as above
                _tell(name, method, exc)
                return True
        return _intercepted(subject)


def _intercepted(subject: object) -> bool:
    """An addon wants the flow held back. There is nobody here to release it, so it is refused."""
    # Not by its type: the check of an abstract class takes a microsecond.
    return getattr(subject, "intercepted", False) is not False


def _methods(chain: Iterable[object], name: str) -> Iterable[Callable[..., object]]:
    for addon in chain:
        method = getattr(addon, name, None)
        if callable(method):
            yield method


def _check_names(addon: object) -> None:
    declared: frozenset[str] = getattr(addon, NOT_HOOKS, frozenset())
    for name, member in inspect.getmembers_static(type(addon)):
        if name.startswith("_") or name in hooks.all_hooks or name in declared or isinstance(member, type):
            continue
        if inspect.isroutine(member) and not hasattr(member, "command_name"):
            raise MisspeltHook(
                f"{type(addon).__name__}.{name} is no mitmproxy hook; declare it in {NOT_HOOKS} if meant"
            )


def _tell(hook: str, method: Callable[..., object], exc: Exception) -> None:
    owner = getattr(method, "__self__", None)
    _log.error("enforcement_failed", hook=hook, addon=type(owner).__name__, error=type(exc).__name__)
