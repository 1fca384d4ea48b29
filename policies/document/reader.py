# SPDX-License-Identifier: Apache-2.0
"""Read the members of one object by type. What is wrong is noted and reading goes on, so that all is said at once.

A member that is wrong reads as an empty value of its type. That never gets anywhere: a document with a note against it
is rejected whole.
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from policies.contracts.codec import JSON
from policies.contracts.errors import Diagnostic, Position
from policies.contracts.screening import WHOLE_BP
from policies.document.forms import Form
from policies.document.tree import Array, Fractional, Node, Object, Scalar, shown

_E = TypeVar("_E", bound=StrEnum)


@dataclass(slots=True)
class Notes:
    """What is wrong so far."""

    diagnostics: list[Diagnostic] = field(default_factory=list)

    def add(self, code: str, at: Position, message: str, fix: str = "") -> None:
        self.diagnostics.append(Diagnostic(code=code, at=at, message=message, fix=fix))


_WORDS: Final = (
    (Fractional, "a number with a fraction"),
    (bool, "a boolean"),
    (int, "a number"),
    (str, "a text"),
)


def words_for(node: Node) -> str:
    """Return what `node` is, in an author's words."""
    if isinstance(node, Object):
        return "an object"
    if isinstance(node, Array):
        return "a list"
    return next((words for of, words in _WORDS if isinstance(node.value, of)), "nothing")


