# SPDX-License-Identifier: Apache-2.0
"""Proofs as text: they come back as they were written, and nothing else is read."""

import pytest

from controlplane.audit.proof_texts import MAX_HASHES, MAX_PROOF_BYTES, AddCheckpoint, ProofTextMalformed, TlogProof
from controlplane.audit.strict_text import to_base64
from tests.unit.controlplane.audit import naive_tree

HASHES = tuple(naive_tree.leaves(MAX_HASHES))
NOTE = b"log\n1\nroot\n\n\xe2\x80\x94 log AAAAAAAA\n"
LINE = to_base64(HASHES[0])


@pytest.mark.parametrize("count", [0, 1, MAX_HASHES])
@pytest.mark.parametrize("extra", [b"", b"of the application"])
def test_a_proof_comes_back(count, extra):
    proof = TlogProof(index=73_894, hashes=HASHES[:count], checkpoint=NOTE, extra=extra)
    assert TlogProof.parse(proof.to_text()) == proof


def test_a_proof_reads_as_the_specification_shows():
    text = TlogProof(index=5, hashes=HASHES[:1], checkpoint=NOTE, extra=b"x").to_text().decode()
    assert text == f"c2sp.org/tlog-proof@v1\nextra eA==\nindex 5\n{LINE}\n\n{NOTE.decode()}"


@pytest.mark.parametrize("count", [0, 1, MAX_HASHES])
def test_a_request_comes_back(count):
    request = AddCheckpoint(old_size=12, proof=HASHES[:count], checkpoint=NOTE)
    assert AddCheckpoint.parse(request.to_text()) == request


HEAD = "c2sp.org/tlog-proof@v1\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD,
        f"{HEAD}index 1\n",
        f"{HEAD}\nlog\n",
        f"c2sp.org/tlog-proof@v2\nindex 1\n\n{NOTE.decode()}",
        f"{HEAD}index 01\n\nlog\n",
        f"{HEAD}index\n\nlog\n",
        f"{HEAD}index  1\n\nlog\n",
        f"{HEAD}index {'9' * 5000}\n\nlog\n",
        f"{HEAD}Index 1\n\nlog\n",
        f"{HEAD}extra\nindex 1\n\nlog\n",
        f"{HEAD}extra *\nindex 1\n\nlog\n",
        f"{HEAD}index 1\nextra eA==\n\nlog\n",
        f"{HEAD}index 1\n{LINE} \n\nlog\n",
        f"{HEAD}index 1\n{LINE[:-4]}\n\nlog\n",
        f"{HEAD}index 1\n" + f"{LINE}\n" * (MAX_HASHES + 1) + "\nlog\n",
        f"{HEAD}index 1\r\n\nlog\n",
        f"{HEAD}index 1\né\n\nlog\n",
        f"{HEAD}index 1\n\n" + "l" * MAX_PROOF_BYTES,
    ],
)
def test_what_is_no_proof_is_refused(text):
    with pytest.raises(ProofTextMalformed):
        TlogProof.parse(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old 1\n",
        "\n\nlog\n",
        "new 1\n\nlog\n",
        "old -1\n\nlog\n",
        "old 00\n\nlog\n",
        f"old {2**63}\n\nlog\n",
        f"old 1\n{LINE}x\n\nlog\n",
        "old 1\n" + f"{LINE}\n" * (MAX_HASHES + 1) + "\nlog\n",
        "old 1\n\n" + "l" * 200_000,
    ],
)
def test_what_is_no_request_is_refused(text):
    with pytest.raises(ProofTextMalformed):
        AddCheckpoint.parse(text.encode())
