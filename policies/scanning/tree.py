# SPDX-License-Identifier: Apache-2.0
"""What an expression says, as a tree of frozen values.

A tree is of bytes, since what is scanned is UTF-8: a character beyond ASCII is the sequence of its bytes.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Chars:
    """One byte of these."""

    of: frozenset[int]


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`most` is None where there is no limit."""

    part: "Node"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Value:
    """The part of a match that is the value."""

    part: "Node"


Node: TypeAlias = Chars | Sequence | Choice | Repeat | Value


def widths(node: Node) -> tuple[int, int | None]:
    """Return how many bytes a match has at least, and at most; None where there is no limit."""
    match node:
        case Chars():
            return 1, 1
        case Value(part):
            return widths(part)
        case Repeat(part, least, most):
            low, high = widths(part)
            return low * least, None if most is None or high is None else high * most
        case Sequence(parts):
            known = [widths(part) for part in parts]
            highs = [high for _, high in known if high is not None]
            return sum(low for low, _ in known), sum(highs) if len(highs) == len(known) else None
        case Choice(parts):
            known = [widths(part) for part in parts]
            highs = [high for _, high in known if high is not None]
            return min(low for low, _ in known), max(highs) if len(highs) == len(known) else None


def alphabet(node: Node) -> frozenset[int]:
    """Return all bytes that a match can have in it."""
    match node:
        case Chars(of):
            return of
        case Value(part) | Repeat(part):
            return alphabet(part)
        case Sequence(parts) | Choice(parts):
            return frozenset().union(*map(alphabet, parts))


def has_value(node: Node) -> bool:
    """Whether only a part of a match is the value."""
    match node:
        case Value():
            return True
        case Sequence(parts) | Choice(parts):
            return any(map(has_value, parts))
        case _:
            return False
