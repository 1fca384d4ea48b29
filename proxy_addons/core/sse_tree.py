# SPDX-License-Identifier: Apache-2.0
"""Pieces of a delta by their path, and the delta that holds a text at a path.

A path has the names of members and, for the items of a list, their numbers: what an item says is its `index`, or else
its place. Tool calls say which one they continue, and their place in the event's list means nothing.
"""

from collections.abc import Iterator
from typing import Any, Final

Path = tuple[str | int, ...]

MAX_INDEX: Final = 1_024


class NotExaminable(Exception):
    """An event of a shape that is not its dialect's, or with more in it than is held."""


def index_of(item: Any, place: int) -> int:
    """Return the number of a list's item. Raises NotExaminable for one that is no small number."""
    index = item.get("index", place) if isinstance(item, dict) else place
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < MAX_INDEX:
        raise NotExaminable
    return index


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Give every value within `value` that is no container, with its path."""
    match value:
        case dict():
            for key, item in value.items():
                yield from leaves(item, (*path, key))
        case list():
            for place, item in enumerate(value):
                yield from leaves(item, (*path, index_of(item, place)))
        case _:
            yield path, value


def nested(path: Path, text: str) -> Any:
    """Return `text` within the objects and lists that `path` names."""
    if not path:
        return text
    inner = nested(path[1:], text)
    match path[0]:
        case int(index):
            return [{"index": index, **inner} if isinstance(inner, dict) else inner]
        case name:
            return {name: inner}


def tree(values: dict[Path, Any]) -> Any:
    """Return the value whose leaves these are; list items in the order of their numbers. Raises NotExaminable."""
    if () in values:
        if len(values) > 1:
            raise NotExaminable
        return values[()]
    below: dict[str | int, dict[Path, Any]] = {}
    for path, value in values.items():
        below.setdefault(path[0], {})[path[1:]] = value
    if all(isinstance(part, int) for part in below):
        return [tree(below[number]) for number in sorted(below, key=int)]
    if any(isinstance(part, int) for part in below):
        raise NotExaminable
    return {name: tree(inner) for name, inner in below.items()}
