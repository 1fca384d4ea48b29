# SPDX-License-Identifier: Apache-2.0
"""Hashes against values that others publish."""

from controlplane.audit.hashes import EMPTY_ROOT, leaf_hash, node_hash


def test_the_hashes_are_those_of_rfc_6962():
    # Of the test vectors of Certificate Transparency: the empty tree, an empty leaf, and a node of two leaves.
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"\x00").hex() == "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
    assert (
        node_hash(leaf_hash(b""), leaf_hash(b"\x00")).hex()
        == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    )
