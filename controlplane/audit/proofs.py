# SPDX-License-Identifier: Apache-2.0
"""Proofs out of tiles (RFC 9162, 2.1.3 and 2.1.4), and of a whole range of entries. Each reads O(log size) tiles."""

from collections.abc import Iterator
from dataclasses import dataclass

from controlplane.audit.frontier import complete_subtrees
from controlplane.audit.hashes import node_hash
from controlplane.audit.tiles import TileReader, TreeReader


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeProof:
    """What of a tree of `size` leaves stands beside the leaves from `first` to before `end`.

    `left` and `right` are the roots of the fewest complete subtrees that cover the leaves before and behind them.
    """

    first: int
    end: int
    size: int
    left: tuple[bytes, ...]
    right: tuple[bytes, ...]


def inclusion_proof(tiles: TileReader, *, index: int, size: int) -> tuple[bytes, ...]:
    """Return the siblings on the way from leaf `index` to the root of the tree of `size` leaves, leaf's first."""
    if not 0 <= index < size:
        msg = f"a tree of {size} leaves has no leaf {index}"
        raise ValueError(msg)
    tree = TreeReader(tiles, size)
    begin, end = 0, size
    siblings: list[bytes] = []
    while end - begin > 1:
        middle = begin + _left_leaves(end - begin)
        if index < middle:
            siblings.append(_root_between(tree, middle, end))
            end = middle
        else:
            siblings.append(_root_between(tree, begin, middle))
            begin = middle
    return tuple(reversed(siblings))


def consistency_proof(tiles: TileReader, *, first: int, second: int) -> tuple[bytes, ...]:
    """Return what shows that the tree of `first` leaves is the beginning of that of `second` leaves.

    Empty where `first` is 0 or `second`: the roots alone tell.
    """
    if not 0 <= first <= second:
        msg = f"a tree of {first} leaves is not the beginning of one of {second}"
        raise ValueError(msg)
    if first in (0, second):
        return ()
    tree = TreeReader(tiles, second)
    begin, end = 0, second
    shown: list[bytes] = []
    while first != end:
        middle = begin + _left_leaves(end - begin)
        if first <= middle:
            shown.append(_root_between(tree, middle, end))
            end = middle
        else:
            shown.append(_root_between(tree, begin, middle))
            begin = middle
    if begin:  # else what is left is the whole of the older tree, whose root the verifier has
        shown.append(_root_between(tree, begin, end))
    return tuple(reversed(shown))


def range_proof(tiles: TileReader, *, first: int, end: int, size: int) -> RangeProof:
    """Return what leads from the leaves from `first` to before `end` to the root of the tree of `size` leaves."""
    if not 0 <= first <= end <= size:
        msg = f"a tree of {size} leaves has no range from {first} to {end}"
        raise ValueError(msg)
    tree = TreeReader(tiles, size)
    return RangeProof(
        first=first, end=end, size=size, left=tuple(_roots(tree, 0, first)), right=tuple(_roots(tree, end, size))
    )


def _left_leaves(leaves: int) -> int:
    """Return the largest power of two smaller than `leaves`: how many of them are on the left of their root."""
    return 1 << (leaves - 1).bit_length() - 1


def _roots(tree: TreeReader, begin: int, end: int) -> Iterator[bytes]:
    return (tree.node(*subtree) for subtree in complete_subtrees(begin, end))


def _root_between(tree: TreeReader, begin: int, end: int) -> bytes:
    """Return the root of a subtree that begins where one may; only the rightmost of a tree is not complete."""
    *lefts, root = _roots(tree, begin, end)
    for left in reversed(lefts):
        root = node_hash(left, root)
    return root
