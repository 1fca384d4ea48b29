# SPDX-License-Identifier: Apache-2.0
"""A verifier accepts what the RFC's proofs show, and nothing else."""

from dataclasses import replace

import pytest

from controlplane.audit.frontier import Frontier
from controlplane.audit.hashes import EMPTY_ROOT
from controlplane.audit.proofs import range_proof
from controlplane.audit.tiles import append
from controlplane.audit.verification import (
    MAX_SIZE,
    ProofInvalid,
    end_of_range,
    start_of_range,
    verify_consistency,
    verify_inclusion,
    verify_range,
)
from tests.unit.controlplane.audit import naive_tree

LEAVES = naive_tree.leaves(70)
ROOTS = [naive_tree.root(LEAVES[:size]) for size in range(71)]


@pytest.fixture(scope="module")
def tiles():
    kept = naive_tree.KeptTiles()
    for update in append(Frontier(), LEAVES).updates:
        kept.put(update)
    return kept


@pytest.mark.parametrize("size", range(1, 71))
def test_each_leaf_is_included_at_its_own_place_only(size):
    for index in range(size):
        proof = naive_tree.path(index, LEAVES[:size])
        verify_inclusion(LEAVES[index], proof, index=index, size=size, root=ROOTS[size])
        for other in {(index + 1) % size, index ^ 1, size - 1} - {index}:
            with pytest.raises(ProofInvalid):
                verify_inclusion(LEAVES[index], proof, index=other, size=size, root=ROOTS[size])
        if size > 1:  # of a single leaf there is nothing to leave out
            with pytest.raises(ProofInvalid):
                verify_inclusion(LEAVES[index], proof[:-1], index=index, size=size, root=ROOTS[size])
        with pytest.raises(ProofInvalid):
            verify_inclusion(LEAVES[index], [*proof, LEAVES[0]], index=index, size=size, root=ROOTS[size])


@pytest.mark.parametrize("second", range(71))
def test_each_tree_is_consistent_with_its_own_beginnings_only(second):
    for first in range(second + 1):
        proof = naive_tree.proof(first, LEAVES[:second])
        given = {"first": first, "second": second, "first_root": ROOTS[first], "second_root": ROOTS[second]}
        verify_consistency(proof, **given)
        for bad in (
            {"first_root": LEAVES[-1]},
            {"second_root": LEAVES[-1]} if first else {"second": first - 1},
            {"second": -1},
        ):
            with pytest.raises(ProofInvalid):
                verify_consistency(proof, **{**given, **bad})
        with pytest.raises(ProofInvalid):
            verify_consistency([*proof, LEAVES[0]], **given)
        if proof:
            with pytest.raises(ProofInvalid):
                verify_consistency(proof[:-1], **given)


@pytest.mark.parametrize(("index", "size"), [(0, 1), (3, 7), (6, 7), (33, 70), (69, 70)])
def test_no_flipped_bit_of_an_inclusion_proof_is_accepted(index, size):
    proof = naive_tree.path(index, LEAVES[:size])
    for at, hash_ in enumerate(proof):
        for wrong in naive_tree.flipped(hash_):
            altered = [*proof[:at], wrong, *proof[at + 1 :]]
            with pytest.raises(ProofInvalid):
                verify_inclusion(LEAVES[index], altered, index=index, size=size, root=ROOTS[size])
    for wrong in naive_tree.flipped(LEAVES[index]):
        with pytest.raises(ProofInvalid):
            verify_inclusion(wrong, proof, index=index, size=size, root=ROOTS[size])


@pytest.mark.parametrize(("first", "second"), [(1, 2), (3, 7), (4, 7), (64, 70), (33, 70), (69, 70)])
def test_no_flipped_bit_of_a_consistency_proof_is_accepted(first, second):
    proof = naive_tree.proof(first, LEAVES[:second])
    roots = {"first_root": ROOTS[first], "second_root": ROOTS[second]}
    for at, hash_ in enumerate(proof):
        for wrong in naive_tree.flipped(hash_):
            with pytest.raises(ProofInvalid):
                verify_consistency([*proof[:at], wrong, *proof[at + 1 :]], first=first, second=second, **roots)
    for name, root in roots.items():
        for wrong in naive_tree.flipped(root):
            with pytest.raises(ProofInvalid):
                verify_consistency(proof, first=first, second=second, **{**roots, name: wrong})


def test_numbers_that_no_tree_has_are_refused():
    for index, size in [(-1, 1), (1, 1), (0, 0), (0, MAX_SIZE + 1), (10**400, 10**401)]:
        with pytest.raises(ProofInvalid):
            verify_inclusion(LEAVES[0], [], index=index, size=size, root=LEAVES[0])
    for first, second in [(-1, 1), (2, 1), (1, MAX_SIZE + 1), (1, 10**400)]:
        with pytest.raises(ProofInvalid):
            verify_consistency([], first=first, second=second, first_root=LEAVES[0], second_root=LEAVES[0])


def test_an_older_tree_without_leaves_has_the_empty_root():
    verify_consistency([], first=0, second=1, first_root=EMPTY_ROOT, second_root=ROOTS[1])
    with pytest.raises(ProofInvalid, match="without leaves"):
        verify_consistency([], first=0, second=1, first_root=ROOTS[1], second_root=ROOTS[1])


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_of_another_length_is_refused(length):
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_inclusion(LEAVES[0], [bytes(length)], index=0, size=2, root=ROOTS[2])


@pytest.mark.parametrize("size", [0, 1, 2, 13, 64, 70])
def test_each_range_leads_to_the_root(tiles, size):
    for first in range(size + 1):
        for end in range(first, size + 1):
            proof = range_proof(tiles, first=first, end=end, size=size)
            assert len(proof.left) == first.bit_count()
            verify_range(LEAVES[first:end], proof, root=ROOTS[size])


def test_a_range_with_anything_altered_leads_elsewhere(tiles):
    proof = range_proof(tiles, first=13, end=37, size=70)
    inside = LEAVES[13:37]
    altered_entries = [
        inside[1:],
        inside[:-1],
        [*inside, LEAVES[0]],
        [inside[1], inside[0], *inside[2:]],
        [*inside[:-1], LEAVES[0]],
    ]
    for entries in altered_entries:
        with pytest.raises(ProofInvalid):
            verify_range(entries, proof, root=ROOTS[70])
    altered_proofs = [
        {"first": 12},
        {"end": 36},
        {"size": 71},
        {"size": 36},
        {"size": MAX_SIZE + 1},
        {"left": proof.left[1:]},
        {"right": proof.right[1:]},
        {"right": (*proof.right, LEAVES[0])},
        {"left": (LEAVES[0], *proof.left[1:])},
        {"right": (bytes(31), *proof.right[1:])},
    ]
    for bad in altered_proofs:
        with pytest.raises(ProofInvalid):
            verify_range(inside, replace(proof, **bad), root=ROOTS[70])


def test_a_range_is_appended_piece_by_piece(tiles):
    proof = range_proof(tiles, first=13, end=37, size=70)
    frontier = start_of_range(proof)
    for at in range(13, 37, 5):
        frontier = frontier.append(LEAVES[at : min(at + 5, 37)])
    assert end_of_range(proof, frontier) == ROOTS[70]
