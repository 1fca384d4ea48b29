# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit prove`: that an entry is in the log, checked here, and the proof to take home."""

from pathlib import Path

import click

from controlplane.audit.entry_tiles import parse_entries_tile
from controlplane.audit.hashes import leaf_hash
from controlplane.audit.proof_texts import TlogProof
from controlplane.audit.strict_text import to_base64
from controlplane.audit.tiles import TILE_WIDTH, tile_path, tile_width
from controlplane.audit.verification import ProofInvalid, verify_inclusion
from controlplane.cli.audit_trust import Known, NotProved, decoded, newest
from controlplane.cli.shared import api, fails_cleanly, json_option, say, show_json
from controlplane.client import ApiClient, ApiError


@click.command()
@click.argument("entry")
@click.option(
    "--vkey", metavar="VKEY", help="The log's key, where this machine has none: as the operator published it."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the proof here, as a C2SP tlog-proof that any such tool verifies offline.",
)
@json_option
@fails_cleanly
def prove(entry: str, *, vkey: str | None, out: Path | None, as_json: bool) -> None:
    """Prove that ENTRY, a record id or an index of the log, is in the log. What the server says is checked here.

    Exits 1 where the proof does not hold.
    """
    client = api("auditor")
    known = newest(client, vkey)
    asked = {"index": entry} if entry.isascii() and entry.isdigit() else {"record_id": entry}
    proof = client.get("/v1/audit/proofs/inclusion", {**asked, "tree_size": known.now.size}).body
    index, (leaf, *hashes) = int(proof["leaf_index"]), decoded([proof["leaf_hash"], *proof["hashes"]])
    try:
        verify_inclusion(leaf, hashes, index=index, size=known.now.size, root=known.now.root)
    except ProofInvalid as exc:
        raise NotProved(f"entry {index} is not proved: {exc}") from exc
    envelope = _entry(client, known, index)
    if envelope is not None and leaf_hash(envelope) != leaf:
        raise NotProved(f"entry {index} is not what stands in the tree: it was altered after it was appended")
    if out is not None:
        text = TlogProof(index=index, hashes=tuple(hashes), checkpoint=known.signed.note.to_bytes()).to_text()
        out.write_bytes(text)
    if as_json:
        show_json(
            {
                "proved": True,
                "index": index,
                "size": known.now.size,
                "origin": known.now.origin,
                "leaf_hash": to_base64(leaf),
                "entry": None if envelope is None else envelope.decode(),
            }
        )
    else:
        say(f"entry {index} is in the log {known.now.origin} of {known.now.size} entries")
        say("its envelope was dropped by retention" if envelope is None else envelope.decode())


def _entry(client: ApiClient, known: Known, index: int) -> bytes | None:
    """Return the envelope, None where retention dropped it."""
    number, offset = divmod(index, TILE_WIDTH)
    path = tile_path("entries", number, tile_width(known.now.size, 0, number))
    tenant = known.now.origin.rpartition("/")[2]
    try:
        tile = client.content(f"/tlog/{tenant}/{path}")
    except ApiError as exc:
        if exc.problem.get("code") == "entries-dropped":
            return None
        raise
    try:
        return parse_entries_tile(tile)[offset]
    except (ValueError, IndexError) as exc:
        raise NotProved("the server's tile of entries cannot be read") from exc
