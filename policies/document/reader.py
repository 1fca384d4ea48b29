# SPDX-License-Identifier: Apache-2.0
"""Typed reading of a tree. A problem is noted and reading goes on, so that an author sees all of them at once.

Every method returns a value of its type, a neutral one where there is a problem; whoever reads a document looks at
`diagnostics` at the end and uses nothing of it if there are any.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from policies.contracts.codec import JSON
from policies.contracts.errors import Diagnostic, Position
from policies.document.tree import ListNode, MapNode, Node, ScalarNode, printable

_E = TypeVar("_E", bound=StrEnum)

_LARGEST_INTEGER: Final = 2**53 - 1
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,15})")
_ID: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_ID: Final = 64


@dataclass(slots=True)
class Reader:
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def problem(self, code: str, at: Position, message: str, fix: str = "") -> None:
        self.diagnostics.append(Diagnostic(code=code, at=at, message=message, fix=fix))

    def members(self, node: Node | None, at: Position, *, required: Iterable[str], optional: Iterable[str]) -> MapNode:
        """Return `node` as a map that has all of `required` and nothing beside those and `optional`."""
        required = tuple(required)
        known = (*required, *optional)
        if not isinstance(node, MapNode):
            self.problem("wrong-type", node.at if node else at, f"A map with {_or(known)} is wanted here.")
            return MapNode(at, ())
        for name, key_at, _ in node.entries:
            if name not in known:
                fix = f"Known here: {', '.join(known)}."
                self.problem("unknown-field", key_at, f"There is no {printable(name)!r} here.", fix)
        for name in required:
            if node.get(name) is None:
                self.problem("missing-field", node.at, f"{name!r} is missing.", f"Add {name!r}.")
        return node

    def text(self, node: Node | None, *, what: str, longest: int = 4096, empty: bool = False) -> str:
        if node is None:
            return ""
        if not isinstance(node, ScalarNode):
            self.problem("wrong-type", node.at, f"{what} must be a string.")
            return ""
        if node.tag != "str":
            fix = f'Write "{printable(node.text)}", in quotes.' if node.text else "Write a string."
            self.problem("wrong-type", node.at, f"{what} must be a string; YAML reads this as {node.tag}.", fix)
            return ""
        if len(node.text) > longest or not (node.text or empty):
            self.problem("wrong-length", node.at, f"{what} must have {0 if empty else 1} to {longest} characters.")
            return ""
        return node.text

    def matching(self, node: Node | None, pattern: re.Pattern[str], *, what: str, form: str) -> str:
        """Return a string of the form `pattern`; `form` says the form in words."""
        text = self.text(node, what=what)
        if text and node is not None and not pattern.fullmatch(text):
            self.problem("wrong-form", node.at, f"{printable(text)!r} is not {what}.", f"It must be {form}.")
            return ""
        return text

    def identifier(self, node: Node | None, *, what: str) -> str:
        text = self.matching(
            node, _ID, what=what, form="lower-case words and digits joined by '-', such as 'chat-access'"
        )
        if len(text) > _MAX_ID and node is not None:
            self.problem("wrong-length", node.at, f"{what} must have at most {_MAX_ID} characters.")
            return ""
        return text

    def choice(self, node: Node | None, choices: type[_E], *, default: _E, what: str) -> _E:
        if node is None:
            return default
        text = node.text if isinstance(node, ScalarNode) else ""
        try:
            return choices(text)
        except ValueError:
            shown = f"{printable(text)!r} is not" if text else "This is not"
            self.problem("unknown-value", node.at, f"{shown} {what}.", f"It is one of {', '.join(choices)}.")
            return default

    def integer(self, node: Node | None, *, least: int, most: int, what: str) -> int:
        if node is None:
            return least
        text = node.text if isinstance(node, ScalarNode) and node.tag == "int" else ""
        # YAML 1.1 has octal, hexadecimal, binary and base-60 integers: `010` is 8 and `1:30` is 90.
        if not _DECIMAL.fullmatch(text) or not least <= int(text) <= most:
            self.problem("wrong-number", node.at, f"{what} must be a decimal integer from {least} to {most}.")
            return least
        return int(text)

    def boolean(self, node: Node, *, what: str) -> bool:
        if isinstance(node, ScalarNode) and node.text in ("true", "false") and node.tag == "bool":
            return node.text == "true"
        self.problem("wrong-type", node.at, f"{what} must be true or false.")
        return False

    def items(self, node: Node | None, *, what: str, least: int = 0, most: int = 100_000) -> Sequence[Node]:
        if node is None:
            return ()
        if not isinstance(node, ListNode):
            self.problem("wrong-type", node.at, f"{what} must be a list.")
            return ()
        if not least <= len(node.items) <= most:
            self.problem("wrong-length", node.at, f"{what} must have {least} to {most} items.")
            return ()
        return node.items

    def json(self, node: Node) -> JSON:  # noqa: PLR0911 # one for each type there is
        """Return any JSON value without floating point."""
        match node:
            case MapNode():
                return {name: self.json(value) for name, _, value in node.entries}
            case ListNode():
                return [self.json(item) for item in node.items]
            case ScalarNode(tag="str"):
                return node.text
            case ScalarNode(tag="null"):
                return None
            case ScalarNode(tag="bool"):
                return self.boolean(node, what="A truth value")
            case ScalarNode(tag="int"):
                return self.integer(node, least=-_LARGEST_INTEGER, most=_LARGEST_INTEGER, what="A number")
            case _:
                fix = "Write an integer, or the value in quotes."
                self.problem("wrong-type", node.at, "Only strings, integers, true, false, null, lists and maps.", fix)
                return None

    def unique(self, names: Iterable[tuple[str, Position]], *, what: str) -> None:
        seen: set[str] = set()
        for name, at in names:
            if name and name in seen:
                self.problem("duplicate-id", at, f"There are two {what} {name!r}.", "Give each a name of its own.")
            seen.add(name)


def _or(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
