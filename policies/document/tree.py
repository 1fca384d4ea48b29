# SPDX-License-Identifier: Apache-2.0
"""YAML or JSON bytes as a tree whose every node knows its place, and nothing that two readers could see differently.

Theory: the parser's events are taken one by one, so that a hostile file is left at the first event too many: nesting
never reaches Python's stack, aliases never multiply. What is refused is what lets a reader see something else than the
parser: aliases, anchors, tags, merge keys, several documents, duplicate keys, and plain scalars that YAML 1.1 takes for
another type than they look like (`no`, `012`, `1:30`, `2026-11-20`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import yaml
from yaml.resolver import Resolver

from policies.contracts.errors import Diagnostic, PolicyRejected, Position
from policies.document.yaml_events import yaml_events

# A redaction policy with 1,000 patterns and 10,000 literals has half of either.
MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LARGEST_EXACT: Final = 2**53 - 1
_DIGITS_OF_IT: Final = 17  # a sign and sixteen digits
_CONSTANTS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Fractional(str):
    """A number with a fraction or an exponent, as written. Only members that are shares of one take such a number."""

    __slots__ = ()


Value: TypeAlias = "str | int | bool | Fractional | None"


@dataclass(frozen=True, slots=True)
class Scalar:
    """`block_at` is where the text begins if it is a block scalar."""

    value: Value
    at: Position
    block_at: Position | None = None


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple["Node", ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Object:
    """`key_places` has the place of each key."""

    members: Mapping[str, "Node"]
    key_places: Mapping[str, Position]
    at: Position


Node: TypeAlias = Scalar | Array | Object


def read_tree(file: str, raw: bytes) -> Node:
    """Return the tree of `raw`. Raises PolicyRejected with what is wrong with it."""
    start = Position(file=file)
    if len(raw) > MAX_BYTES:
        raise _rejected("document-too-large", start, f"The file has more than {MAX_BYTES} bytes.", "Split the policy.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        at = Position(file=file, line=line)
        raise _rejected("not-utf8", at, "The file is not UTF-8.", "Save it as UTF-8.") from exc
    if file.lower().endswith(".json") or text.lstrip()[:1] == "{":
        text = _checked_json(file, text)
    builder = _Builder(file, text)
    try:
        return builder.build(yaml_events(text))
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        at = Position(file=file, line=mark.line + 1, column=mark.column + 1) if mark else start
        raise _rejected("not-yaml", at, f"The file is not YAML: {exc.problem or exc.context}.") from exc
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        at = Position(file=file, line=line)
        raise _rejected("not-yaml", at, "The file has a character that YAML does not allow.", "Remove it.") from exc
    except (ValueError, OverflowError, IndexError) as exc:  # escapes beyond Unicode: PyYAML does not check them
        raise _rejected("not-yaml", start, "The file has an escape that is no character.", "Remove it.") from exc


def _checked_json(file: str, text: str) -> str:
    """Return JSON as the YAML it is: valid JSON has tabs only between its tokens, where YAML wants blanks."""
    try:
        json.loads(text, parse_int=str)
    except json.JSONDecodeError as exc:
        if not file.lower().endswith(".json"):
            return text  # it may be YAML in flow style
        at = Position(file=file, line=exc.lineno, column=exc.colno)
        raise _rejected("not-json", at, f"The file is not JSON: {exc.msg}.") from exc
    except RecursionError as exc:
        raise _rejected("too-deep", Position(file=file), f"Nested more than {MAX_DEPTH} deep.") from exc
    return text.replace("\t", " ")


@dataclass(slots=True)
class _Builder:
    file: str
    text: str
    nodes: int = 0

    def build(self, events: Iterator[yaml.Event]) -> Node:
        """Return the one tree of `events`."""
        root: Node | None = None
        open_nodes: list[_Open] = []
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._check_directives(event, second=root is not None)
                continue
            if not isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                continue
            if isinstance(event, yaml.CollectionEndEvent):
                finished = open_nodes.pop().finish()
            else:
                at = self._place(event, open_nodes)
                self._check(event, at, depth=len(open_nodes))
                if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                    if open_nodes and open_nodes[-1].wants_key:
                        raise _rejected("key-not-text", at, "A key is a list or an object.", "Keys are texts.")
                    open_nodes.append(_Open(at, is_object=isinstance(event, yaml.MappingStartEvent)))
                    continue
                finished = self._scalar(cast("yaml.ScalarEvent", event), at)
            if open_nodes:
                open_nodes[-1].take(finished)
            else:
                root = finished
        if root is None:
            raise _rejected("document-empty", Position(file=self.file), "The file has no document.")
        return root

    def _place(self, event: yaml.Event, open_nodes: list["_Open"]) -> Position:
        pointer = open_nodes[-1].next_pointer() if open_nodes else ""
        return _position(self.file, event.start_mark, pointer)

    def _check(self, event: yaml.NodeEvent, at: Position, *, depth: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _rejected("too-many-values", at, f"The file has more than {MAX_NODES} values.", "Split the policy.")
        if depth >= MAX_DEPTH:
            raise _rejected("too-deep", at, f"Nested more than {MAX_DEPTH} deep.")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _rejected("alias-not-permitted", at, "Anchors and aliases are not permitted.", "Write it out.")
        if getattr(event, "tag", None) is not None:
            raise _rejected("tag-not-permitted", at, "Tags are not permitted.", "Remove the tag.")

    def _check_directives(self, event: yaml.DocumentStartEvent, *, second: bool) -> None:
        at = _position(self.file, event.start_mark)
        if second:
            raise _rejected("several-documents", at, "The file has several documents.", "Give each a file of its own.")
        if event.tags or event.version:
            raise _rejected("tag-not-permitted", at, "YAML directives are not permitted.", "Remove them.")

    def _scalar(self, event: yaml.ScalarEvent, at: Position) -> Scalar:
        if not event.style:  # None by PyYAML, empty by libyaml
            return Scalar(_plain(event.value, at), at)
        try:  # JSON writes characters beyond the basic plane as two escapes, which PyYAML leaves apart
            value = event.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as exc:
            raise _rejected("not-unicode", at, "The text has half of a surrogate pair.") from exc
        if event.style != "|":
            return Scalar(value, at)
        return Scalar(value, at, self._block_start(at))

    def _block_start(self, at: Position) -> Position:
        """Return where the text of a block scalar begins: on the line below its `|`, behind the indentation."""
        line = at.line
        rows = self.text.split("\n")[line:]
        first = next((row for row in rows if row.strip()), "")
        indent = len(first) - len(first.lstrip(" "))
        return Position(file=self.file, line=line + 1, column=indent + 1, pointer=at.pointer)


class _Open:
    """An array or object whose end has not come."""

    def __init__(self, at: Position, *, is_object: bool) -> None:
        self._at = at
        self._is_object = is_object
        self._items: list[Node] = []
        self._members: dict[str, Node] = {}
        self._keys: dict[str, Position] = {}
        self._key: str | None = None

    @property
    def wants_key(self) -> bool:
        return self._is_object and self._key is None

    def next_pointer(self) -> str:
        """Return the pointer of the node that comes next; for a key, that of its object."""
        if not self._is_object:
            return f"{self._at.pointer}/{len(self._items)}"
        return self._at.pointer if self._key is None else f"{self._at.pointer}/{escaped(self._key)}"

    def take(self, node: Node) -> None:
        if not self._is_object:
            self._items.append(node)
        elif self._key is not None:
            self._members[self._key] = node
            self._key = None
        elif isinstance(node, Scalar) and isinstance(node.value, str) and not isinstance(node.value, Fractional):
            if node.value in self._members:
                raise _rejected("duplicate-key", node.at, f"The key {shown(node.value)} is there already.", "Keep one.")
            self._key = node.value
            self._keys[node.value] = node.at
        else:
            raise _rejected("key-not-text", node.at, "A key is not a text.", "Write it in quotes.")

    def finish(self) -> Node:
        return Object(self._members, self._keys, self._at) if self._is_object else Array(tuple(self._items), self._at)


def _position(file: str, mark: Any, pointer: str = "") -> Position:  # PyYAML's types make every mark optional
    return Position(file=file, line=mark.line + 1, column=mark.column + 1, pointer=pointer)


_RESOLVER: Final[Any] = Resolver()


def _plain(text: str, at: Position) -> Value:
    """Return what a scalar without quotes is, by a form that YAML 1.1, 1.2 and JSON agree on."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > _DIGITS_OF_IT or abs(int(text)) > _LARGEST_EXACT:
            raise _rejected("number-too-large", at, "The number is beyond 2^53 - 1.", "Write it as a text, in quotes.")
        return int(text)
    if _FLOAT.fullmatch(text):
        return Fractional(text)
    tag = str(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False))).rpartition(":")[2]
    if tag != "str":
        fix = "Write it out." if tag == "merge" else f'If a text is meant, write it in quotes: "{text[:40]}".'
        raise _rejected("ambiguous-scalar", at, f"{shown(text)} without quotes is a {tag} to some readers.", fix)
    return text


def escaped(key: str) -> str:
    """Return `key` as a JSON pointer writes it."""
    return key.replace("~", "~0").replace("/", "~1")


def shown(text: str) -> str:
    """Return `text` fit for a message: in quotes, escaped, cut."""
    return json.dumps(text if len(text) <= 40 else text[:40] + "…", ensure_ascii=True)  # noqa: PLR2004  # the cut, told twice here


def _rejected(code: str, at: Position, message: str, fix: str = "") -> PolicyRejected:
    return PolicyRejected([Diagnostic(code=code, at=at, message=message, fix=fix)])
