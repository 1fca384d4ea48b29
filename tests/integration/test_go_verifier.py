# SPDX-License-Identifier: Apache-2.0
"""Go's own `sumdb/note` and `tlog` accept what we sign and prove, refuse it altered, and we accept what they write.

The program is `tests/integration/go_verifier`. Without Go, or without a way to its one module, this is a skip that says
so; where CI is set it is a failure.
"""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from controlplane.audit.checkpoints import Checkpoint, cosign, open_checkpoint, sign_checkpoint
from controlplane.audit.frontier import Frontier
from controlplane.audit.hashes import leaf_hash
from controlplane.audit.note_keys import KeyKind, SignerKey, VerifierKey
from controlplane.audit.notes import NoteNotSigned, parse_note, verify_note
from controlplane.audit.proofs import consistency_proof, inclusion_proof
from controlplane.audit.tiles import append, tile_path, tile_width
from controlplane.audit.verification import verify_consistency, verify_inclusion

SOURCE = Path(__file__).with_name("go_verifier")
SIZE = 70_000
PLACES = (0, 255, 256, 65_535, 65_536, SIZE - 1)
SIZES = (1, 2, 255, 256, 257, 65_536, 69_999)


def unavailable(why: str):
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    """Ask the Go program something and return what it answers; it runs until the module's tests are done."""
    compiler = shutil.which("go")
    if compiler is None:
        unavailable("no Go: install it to have the log checked by an independent verifier")
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    given = {"cwd": SOURCE, "env": environment, "capture_output": True, "text": True, "timeout": 100}
    got = subprocess.run([compiler, "mod", "download"], check=False, **given)
    if got.returncode:
        unavailable(f"golang.org/x/mod could not be got: {got.stderr.strip()}")
    program = tmp_path_factory.mktemp("go") / "verifier"
    built = subprocess.run([compiler, "build", "-o", program, "."], check=False, **given)
    assert built.returncode == 0, built.stderr
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:

        def ask(**question):
            running.stdin.write(json.dumps(question, default=encoded).encode() + b"\n")
            running.stdin.flush()
            return json.loads(running.stdout.readline())

        yield ask
        running.stdin.close()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decoded(texts) -> list[bytes]:
    return [base64.b64decode(text) for text in texts or ()]


