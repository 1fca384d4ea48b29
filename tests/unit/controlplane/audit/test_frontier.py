# SPDX-License-Identifier: Apache-2.0
"""The frontier against a tree that is computed from all of its leaves."""

import pytest

from controlplane.audit.frontier import Frontier, complete_subtrees
from tests.unit.controlplane.audit import naive_tree

LEAVES = naive_tree.leaves(70)


@pytest.mark.parametrize("size", range(71))
def test_the_root_is_that_of_all_leaves_however_they_came(size):
    want = naive_tree.root(LEAVES[:size])
    for cut in range(size + 1):
        frontier = Frontier().append(LEAVES[:cut]).append(LEAVES[cut:size])
        assert (want, size) == (frontier.root(), frontier.size)


@pytest.mark.parametrize("size", range(71))
def test_its_bytes_are_32_for_each_bit_and_read_back(size):
    frontier = Frontier().append(LEAVES[:size])
    stored = frontier.to_bytes()
    assert len(stored) == 32 * size.bit_count()
    assert Frontier.from_bytes(size, stored) == frontier


@pytest.mark.parametrize(("size", "length"), [(3, 32), (3, 96), (0, 32), (1, 31), (-1, 0), (-1, 32)])
def test_bytes_that_are_no_frontier_are_refused(size, length):
    with pytest.raises(ValueError, match="are no frontier"):
        Frontier.from_bytes(size, bytes(length))


def test_a_frontier_has_a_hash_for_each_bit():
    with pytest.raises(ValueError, match="cannot have 1 hashes"):
        Frontier(3, (LEAVES[0],))


@pytest.mark.parametrize(("begin", "end"), [(0, 0), (0, 70), (5, 70), (64, 70), (69, 70), (7, 8), (1, 64)])
def test_pushed_subtrees_give_what_their_leaves_give(begin, end):
    frontier = Frontier().append(LEAVES[:begin])
    for height, index in complete_subtrees(begin, end):
        below = LEAVES[index << height : (index + 1) << height]
        frontier = frontier.push(height, naive_tree.root(below))
    assert frontier == Frontier().append(LEAVES[:end])


@pytest.mark.parametrize(("size", "height"), [(1, 1), (6, 2), (6, 64), (0, -1)])
def test_a_subtree_begins_only_where_one_can(size, height):
    with pytest.raises(ValueError, match="no complete subtree"):
        Frontier().append(LEAVES[:size]).push(height, LEAVES[0])


def test_the_nodes_that_became_complete_are_told_once():
    seen = {}
    frontier = Frontier()
    for cut in (0, 1, 3, 20, 64, 70):
        frontier, complete = frontier.grow(LEAVES[frontier.size : cut])
        for nodes in complete:
            for at, each in enumerate(nodes.hashes):
                assert (nodes.height, nodes.first + at) not in seen
                seen[nodes.height, nodes.first + at] = each
    want = {
        (height, index): naive_tree.root(LEAVES[index << height : (index + 1) << height])
        for height in range(7)
        for index in range(70 >> height)
    }
    assert want == seen
