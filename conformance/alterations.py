# SPDX-License-Identifier: Apache-2.0
"""What somebody could do to an archive of the log, and still make it look in order.

Theory: whoever alters an archive can also write its manifest anew, number its entries anew and state their hashes anew;
all that is done here. What they cannot make is a signature of the log's key over another tree.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Files: TypeAlias = dict[str, bytes]
Alter: TypeAlias = Callable[[Files], Files]
Entry: TypeAlias = dict[str, Any]

HOLDS: Final = "holds"
VIOLATED: Final = "violated"
_MANIFEST: Final = "manifest.json"
_CHECKPOINT: Final = "checkpoint"
_ED25519: Final = b"\x01"


class NotThere(Exception):
    """The archive has nothing that could be altered so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """One attempt on an archive, and what a verifier has to say of it. None as `completeness` accepts any verdict.

    `beside` shows the verifier a checkpoint of the log as it was later; `ungraspable`: that it cannot read the archive
    at all is right as well.
    """

    slug: str
    alter: Alter
    integrity: str = VIOLATED
    completeness: str | None = None
    beside: bool = False
    ungraspable: bool = False


def entries_of(files: Files) -> list[Entry]:
    content = b"".join(files[name] for name in sorted(files) if name.startswith("entries-"))
    return [json.loads(line) for line in content.splitlines()]


def with_entries(files: Files, entries: Iterable[Entry], *, renumber: bool = True) -> Files:
    """Return an archive with `entries` instead of its own, numbered without holes, and a manifest that agrees."""
    manifest = json.loads(files[_MANIFEST])
    kept = [{**entry, "index": manifest["first"] + at} if renumber else entry for at, entry in enumerate(entries)]
    others = {name: content for name, content in files.items() if not name.startswith("entries-")}
    lines = b"".join(json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for entry in kept)
    return manifested({**others, "entries-00000.ndjson": lines})


def manifested(files: Files, **changes: object) -> Files:
    """Return the archive with a manifest that agrees with its files."""
    manifest = json.loads(files[_MANIFEST]) | changes
    digests = {
        name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in files.items() if name != _MANIFEST
    }
    return {**files, _MANIFEST: json.dumps({**manifest, "files": digests}).encode()}


def leaf_hash(envelope: str) -> str:
    return base64.b64encode(hashlib.sha256(b"\0" + envelope.encode()).digest()).decode()


def root_of(leaves: list[bytes]) -> bytes:
    """Return the root of a tree (RFC 6962)."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(leaves[:left]) + root_of(leaves[left:])).digest()


def last_dropped(count: int) -> Alter:
    """Leave out the last entries, and say that the archive ends before them."""

    def alter(files: Files) -> Files:
        fewer = with_entries(files, entries_of(files)[:-count])
        end = json.loads(files[_MANIFEST])["end"] - count
        proof = json.loads(files["range-proof.json"]) | {"end": end}
        return manifested({**fewer, "range-proof.json": json.dumps(proof).encode()}, end=end)

    return alter


def dropped(kind: str) -> Alter:
    """Leave out the entry of `kind` that is nearest to the middle."""
    return lambda files: with_entries(files, _without(entries_of(files), kind))


def dropped_with_its_number(kind: str) -> Alter:
    return lambda files: with_entries(files, _without(entries_of(files), kind), renumber=False)


def said_to_be_dropped(kind: str) -> Alter:
    """Say of an entry that retention dropped it, which no entry of the log announces."""

    def alter(files: Files) -> Files:
        entries = entries_of(files)
        at = _nearest(entries, kind)
        hidden = {"index": entries[at]["index"], "leaf_hash": entries[at]["leaf_hash"], "dropped": True}
        return with_entries(files, [*entries[:at], hidden, *entries[at + 1 :]])

    return alter


def swapped(files: Files) -> Files:
    entries = entries_of(files)
    at = len(entries) // 2
    return with_entries(files, [*entries[: at - 1], entries[at], entries[at - 1], *entries[at + 1 :]])


def reversed_(files: Files) -> Files:
    return with_entries(files, reversed(entries_of(files)))


def repeated(files: Files) -> Files:
    entries = entries_of(files)
    at = len(entries) // 2
    return with_entries(files, [*entries[: at + 1], *entries[at:-1]])


def rewritten(*, stated: bool) -> Alter:
    """Have a decision say another outcome; `stated` states the hash of what it says now."""

    def alter(files: Files) -> Files:
        return with_entries(files, _rewritten(entries_of(files), stated=stated))

    return alter


def signed_anew(files: Files) -> Files:
    """Rewrite a decision, and sign the tree that results with a key of the forger's, which goes along."""
    entries = _rewritten(entries_of(files), stated=True)
    manifest = json.loads(files[_MANIFEST])
    if manifest["first"] or manifest["end"] != manifest["size"]:
        raise NotThere("needs an archive of the whole log")
    name = manifest["origin"].encode()
    key = Ed25519PrivateKey.generate()
    public = _ED25519 + key.public_key().public_bytes_raw()
    hint = hashlib.sha256(name + b"\n" + public).digest()[:4]
    root = root_of([base64.b64decode(entry["leaf_hash"]) for entry in entries])
    text = b"%s\n%d\n%s\n" % (name, manifest["size"], base64.b64encode(root))
    note = text + "\n— ".encode() + name + b" " + base64.b64encode(hint + key.sign(text)) + b"\n"
    vkey = b"%s+%s+%s\n" % (name, hint.hex().encode(), base64.b64encode(public))
    kept = {each: content for each, content in files.items() if not each.startswith(("earlier/", "keys/"))}
    return with_entries({**kept, _CHECKPOINT: note, "keys/0.vkey": vkey}, entries)


