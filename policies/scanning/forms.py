# SPDX-License-Identifier: Apache-2.0
r"""The forms in which a tree is given to hyperscan.

Theory. Hyperscan tells where matches end, not where they begin (its start of match is refused for large repetitions,
and dear for all). Three forms of one expression tell all there is to know, each in linear time:

* *forward*: where a match ends;
* *backward*, the expression read from its end: run over the text before such an end, turned round and anchored there,
  it tells every place where a match with that end begins;
* *opening*, whatever a match may begin with, read from its end: run over the whole text turned round, anchored at its
  end, it tells which of the text's last characters may be the beginning of a match that goes on beyond them. That is
  the shortest that a stream must hold back.

Every form has what stands beside the match as one more character (`beside`), so that "nothing of its kind may touch a
match" is decided by hyperscan, which then reports a long match once and not for each of its characters.
"""

import re
from typing import Final

from policies.scanning.tree import Chars, Choice, Node, Repeat, Sequence, Value, widths

_ALL: Final = frozenset(range(256))
# More characters than digits and hexadecimal digits are, and longer than what hyperscan has at a glance.
_FEW: Final = 16
# What begins with one of so many bytes, or fewer, is rare.
_RARE: Final = 2
# So many characters that are each one of few make a beginning that little else has.
_OWN: Final = 3


def forward(node: Node, *, before: frozenset[int], behind: frozenset[int]) -> str:
    """Return the form. `before` and `behind` are what may not touch a match on that side."""
    return f"{_none_of(before)}(?:{_written(node)}){_none_of(behind)}"


def core(node: Node) -> Node | None:
    """Return `node` without the beginning that nearly everything matches; None where it has none.

    Each letter of a text may begin an address, but few stand before an `@`. Hyperscan passes over prose some ten times
    as fast where it need not follow the letters. What it then tells are ends of matches of the core, among them all of
    matches of the whole: those that are none have no beginning in the backward form.
    """
    if not isinstance(node, Sequence):
        return None
    for count, part in enumerate(node.parts):
        if not _is_wide(part, few=_FEW - 1):
            return _without(node.parts[:count], node.parts[count:])
    return None


def _without(beginning: tuple[Node, ...], rest: tuple[Node, ...]) -> Node | None:
    """Return the rest, behind the shortest beginning where all that varies is how long it is; None for no core."""
    if any(map(_is_long, beginning)):
        return Sequence(rest)
    match beginning:
        case (*_, Repeat(part, least, most)) if least != most:
            if len(_first_of(rest[0])) <= _RARE:
                return Sequence(rest)
            return Sequence((Repeat(part, least, least), *rest)) if least else None
    return None


def _first_of(node: Node) -> frozenset[int]:
    """Return what a match may begin with; all bytes where it may be empty."""
    if not widths(node)[0]:
        return _ALL
    match node:
        case Chars(of):
            return of
        case Repeat(part) | Value(part):
            return _first_of(part)
        case Choice(parts):
            return frozenset().union(*map(_first_of, parts))
        case Sequence(parts):
            return _first_of(next(part for part in parts if widths(part)[0]))


def _is_wide(node: Node, few: int = _FEW) -> bool:
    """Whether each character that a part matches is one of many."""
    match node:
        case Chars(of):
            return len(of) > few
        case Repeat(part) | Value(part):
            return _is_wide(part, few)
        case Sequence(parts) | Choice(parts):
            return all(_is_wide(part, few) for part in parts)


def _is_long(node: Node) -> bool:
    low, high = widths(node)
    return high is None or high - low >= _FEW or low >= _FEW


def backward(node: Node, *, before: frozenset[int]) -> str:
    return f"^(?:{_written(_turned(node))}){_none_of(before)}"


def opening(node: Node, *, before: frozenset[int]) -> str | None:
    """Return the form; None for an expression that only nothing matches."""
    begun = _begun(_uncounted(node))
    return None if begun is None else f"^(?:{_written(begun)}){_none_of(before)}"


def for_value(node: Node) -> re.Pattern[bytes]:
    """Return what tells the part of a match that is the value, in its group 1."""
    return re.compile(_written(node, group="(").encode(), re.DOTALL)


