# SPDX-License-Identifier: Apache-2.0
"""The tool calls of one choice, put together from the pieces of a stream.

Theory: the arguments of a call are JSON, which can be redacted only whole; and some clients want id, name and type in
the first piece of a call. So calls are held until the choice ends and leave as whole calls in one event.
"""

from typing import Any, Final

from proxy_addons.core.sse_tree import NotExaminable, Path, leaves, tree

# Calls larger than this, all of one answer together, are none that a tool could be called with; holding more would let
# a model fill the memory.
MAX_HELD_CHARS: Final = 262_144
_MAX_LEAVES: Final = 4_096
# What some upstreams say again, whole, in each piece of a call; others cut it in pieces like any text.
_SAID_AGAIN: Final = frozenset({"id", "type", "name"})


class Allowance:
    """How much of one answer may still be held, over all of its choices."""

    def __init__(self) -> None:
        self._chars = MAX_HELD_CHARS
        self._leaves = _MAX_LEAVES

    def take(self, *, chars: int = 0, leaves: int = 0) -> None:
        """Take a part of it. Raises NotExaminable where it is used up."""
        self._chars -= chars
        self._leaves -= leaves
        if self._chars < 0 or self._leaves < 0:
            raise NotExaminable


class HeldCalls:
    """The members `tool_calls` and `function_call` of one choice's deltas."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._texts: dict[Path, list[str]] = {}
        self._others: dict[Path, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._texts or self._others)

    def add(self, member: str, value: Any) -> None:
        """Add a piece. Raises NotExaminable where too much is held already."""
        for path, leaf in leaves(value, (member,)):
            if not isinstance(leaf, str):
                if path not in self._others:
                    self._allowance.take(leaves=1)
                self._others[path] = leaf
                continue
            pieces = self._texts.get(path)
            if pieces is None:
                self._allowance.take(leaves=1)
                pieces = self._texts[path] = []
            if leaf and not (path[-1] in _SAID_AGAIN and pieces == [leaf]):
                self._allowance.take(chars=len(leaf))
                pieces.append(leaf)

    def taken(self) -> dict[str, Any]:
        """Return the whole calls and hold nothing any more. Raises NotExaminable where the pieces fit no one value."""
        # A text that was null in another piece is that text.
        values = self._others | {path: "".join(pieces) for path, pieces in self._texts.items()}
        self._texts.clear()
        self._others.clear()
        return {name: tree({path[1:]: v for path, v in values.items() if path[0] == name}) for name in _names(values)}


def _names(values: dict[Path, Any]) -> list[str]:
    return list(dict.fromkeys(str(path[0]) for path in values))
