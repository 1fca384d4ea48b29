# SPDX-License-Identifier: Apache-2.0
"""What a verifier computes, with nothing but hashes (RFC 9162, 2.1.3.2 and 2.1.4.2; `docs/spec/log.md`).

Each function raises ProofInvalid, and returns nothing that could be mistaken for a verdict. Proofs come from whoever
is doubted: sizes may be absurd and hashes of any length, and neither costs more than the proof is long.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from controlplane.audit.frontier import Frontier, complete_subtrees
from controlplane.audit.hashes import EMPTY_ROOT, HASH_BYTES, node_hash
from controlplane.audit.proofs import RangeProof

MAX_SIZE: Final = 2**63 - 1
"""The most leaves a tree may claim to have: 63 hashes are the longest proof."""


class ProofInvalid(Exception):
    """The proof does not show what it is given for."""


def verify_inclusion(leaf: bytes, proof: Sequence[bytes], *, index: int, size: int, root: bytes) -> None:
    """Raise ProofInvalid unless `proof` shows that the leaf hash `leaf` is leaf `index` of the tree with `root`."""
    if not 0 <= index < size <= MAX_SIZE:
        msg = f"there is no leaf {index} in a tree of {size} leaves"
        raise ProofInvalid(msg)
    _require_hashes(leaf, root, *proof)
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofInvalid("the proof is too short")
    if found != root:
        msg = f"the proof leads from leaf {index} to another root"
        raise ProofInvalid(msg)


def verify_consistency(
    proof: Sequence[bytes], *, first: int, second: int, first_root: bytes, second_root: bytes
) -> None:
    """Raise ProofInvalid unless `proof` shows that the tree of `first` leaves is the beginning of that of `second`."""
    if not 0 <= first <= second <= MAX_SIZE:
        msg = f"a tree of {first} leaves is not the beginning of one of {second}"
        raise ProofInvalid(msg)
    _require_hashes(first_root, second_root, *proof)
    if first in (0, second):
        if proof:
            raise ProofInvalid("the proof is too long")
        if first == second and first_root != second_root:
            msg = f"two trees of {first} leaves have different roots"
            raise ProofInvalid(msg)
        if first == 0 and first_root != EMPTY_ROOT:
            raise ProofInvalid("a tree without leaves has another root")
        return
    _climb(proof, first=first, second=second, first_root=first_root, second_root=second_root)


def _climb(proof: Sequence[bytes], *, first: int, second: int, first_root: bytes, second_root: bytes) -> None:
    # A first tree that is complete is a node of the second: the proof leaves it out, since the verifier has its root.
    path = proof if first & (first - 1) else (first_root, *proof)
    if not path:
        raise ProofInvalid("the proof is too short")
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if place & 1 or place == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofInvalid("the proof is too short")
    if older != first_root:
        msg = f"the tree of {first} leaves is not the beginning: the proof leads to another root of it"
        raise ProofInvalid(msg)
    if newer != second_root:
        msg = f"the proof leads to another root of the tree of {second} leaves"
        raise ProofInvalid(msg)


def start_of_range(proof: RangeProof) -> Frontier:
    """Return the frontier of the leaves before a range: the range's leaf hashes are appended to it.

    Raises ProofInvalid where the proof cannot be one.
    """
    if not 0 <= proof.first <= proof.end <= proof.size <= MAX_SIZE:
        msg = f"a tree of {proof.size} leaves has no range from {proof.first} to {proof.end}"
        raise ProofInvalid(msg)
    _require_hashes(*proof.left, *proof.right)
    if len(proof.left) != proof.first.bit_count():
        msg = f"{len(proof.left)} hashes do not stand for {proof.first} leaves"
        raise ProofInvalid(msg)
    return Frontier(proof.first, proof.left)


def end_of_range(proof: RangeProof, appended: Frontier) -> bytes:
    """Return the root of the whole tree, `appended` being the start of the range with its leaf hashes behind it.

    Raises ProofInvalid where those are not as many as the range has.
    """
    if appended.size != proof.end:
        msg = f"the range ends at {appended.size}, not at {proof.end}"
        raise ProofInvalid(msg)
    covering = list(complete_subtrees(proof.end, proof.size))
    if len(proof.right) != len(covering):
        msg = f"{len(proof.right)} hashes do not stand for {proof.size - proof.end} leaves"
        raise ProofInvalid(msg)
    for (height, _), found in zip(covering, proof.right, strict=True):
        appended = appended.push(height, found)
    return appended.root()


def verify_range(leaves: Iterable[bytes], proof: RangeProof, *, root: bytes) -> None:
    """Raise ProofInvalid unless the leaf hashes `leaves` are the range of the tree with `root` that `proof` names."""
    given = list(leaves)
    _require_hashes(root, *given)
    if end_of_range(proof, start_of_range(proof).append(given)) != root:
        msg = f"the entries from {proof.first} to {proof.end} lead to another root"
        raise ProofInvalid(msg)


def _require_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        msg = f"a hash has {HASH_BYTES} bytes"
        raise ProofInvalid(msg)
