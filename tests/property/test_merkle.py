# SPDX-License-Identifier: Apache-2.0
"""Trees larger than can be tried one by one: batches of any sizes, proofs of any place, against the RFC's recursion."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controlplane.audit.frontier import Frontier
from controlplane.audit.proofs import consistency_proof, inclusion_proof, range_proof
from controlplane.audit.tiles import TreeReader, append, recompute
from controlplane.audit.verification import ProofInvalid, verify_consistency, verify_inclusion, verify_range
from tests.unit.controlplane.audit import naive_tree

LEAVES = naive_tree.leaves(3000)

batches = st.lists(st.integers(0, 700), min_size=1, max_size=8).filter(lambda sizes: 0 < sum(sizes) <= len(LEAVES))


def grown(sizes):
    tiles, frontier = naive_tree.KeptTiles(), Frontier()
    for count in sizes:
        appended = append(frontier, LEAVES[frontier.size : frontier.size + count])
        for update in appended.updates:
            tiles.put(update)
        frontier = appended.frontier
    return tiles, frontier


@given(batches, st.data())
def test_a_log_grown_in_batches_proves_every_place(sizes, data):
    tiles, frontier = grown(sizes)
    size = data.draw(st.integers(1, frontier.size))
    index = data.draw(st.integers(0, size - 1))
    first, end = sorted((index, data.draw(st.integers(0, size))))
    leaves, root = LEAVES[:size], naive_tree.root(LEAVES[:size])
    assert TreeReader(tiles, size).frontier().root() == root
    assert recompute(tiles, frontier.size) == frontier

    inclusion = inclusion_proof(tiles, index=index, size=size)
    assert naive_tree.path(index, leaves) == list(inclusion)
    verify_inclusion(leaves[index], inclusion, index=index, size=size, root=root)
    verify_consistency(
        consistency_proof(tiles, first=size, second=frontier.size),
        first=size,
        second=frontier.size,
        first_root=root,
        second_root=frontier.root(),
    )
    verify_range(leaves[first:end], range_proof(tiles, first=first, end=end, size=size), root=root)


@given(batches, st.data())
def test_a_proof_with_one_bit_altered_shows_nothing(sizes, data):
    tiles, frontier = grown(sizes)
    size = frontier.size
    assume(size > 1)
    index = data.draw(st.integers(0, size - 1))
    proof = list(inclusion_proof(tiles, index=index, size=size))
    at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    proof[at] = (int.from_bytes(proof[at], "big") ^ 1 << bit).to_bytes(32, "big")
    with pytest.raises(ProofInvalid):
        verify_inclusion(LEAVES[index], proof, index=index, size=size, root=frontier.root())


@given(
    st.integers(-5, 2**70), st.integers(-5, 2**70), st.lists(st.binary(min_size=31, max_size=33) | st.just(LEAVES[0]))
)
def test_whatever_is_given_as_a_proof_is_judged_and_never_crashes(first, second, proof):
    for verify in (
        lambda: verify_inclusion(LEAVES[0], proof, index=first, size=second, root=LEAVES[1]),
        lambda: verify_consistency(proof, first=first, second=second, first_root=LEAVES[1], second_root=LEAVES[2]),
    ):
        with pytest.raises(ProofInvalid):
            verify()
