# SPDX-License-Identifier: Apache-2.0
"""Reads and writes small safetensors files with the standard library alone, so that a plain install can score.

A file is eight bytes of header length, a JSON header with each tensor's type, shape and place, and the numbers, little
endian. What does not add up is refused: a weights file decides what is let through.
"""

import hashlib
import json
import struct
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LARGEST_BYTES: Final = 4 << 20  # ours are a few hundred KB; a file a hundred times that is not ours
# By name, what an array keeps them as. Halves are kept as their bits: who computes with them knows how to read them.
TYPES: Final = {"I8": "b", "F16": "H", "F32": "f"}


class WeightsRefused(Exception):
    """A weights file that is missing, damaged, or not the one that this version of the code was published with."""


@dataclass(frozen=True, slots=True)
class Tensor:
    shape: tuple[int, ...]
    numbers: "array[int] | array[float]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """A file's tensors by name, its notes (`__metadata__`) and its SHA-256."""

    tensors: Mapping[str, Tensor]
    notes: Mapping[str, str]
    digest: str


def read_tensors(file: Path, *, digest: str | None) -> Tensors:
    """What the file holds. Raises WeightsRefused unless it is whole and, where a digest is given, has that one."""
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise WeightsRefused(f"{file.name} is larger than {LARGEST_BYTES} bytes: it is not a file of this screen")
        content = file.read_bytes()
    except OSError as exc:
        raise WeightsRefused(f"{file.name} cannot be read ({exc.strerror}): install the package again") from exc
    found = hashlib.sha256(content).hexdigest()
    if digest is not None and found != digest:
        raise WeightsRefused(f"{file.name} has SHA-256 {found}, not {digest}: install the package again")
    try:
        return _parsed(content, found)
    except (ValueError, KeyError, TypeError, struct.error) as exc:
        raise WeightsRefused(f"{file.name} is no safetensors file that this version reads") from exc


def write_tensors(tensors: Mapping[str, Tensor], *, notes: Mapping[str, str]) -> bytes:
    """The bytes of a safetensors file: the same for the same tensors, wherever they are written."""
    header: dict[str, object] = {"__metadata__": dict(sorted(notes.items()))}
    body = bytearray()
    # Wide numbers first: so each is aligned without a gap, which the format does not allow.
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].numbers.itemsize, item[0])):
        code = next(code for code, letter in TYPES.items() if letter == tensor.numbers.typecode)
        numbers = _little_endian(tensor.numbers)
        header[name] = {
            "dtype": code,
            "shape": list(tensor.shape),
            "data_offsets": [len(body), len(body) + len(numbers)],
        }
        body += numbers
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)


def _little_endian(numbers: "array[int] | array[float]") -> bytes:
    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _parsed(content: bytes, digest: str) -> Tensors:
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    body = memoryview(content)[8 + length :]
    notes = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        letter = TYPES[entry["dtype"]]
        start, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        if not (0 <= start <= end <= len(body)):
            raise ValueError("a tensor outside of the file")
        numbers = array(letter)
        numbers.frombytes(body[start:end])
        if sys.byteorder == "big":
            numbers.byteswap()
        count = 1
        for length_of_axis in shape:
            count *= length_of_axis
        if count != len(numbers):
            raise ValueError("a tensor of another size than its shape")
        tensors[name] = Tensor(shape, numbers)
    return Tensors(tensors=tensors, notes=notes, digest=digest)