class Folder:
    """Tiles as files, as `/tlog/TENANT/` serves them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hashes: dict[tuple[int, int], bytes] = {}

    def tile(self, level: int, number: int, width: int) -> bytes:
        return self.hashes[level, number][: width * 32]

    def write(self, size: int) -> None:
        for level, number in self.hashes:
            width = tile_width(size, level, number)
            if width:
                path = self.folder / tile_path(level, number, width)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.tile(level, number, width))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    leaves = [leaf_hash(b"entry %d" % number) for number in range(SIZE)]
    tiles, frontier = Folder(tmp_path_factory.mktemp("tiles")), Frontier()
    roots = {0: frontier.root()}
    for end in (*SIZES, SIZE):
        appended = append(frontier, leaves[frontier.size : end])
        for update in appended.updates:
            key = update.level, update.number
            tiles.hashes[key] = tiles.hashes.get(key, b"") + update.hashes
        frontier = appended.frontier
        roots[end] = frontier.root()
    tiles.write(SIZE)
    return leaves, tiles, roots


LOG = SignerKey.generate("audit.example/acme")
WITNESS = SignerKey.generate("witness.example/w1", KeyKind.COSIGNATURE)


def test_go_hashes_an_entry_as_we_do(go):
    for entry in (b"", b"{}", bytes(8192)):
        assert [leaf_hash(entry)] == decoded([go(op="leaf", entry=entry)["leaf"]])


def test_go_reads_our_keys_and_we_read_those_of_go(go):
    made = go(op="generate", name="go.example/log")
    signer = SignerKey.parse(made["signer"])
    assert (str(signer.verifier), signer.to_text()) == (made["verifier"], made["signer"])
    for theirs in (made["signer"], LOG.to_text()):
        signed = base64.b64decode(go(op="sign", signer=theirs, text="a text\n\nof lines\n")["note"])
        assert verify_note(parse_note(signed), [SignerKey.parse(theirs).verifier])
        with pytest.raises(NoteNotSigned):
            verify_note(parse_note(signed.replace(b"lines", b"lines!")), [SignerKey.parse(theirs).verifier])


def test_go_accepts_our_checkpoint_and_refuses_it_altered(go, log):
    _, _, roots = log
    note = sign_checkpoint(Checkpoint(LOG.name, SIZE, roots[SIZE]), LOG, at_s=1_700_000_000)
    note = note.with_signatures([cosign(note, WITNESS, at_s=1_700_000_001)])
    told = go(op="open", keys=[str(LOG.verifier)], note=note.to_bytes())
    assert told == {
        "names": [LOG.name],
        "unknown": 2,  # the log's and the witness's cosignatures are of a type that Go's package leaves to others
        "origin": LOG.name,
        "size": SIZE,
        "root": encoded(roots[SIZE]),
    }
    assert open_checkpoint(note.to_bytes(), [LOG.verifier], [WITNESS.verifier]).checkpoint.size == SIZE
    altered = note.to_bytes().replace(b"70000", b"70001")
    assert "invalid signature" in go(op="open", keys=[str(LOG.verifier)], note=altered)["error"]
    other = SignerKey.generate(LOG.name).verifier
    assert "no verifiable signatures" in go(op="open", keys=[str(other)], note=note.to_bytes())["error"]


def test_a_key_of_ours_that_lost_a_letter_is_refused_by_both(go):
    key = str(LOG.verifier).replace("acme", "acmf")
    assert go(op="open", keys=[key], note=b"")["error"] == "invalid verifier hash"
    with pytest.raises(ValueError, match="not its own"):
        VerifierKey.parse(key)


@pytest.mark.parametrize("index", PLACES)
def test_go_accepts_our_inclusion_proofs_and_makes_the_same(go, log, index):
    leaves, tiles, roots = log
    proof = inclusion_proof(tiles, index=index, size=SIZE)
    asked = {"op": "inclusion", "hashes": proof, "size": SIZE, "root": roots[SIZE], "index": index}
    assert go(**asked, leaf=leaves[index]) == {}
    assert "error" in go(**asked, leaf=leaves[index - 1])
    assert "error" in go(**{**asked, "index": index ^ 1}, leaf=leaves[index])
    assert "error" in go(**{**asked, "hashes": [*proof[:-1], leaves[0]]}, leaf=leaves[index])
    theirs = go(op="prove-inclusion", folder=str(tiles.folder), size=SIZE, root=roots[SIZE], index=index)
    assert list(proof) == decoded(theirs["hashes"])
    verify_inclusion(leaves[index], decoded(theirs["hashes"]), index=index, size=SIZE, root=roots[SIZE])


@pytest.mark.parametrize("first", SIZES)
def test_go_accepts_our_consistency_proofs_and_makes_the_same(go, log, first):
    leaves, tiles, roots = log
    proof = consistency_proof(tiles, first=first, second=SIZE)
    asked = {"op": "consistency", "hashes": proof, "size": SIZE, "root": roots[SIZE], "first": first}
    assert go(**asked, older=roots[first]) == {}
    assert "error" in go(**asked, older=leaves[7])
    assert "error" in go(**{**asked, "hashes": [*proof[:-1], leaves[7]]}, older=roots[first])
    theirs = go(op="prove-consistency", folder=str(tiles.folder), size=SIZE, root=roots[SIZE], first=first)
    assert list(proof) == decoded(theirs["hashes"])
    given = {"first": first, "second": SIZE, "first_root": roots[first], "second_root": roots[SIZE]}
    verify_consistency(decoded(theirs["hashes"]), **given)


def test_go_refuses_a_tile_with_one_bit_altered(go, log):
    _, tiles, roots = log
    path = tiles.folder / tile_path(0, 100)
    original = path.read_bytes()
    asked = {"op": "prove-inclusion", "folder": str(tiles.folder), "size": SIZE, "root": roots[SIZE], "index": 25_600}
    assert "hashes" in go(**asked)
    path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    try:
        assert "error" in go(**asked)
    finally:
        path.write_bytes(original)
