# SPDX-License-Identifier: Apache-2.0
"""YAML or JSON as a tree that knows its places, within bounds.

Facts about YAML that would let a reader see something else than the parser, and are refused: anchors and aliases, merge
keys, tags, several documents in one file, a key that stands twice. Scalars keep their text beside their value, so that
a `no` or an `0123` in place of a name is an error that says so, and never a boolean or a number.

JSON is read as YAML, of which it is a subset for our purposes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from policies.contracts.errors import Diagnostic, PolicyRejected, Position

MAX_DOCUMENT_BYTES: Final = 256 * 1024
_MAX_NODES: Final = 50_000
_MAX_DEPTH: Final = 32

_STANDARD_TAG: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """`tag` is `str`, `int`, `float`, `bool`, `null` or another YAML 1.1 type; `text` is as written."""

    at: Position
    tag: str
    text: str
    block: bool = False


@dataclass(frozen=True, slots=True)
class ListNode:
    at: Position
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class MapNode:
    """`entries` in the order written, each with the place of its key. No key stands twice."""

    at: Position
    entries: "tuple[tuple[str, Position, Node], ...]"

    def get(self, key: str) -> "Node | None":
        return next((value for name, _, value in self.entries if name == key), None)


Node: TypeAlias = ScalarNode | ListNode | MapNode


def read_tree(raw: bytes, file: str) -> Node:
    """Return the one document in `raw`. Raises PolicyRejected with every problem of form."""
    start = Position(file=file)
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise _one("document-too-large", start, f"It has {len(raw)} bytes; at most {MAX_DOCUMENT_BYTES} are read.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise _one("not-utf-8", Position(file=file, line=line), "It is not UTF-8.", "Save the file as UTF-8.") from exc
    try:
        _check_events(text, file)
        composed = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        problem = exc.problem or exc.context or "It cannot be read."
        raise _one("not-yaml", _position(file, mark), f"This is not YAML: {printable(problem)}.") from exc
    except yaml.YAMLError as exc:
        raise _one("not-yaml", start, "This is not YAML: it has characters that YAML does not allow.") from exc
    except ValueError as exc:
        raise _one("not-yaml", start, "This is not YAML: it has a character number that is out of range.") from exc
    if composed is None:
        raise _one("document-empty", start, "There is no document in it.", "Begin with `kind:`.")
    diagnostics: list[Diagnostic] = []
    node = _place(composed, file, "", diagnostics)
    if diagnostics:
        raise PolicyRejected(diagnostics)
    return node


def _check_events(text: str, file: str) -> None:
    """Refuse what must not be composed: the parser gives events one by one, before anything is built of them."""
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader), start=1):
        at = _position(file, event.start_mark)
        match event:
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    fix = "Put each document into a file of its own."
                    raise _one("several-documents", at, "There is a second document in the file.", fix)
            case yaml.AliasEvent():
                raise _one("alias", at, "Anchors and aliases are not allowed.", "Write the value where it is used.")
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                depth += 1
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                depth -= 1
        if isinstance(event, yaml.NodeEvent) and event.anchor:
            raise _one("alias", at, "Anchors and aliases are not allowed.", "Write the value where it is used.")
        if depth > _MAX_DEPTH or count > _MAX_NODES:
            raise _one(
                "document-too-deep", at, f"It nests deeper than {_MAX_DEPTH} or has more than {_MAX_NODES} parts."
            )
        if getattr(event, "tag", None):
            raise _one("tag", at, "Tags are not allowed.", "Quote the value if it must be a string.")


def _place(node: yaml.Node, file: str, pointer: str, diagnostics: list[Diagnostic]) -> Node:
    at = _position(file, node.start_mark, pointer)
    match node:
        case yaml.ScalarNode():
            tag = node.tag.removeprefix(_STANDARD_TAG)
            return ScalarNode(at, tag, _whole(node.value, at, diagnostics), block=node.style in ("|", ">"))
        case yaml.SequenceNode():
            items = enumerate(node.value)
            return ListNode(at, tuple(_place(item, file, f"{pointer}/{i}", diagnostics) for i, item in items))
        case _:
            return MapNode(at, tuple(_entries(node, file, pointer, diagnostics)))


def _entries(
    node: yaml.Node,
    file: str,
    pointer: str,
    diagnostics: list[Diagnostic],
) -> Iterator[tuple[str, Position, Node]]:
    seen: set[str] = set()
    for key, value in node.value:
        key_at = _position(file, key.start_mark, pointer)
        if not isinstance(key, yaml.ScalarNode):
            diagnostics.append(Diagnostic(code="key-not-a-string", at=key_at, message="A key is not a string."))
            continue
        if key.tag == f"{_STANDARD_TAG}merge":
            fix = "Write the members where they are used."
            diagnostics.append(Diagnostic(code="alias", at=key_at, message="Merge keys are not allowed.", fix=fix))
            continue
        if key.tag != f"{_STANDARD_TAG}str":
            fix = f"Write it as '{printable(key.value)}', in quotes."
            message = f"The key is not a string: YAML reads it as {key.tag.removeprefix(_STANDARD_TAG)}."
            diagnostics.append(Diagnostic(code="key-not-a-string", at=key_at, message=message, fix=fix))
            continue
        name = _whole(key.value, key_at, diagnostics)
        inner = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        key_at = _position(file, key.start_mark, inner)
        if name in seen:
            message = f"The key {printable(name)!r} stands twice."
            diagnostics.append(Diagnostic(code="duplicate-key", at=key_at, message=message, fix="Keep one."))
            continue
        seen.add(name)
        yield name, key_at, _place(value, file, inner, diagnostics)


def _whole(text: str, at: Position, diagnostics: list[Diagnostic]) -> str:
    """Return `text` with surrogate pairs, as JSON escapes write them, joined. Half a pair is no character."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        diagnostics.append(Diagnostic(code="not-utf-8", at=at, message="There is half a surrogate pair in it."))
        return ""


def _position(file: str, mark: Any, pointer: str = "") -> Position:  # yaml's and libyaml's marks share no type
    if mark is None:
        return Position(file=file, pointer=pointer)
    return Position(file=file, line=mark.line + 1, column=mark.column + 1, pointer=pointer)


def _one(code: str, at: Position, message: str, fix: str = "") -> PolicyRejected:
    return PolicyRejected([Diagnostic(code=code, at=at, message=message, fix=fix)])


def printable(text: str) -> str:
    """Return `text` fit for a message: on one line, without control characters, of sane length."""
    shown = "".join(letter if letter.isprintable() else "�" for letter in text)
    return shown if len(shown) <= 80 else shown[:79] + "…"  # noqa: PLR2004 # a line of a terminal