def _none_of(touching: frozenset[int]) -> str:
    return _written(Chars(_ALL - touching))


def _written(node: Node, *, group: str = "(?:") -> str:
    match node:
        case Chars(of):
            return _class(of)
        case Value(part):
            return f"{group}{_written(part)})"
        case Sequence(parts):
            return "".join(_part(part, group) for part in parts)
        case Choice(parts):
            return "|".join(_written(part, group=group) for part in parts)
        case Repeat(part, least, most):
            return f"{_part(part, group, repeated=True)}{_bounds(least, most)}"


def _part(node: Node, group: str, *, repeated: bool = False) -> str:
    written = _written(node, group=group)
    bare = isinstance(node, Chars) or (not repeated and isinstance(node, Sequence | Repeat | Value))
    return written if bare else f"(?:{written})"


def _bounds(least: int, most: int | None) -> str:
    if (least, most) == (0, 1):
        return "?"
    if most is None:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}")
    return f"{{{least}}}" if least == most else f"{{{least},{most}}}"


def _class(of: frozenset[int]) -> str:
    if of == _ALL:
        return r"[\x00-\xff]"
    ranges: list[tuple[int, int]] = []
    for byte in sorted(of):
        if ranges and ranges[-1][1] == byte - 1:
            ranges[-1] = (ranges[-1][0], byte)
        else:
            ranges.append((byte, byte))
    inside = "".join(f"\\x{low:02x}" if low == high else f"\\x{low:02x}-\\x{high:02x}" for low, high in ranges)
    return inside if len(of) == 1 else f"[{inside}]"


def _turned(node: Node) -> Node:
    match node:
        case Chars():
            return node
        case Value(part):
            return _turned(part)
        case Sequence(parts):
            return Sequence(tuple(_turned(part) for part in reversed(parts)))
        case Choice(parts):
            return Choice(tuple(map(_turned, parts)))
        case Repeat(part, least, most):
            return Repeat(_turned(part), least, most)


def _uncounted(node: Node) -> Node:
    """Return `node` without the upper limits of what stands behind a beginning of its own, such as `ghp_`.

    What begins so is rare, and held to its end at the most; counting how long it may be would take a state for each
    turn, of all patterns together a compiled form of several megabytes.
    """
    if not isinstance(node, Sequence):
        return node
    own = 0
    for count, part in enumerate(node.parts):
        if own >= _OWN:
            return Sequence((*node.parts[:count], *map(_without_limits, node.parts[count:])))
        own += 0 if _is_wide(part) else widths(part)[0]
    return node


def _without_limits(node: Node) -> Node:
    match node:
        case Repeat(part, least, most) if most is None or most > _FEW or least > _FEW:
            return Repeat(_without_limits(part), 0, None)
        case Repeat(part, least, most):
            return Repeat(_without_limits(part), least, most)
        case Sequence(parts):
            return Sequence(tuple(map(_without_limits, parts)))
        case Choice(parts):
            return Choice(tuple(map(_without_limits, parts)))
        case Value(part):
            return _without_limits(part)
        case _:
            return node


def _begun(node: Node) -> Node | None:
    """Return what a match may begin with, at least one character and up to all of it, turned round."""
    match node:
        case Chars():
            return node
        case Value(part):
            return _begun(part)
        case Choice(parts):
            options = tuple(begun for part in parts if (begun := _begun(part)) is not None)
            return Choice(options) if options else None
        case Repeat(part, _, most):
            begun = _begun(part)
            if begun is None or most == 1:
                return begun
            return Sequence((begun, Repeat(_turned(part), 0, None if most is None else most - 1)))
        case Sequence(parts):
            return _sequence_begun(parts)


def _sequence_begun(parts: tuple[Node, ...]) -> Node | None:
    """The first part begun, or the second behind the whole first, and so on; written without nesting twice."""
    begun: Node | None = None
    for part in reversed(parts):
        first = _begun(part)
        later = None if begun is None else Sequence((begun, _turned(part)))
        options = tuple(option for option in (first, later) if option is not None)
        begun = (Choice(options) if len(options) > 1 else options[0]) if options else None
    return begun