class Members:
    """The members of one object, of which `known` are permitted and `required` must be there."""

    def __init__(self, node: Object, notes: Notes, *, known: Iterable[str], required: Iterable[str] = ()) -> None:
        self.node = node
        self.notes = notes
        known = tuple(known)
        for name in node.members.keys() - set(known):
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"Is {near[0]!r} meant?" if near else f"There are: {', '.join(known)}."
            notes.add("unknown-member", node.key_places[name], f"There is no member {shown(name)} here.", fix)
        for name in required:
            if name not in node.members:
                notes.add("member-missing", node.at, f"The member {name!r} is missing.", "Add it.")

    def __contains__(self, name: str) -> bool:
        return name in self.node.members

    def at(self, name: str) -> Position:
        """Return the place of the member `name`, or of the object where there is none."""
        member = self.node.members.get(name)
        return member.at if member else self.node.at

    def text(self, name: str, form: Form) -> str:
        """Return a text of `form`; an empty one where it is left out."""
        node = self.node.members.get(name)
        return self._text(node, form) if node else ""

    def texts(self, name: str, form: Form, *, at_least: int = 0) -> tuple[str, ...]:
        """Return a list of different texts of `form`."""
        texts: list[str] = []
        seen: set[str] = set()
        for item in self._items(name, at_least=at_least):
            text = self._text(item, form)
            if text and text in seen:
                self.notes.add("duplicate-value", item.at, "This value is there already.", "Keep one.")
            seen.add(text)
            texts.append(text)
        return tuple(texts)

    def choice(self, name: str, of: type[_E], default: _E) -> _E:
        """Return one of the words of `of`."""
        node = self.node.members.get(name)
        return default if node is None else self._choice(node, name, of) or default

    def choices(self, name: str, of: type[_E]) -> tuple[_E, ...]:
        """Return a list of different words of `of`."""
        chosen: list[_E] = []
        for item in self._items(name, at_least=0):
            word = self._choice(item, f"An item of {name}", of)
            if word in chosen:
                self.notes.add("duplicate-value", item.at, f"{shown(word)} is there already.", "Keep one.")
            elif word is not None:
                chosen.append(word)
        return tuple(chosen)

    def integer(self, name: str, *, low: int, high: int) -> int | None:
        """Return a whole number from `low` to `high`; None where it is left out."""
        node = self.node.members.get(name)
        if node is None:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
            self._wrong_type(node, "a whole number")
            return None
        if not low <= node.value <= high:
            self.notes.add("out-of-range", node.at, f"{name} is {node.value}.", f"It is from {low} to {high}.")
        return node.value

    def share(self, name: str) -> int | None:
        """Return a number above 0 and at most 1 in ten-thousandths, rounded; None where it is left out."""
        node = self.node.members.get(name)
        return None if node is None else self.share_of(node, name)

    def share_of(self, node: Node, name: str) -> int | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, Fractional | int):
            self._wrong_type(node, "a number")
            return None
        exact = Decimal(value)
        # Compared before it is multiplied: an exponent of a million would make a number of as many digits.
        share = round(exact * WHOLE_BP) if 0 < exact <= 1 else 0
        if not share:
            problem = f"{name} is not above 0 and at most 1."
            self.notes.add("out-of-range", node.at, problem, "Write a share such as 0.9.")
        return share

    def boolean(self, name: str) -> bool | None:
        """Return a boolean; None where it is left out."""
        node = self.node.members.get(name)
        if node is None:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, bool):
            self._wrong_type(node, "true or false")
            return None
        return node.value

    def object(self, name: str, *, known: Iterable[str], required: Iterable[str] = ()) -> "Members | None":
        """Return the members of an object; None where it is left out."""
        node = self.node.members.get(name)
        return self._members(node, known, required) if node else None

    def objects(
        self,
        name: str,
        *,
        known: Iterable[str],
        required: Iterable[str] = (),
        at_least: int = 0,
    ) -> list["Members"]:
        """Return the members of each object of a list."""
        found = (self._members(item, known, required) for item in self._items(name, at_least=at_least))
        return [members for members in found if members]

    def entries(self, name: str, form: Form) -> Iterator[tuple[str, Node]]:
        """Give the keys, of `form`, and nodes of an object whose keys are the author's."""
        node = self.node.members.get(name)
        if node is None:
            return
        if not isinstance(node, Object):
            self._wrong_type(node, "an object")
            return
        for key, member in node.members.items():
            self._check_form(key, form, node.key_places[key])
            yield key, member

    def text_of(self, node: Node, form: Form) -> str:
        return self._text(node, form)

    def texts_of(self, node: Node, form: Form) -> tuple[str, ...]:
        if not isinstance(node, Array):
            self._wrong_type(node, "a list")
            return ()
        return tuple(self._text(item, form) for item in node.items)

    def json(self, name: str) -> dict[str, JSON]:
        """Return an object of any JSON without fractional numbers."""
        node = self.node.members.get(name)
        if node is None:
            return {}
        if not isinstance(node, Object):
            self._wrong_type(node, "an object")
            return {}
        return {key: self._json(member) for key, member in node.members.items()}

    def _json(self, node: Node) -> JSON:
        match node:  # recursion as deep as the tree, which is bounded
            case Object():
                return {key: self._json(member) for key, member in node.members.items()}
            case Array():
                return tuple(self._json(item) for item in node.items)
            case Scalar(value=Fractional()):
                self._wrong_type(node, "JSON without fractions")
                return None
        return node.value

    def _choice(self, node: Node, name: str, of: type[_E]) -> _E | None:
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value in {str(each) for each in of}:
            return of(node.value)
        said = shown(node.value) if isinstance(node, Scalar) and isinstance(node.value, str) else words_for(node)
        self.notes.add("unknown-value", node.at, f"{name} is {said}.", f"It is one of: {', '.join(of)}.")
        return None

    def _items(self, name: str, *, at_least: int) -> tuple[Node, ...]:
        node = self.node.members.get(name)
        if node is None:
            return ()
        if not isinstance(node, Array):
            self._wrong_type(node, "a list")
            return ()
        if len(node.items) < at_least:
            self.notes.add("too-few", node.at, f"{name} has {len(node.items)} items.", f"It needs {at_least}.")
        return node.items

    def _members(self, node: Node, known: Iterable[str], required: Iterable[str]) -> "Members | None":
        if isinstance(node, Object):
            return Members(node, self.notes, known=known, required=required)
        self._wrong_type(node, "an object")
        return None

    def _text(self, node: Node, form: Form) -> str:
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or isinstance(node.value, Fractional):
            self._wrong_type(node, "a text")
            return ""
        return node.value if self._check_form(node.value, form, node.at) else ""

    def _check_form(self, text: str, form: Form, at: Position) -> bool:
        if form.fits(text):
            return True
        self.notes.add(f"bad-{form.name.replace(' ', '-')}", at, f"{shown(text)} is no {form.name}.", f"{form.words}.")
        return False

    def _wrong_type(self, node: Node, wanted: str) -> None:
        plain = isinstance(node, Scalar) and wanted == "a text" and node.value is not None
        fix = f'Write it in quotes: "{_as_written(node)}".' if plain else ""
        self.notes.add("wrong-type", node.at, f"This is {words_for(node)}, not {wanted}.", fix)


def _as_written(node: Node) -> str:
    value = node.value if isinstance(node, Scalar) else ""
    return str(value).lower() if isinstance(value, bool) else str(value)