def note_line(number: int, change: Callable[[bytes], bytes]) -> Alter:
    """Change a line of the checkpoint: its origin, its size, its root, or a signature."""

    def alter(files: Files) -> Files:
        lines = files[_CHECKPOINT].split(b"\n")
        lines[number] = change(lines[number])
        return manifested({**files, _CHECKPOINT: b"\n".join(lines)})

    return alter


def another_base64(line: bytes) -> bytes:
    """Return a line whose last word says something else, in the same length."""
    before, space, text = line.rpartition(b" ")
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 1
    return before + space + base64.b64encode(bytes(raw))


def longer_proof(files: Files) -> Files:
    proof = json.loads(files["range-proof.json"])
    proof["left"] = [*proof["left"], base64.b64encode(bytes(32)).decode()]
    return manifested({**files, "range-proof.json": json.dumps(proof).encode()})


def earlier_of_another_root(files: Files) -> Files:
    name = _first(files, "earlier/")
    told = json.loads(files[name])
    lines = told["checkpoint"].encode().split(b"\n")
    told["checkpoint"] = b"\n".join([*lines[:2], another_base64(lines[2]), *lines[3:]]).decode()
    return manifested({**files, name: json.dumps(told, ensure_ascii=False).encode()})


def cut_short(prefix: str) -> Alter:
    """Cut a file in the middle of its last line."""
    return lambda files: manifested(files | {_first(files, prefix): files[_first(files, prefix)][:-20]})


def missing(prefix: str) -> Alter:
    return lambda files: {name: content for name, content in files.items() if name != _first(files, prefix)}


def added(files: Files) -> Files:
    return {**files, "readme.txt": b"All is well."}


def flipped(prefix: str, part: int, parts: int) -> Alter:
    """Flip a bit of one byte, `part` of `parts` into a file. The manifest stays as it was."""

    def alter(files: Files) -> Files:
        name = _first(files, prefix)
        content = bytearray(files[name])
        content[(len(content) - 1) * part // parts] ^= 1
        return files | {name: bytes(content)}

    return alter


def as_it_is(files: Files) -> Files:
    return files


def _first(files: Files, prefix: str) -> str:
    names = [name for name in files if name.startswith(prefix)]
    if not names:
        raise NotThere(f"needs an archive with {prefix}")
    return min(names)


def _kind(entry: Entry) -> str:
    return str(json.loads(entry["envelope"])["kind"]) if "envelope" in entry else "dropped"


def _nearest(entries: list[Entry], kind: str) -> int:
    of_kind = [at for at, entry in enumerate(entries) if _kind(entry) == kind]
    if not of_kind:
        raise NotThere(f"needs a log with an entry of kind {kind}")
    return min(of_kind, key=lambda at: abs(at - len(entries) // 2))


def _without(entries: list[Entry], kind: str) -> list[Entry]:
    at = _nearest(entries, kind)
    return entries[:at] + entries[at + 1 :]


def _rewritten(entries: list[Entry], *, stated: bool) -> list[Entry]:
    at = _nearest(entries, "terminal")
    envelope = json.loads(entries[at]["envelope"])
    envelope["outcome"] = "deny" if envelope["outcome"] == "allow" else "allow"
    text = json.dumps(envelope, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    stands = leaf_hash(text) if stated else entries[at]["leaf_hash"]
    return [*entries[:at], {**entries[at], "envelope": text, "leaf_hash": stands}, *entries[at + 1 :]]
