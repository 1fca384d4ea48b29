# SPDX-License-Identifier: Apache-2.0
"""The parts of an archive, parsed from whatever stands there. Whether they agree with each other, others judge."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controlplane.audit.archive import SCHEMA
from controlplane.audit.proofs import RangeProof
from controlplane.audit.strict_text import hash_from_base64

# An envelope of 8 KiB and a payload of 1 MiB, each of which may grow sixfold where all of it must be escaped.
MAX_LINE_BYTES: Final = 8 * 1024 * 1024
MAX_MANIFEST_BYTES: Final = 8 * 1024 * 1024
MAX_PROOF_BYTES: Final = 64 * 1024
MAX_EARLIER_BYTES: Final = 1024 * 1024
_LARGEST: Final = 2**63 - 1
_LINE_MEMBERS: Final = frozenset({"index", "leaf_hash", "envelope", "payload", "dropped"})


class PartMalformed(ValueError):
    """A part of an archive is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an archive says of itself. `digests` has `sha256:` and 64 digits for each file."""

    origin: str
    tenant: str
    first: int
    end: int
    size: int
    digests: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """A line of entries as it stands. `stated` is the leaf hash that it claims, None where it claims none."""

    index: int
    stated: bytes | None
    envelope: bytes | None
    payload: bytes | None


def parse_manifest(data: bytes) -> Manifest:
    """Return the manifest that `data` writes, or raise PartMalformed."""
    members = _object(data)
    if members.get("schema") != SCHEMA:
        raise PartMalformed(f"its schema is not {SCHEMA}")
    files = members.get("files")
    if not isinstance(files, dict) or not all(isinstance(each, str) for each in files.values()):
        raise PartMalformed("it lists no files")
    first, end, size = (_number(members.get(name)) for name in ("first", "end", "size"))
    if not first <= end <= size:
        raise PartMalformed("its range is not one of its log")
    origin, tenant = members.get("origin"), members.get("tenant")
    if not isinstance(origin, str) or not isinstance(tenant, str):
        raise PartMalformed("it names no origin and tenant")
    return Manifest(origin=origin, tenant=tenant, first=first, end=end, size=size, digests=files)


def parse_range_proof(data: bytes) -> RangeProof:
    """Return the range proof that `data` writes, or raise PartMalformed."""
    members = _object(data)
    first, end, size = (_number(members.get(name)) for name in ("first", "end", "size"))
    return RangeProof(
        first=first, end=end, size=size, left=_hashes(members.get("left")), right=_hashes(members.get("right"))
    )


def parse_earlier(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the note and the consistency proof that `data` writes, or raise PartMalformed."""
    members = _object(data)
    note = members.get("checkpoint")
    if not isinstance(note, str):
        raise PartMalformed("it has no checkpoint")
    return note.encode(), _hashes(members.get("proof"))


def parse_entry_line(line: bytes) -> EntryLine:
    """Return the entry that `line` writes, or raise PartMalformed."""
    members = _object(line)
    if not members.keys() <= _LINE_MEMBERS:
        raise PartMalformed("it has a member that no entry has")
    envelope, payload, stated = (members.get(name) for name in ("envelope", "payload", "leaf_hash"))
    if (envelope is None) != (members.get("dropped") is True) or (envelope is None and stated is None):
        raise PartMalformed("it has neither an envelope nor the hash of one that was dropped")
    if not all(each is None or isinstance(each, str) for each in (envelope, payload, stated)):
        raise PartMalformed("its envelope, payload or hash is no text")
    return EntryLine(
        index=_number(members.get("index")),
        stated=None if stated is None else _hash(stated),
        envelope=None if envelope is None else envelope.encode(),
        payload=None if payload is None else payload.encode(),
    )


def lines_of(pieces: Iterable[bytes], longest: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    """Yield the lines of a file that comes in pieces, without newlines. Raises PartMalformed at too long a one."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n") if rest else piece.split(b"\n")
        if len(rest) > longest:
            raise PartMalformed(f"a line has more than {longest} bytes")
        yield from lines
    if rest:
        yield rest


def parse_json(data: bytes) -> object:
    """Return what `data` writes, or raise PartMalformed: also where it is nested too deep."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise PartMalformed("it is not JSON") from exc


def _object(data: bytes) -> dict[str, Any]:
    value = parse_json(data)
    if not isinstance(value, dict):
        raise PartMalformed("it is no object")
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise PartMalformed("a number in it is none from 0 to 2^63 - 1")
    return value


def _hash(text: object) -> bytes:
    if not isinstance(text, str):
        raise PartMalformed("a hash in it is no text")
    try:
        return hash_from_base64(text)
    except ValueError as exc:
        raise PartMalformed(f"a hash in it is {exc}") from exc


def _hashes(texts: object) -> tuple[bytes, ...]:
    if not isinstance(texts, list):
        raise PartMalformed("it has no list of hashes")
    return tuple(map(_hash, texts))
