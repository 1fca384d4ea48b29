# SPDX-License-Identifier: Apache-2.0
"""Which methods of the addons each hook calls, found once at start, and calling them so that a failure is known.

mitmproxy logs an addon that raises and goes on as if it had agreed, and never calls a method whose name is misspelt.
Here a raising addon is a failed hook, which the layer turns into a refusal, and an unknown name is an error at start.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import mitmproxy.proxy.layers  # noqa: F401  # registers the hooks of all layers
import structlog
from mitmproxy import addonmanager, flow, hooks
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.events import HookCompleted

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
        self._awaiting = {
            name for name, methods in self._methods.items() if any(map(inspect.iscoroutinefunction, methods))
        }

    def __contains__(self, name: str) -> bool:
        return name in self._methods

    def awaits(self, name: str) -> bool:
        """Some method of this hook is a coroutine function, so that `run` has to be used."""
        return name in self._awaiting

    def run_inline(self, hook: hooks.Hook) -> bool:
        """Call the hook's methods, none of which is a coroutine function. Return whether it failed."""
        args = hook.args()
        for method in self._methods.get(hook.name, ()):
            try:
                result = method(*args)
            except Exception as exc:  # noqa: BLE001  # the boundary to the addons: a failure becomes a refusal
                _tell(hook.name, method, exc)
                return True
            if result is not None and inspect.isawaitable(result):
                # Not declared `async def`, so it was not foreseen, and what it would decide is not known here.
                _tell(hook.name, method, TypeError("awaitable from a plain method"))
                return True
        return _intercepted(args)

    async def run(self, hook: hooks.Hook) -> bool:
        """Call the hook's methods one after the other. Return whether it failed."""
        args = hook.args()
        for method in self._methods.get(hook.name, ()):
            try:
                result = method(*args)
                if result is not None and isinstance(result, Awaitable):
                    await result
            except Exception as exc:  # noqa: BLE001  # as above
                _tell(hook.name, method, exc)
                return True
        return _intercepted(args)


def completed(hook: StartHook, *, failed: bool) -> HookCompleted:
    """Return the event that lets a layer go on, and tells it whether `hook` failed."""
    event = HookCompleted(hook)
    # mitmproxy types a hook's reply as None; our layer is told through it.
    event.reply = failed  # type: ignore[assignment]
    return event


def _intercepted(args: Iterable[Any]) -> bool:
    """An addon wants the flow held back. There is nobody here to release it, so it is refused."""
    return any(isinstance(arg, flow.Flow) and arg.intercepted for arg in args)


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
