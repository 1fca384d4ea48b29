# SPDX-License-Identifier: Apache-2.0
"""Proofs are those of RFC 9162, byte for byte, at every size to 70."""

import pytest

from controlplane.audit.frontier import Frontier
from controlplane.audit.proofs import consistency_proof, inclusion_proof, range_proof
from controlplane.audit.tiles import TileUnreadable, append
from tests.unit.controlplane.audit import naive_tree

LEAVES = naive_tree.leaves(70)


@pytest.fixture(scope="module")
def tiles():
    kept = naive_tree.KeptTiles()
    for update in append(Frontier(), LEAVES).updates:
        kept.put(update)
    return kept


@pytest.mark.parametrize("size", range(1, 71))
def test_inclusion_proofs_are_those_of_the_rfc(tiles, size):
    for index in range(size):
        assert naive_tree.path(index, LEAVES[:size]) == list(inclusion_proof(tiles, index=index, size=size))


@pytest.mark.parametrize("second", range(71))
def test_consistency_proofs_are_those_of_the_rfc(tiles, second):
    for first in range(second + 1):
        assert naive_tree.proof(first, LEAVES[:second]) == list(consistency_proof(tiles, first=first, second=second))


def test_a_proof_of_what_is_not_there_is_refused(tiles):
    for index, size in [(-1, 5), (5, 5), (0, 0)]:
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(tiles, index=index, size=size)
    for first, second in [(-1, 5), (6, 5)]:
        with pytest.raises(ValueError, match="not the beginning"):
            consistency_proof(tiles, first=first, second=second)
    for first, end, size in [(-1, 2, 5), (3, 2, 5), (3, 6, 5)]:
        with pytest.raises(ValueError, match="no range"):
            range_proof(tiles, first=first, end=end, size=size)
    with pytest.raises(TileUnreadable):
        inclusion_proof(tiles, index=0, size=71)


def test_a_proof_reads_few_tiles():
    """Three levels of a tree of 70,000: at most two tiles each on the way to the leaf, and none twice."""
    leaves = naive_tree.leaves(70_000)
    tiles = naive_tree.KeptTiles()
    for update in append(Frontier(), leaves).updates:
        tiles.put(update)
    for proof in (
        lambda: inclusion_proof(tiles, index=33_333, size=70_000),
        lambda: consistency_proof(tiles, first=33_333, second=70_000),
        lambda: range_proof(tiles, first=33_333, end=44_444, size=70_000),
    ):
        tiles.read.clear()
        proof()
        assert len(tiles.read) == len(set(tiles.read)) <= 8
