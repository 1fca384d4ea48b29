# SPDX-License-Identifier: Apache-2.0
"""Proofs as text: a tlog-proof to take home (C2SP tlog-proof), and what a witness is sent (C2SP tlog-witness)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from controlplane.audit.notes import MAX_NOTE_BYTES
from controlplane.audit.strict_text import decimal, from_base64, hash_from_base64, to_base64

MAX_HASHES: Final = 63
"""The longest proof in a tree of fewer than 2^63 leaves."""
MAX_EXTRA_BYTES: Final = 64 * 1024
# The hashes, a first line, and what base64 makes of the extra bytes.
MAX_PROOF_BYTES: Final = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES + 4096
_FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"


class ProofTextMalformed(ValueError):
    """The text is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """That an entry is at `index` of the log whose signed `checkpoint` is with it, unread. `extra` is not proved."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the proof that `data` writes, or raise ProofTextMalformed."""
        lines, checkpoint = _split(data, MAX_PROOF_BYTES)
        if lines[:1] != [_FIRST_LINE]:
            raise ProofTextMalformed(f"a proof begins with the line {_FIRST_LINE}")
        extra = lines.pop(1) if lines[1:] and lines[1].startswith("extra ") else None
        try:
            shown = from_base64(extra.removeprefix("extra ")) if extra else b""
            index = decimal(_behind("index ", lines[1:2]))
            return cls(index=index, hashes=_hashes(lines[2:]), checkpoint=checkpoint, extra=shown)
        except ValueError as exc:
            raise ProofTextMalformed(f"a line of the proof is {exc}") from exc

    def to_text(self) -> bytes:
        """Return the proof as a file holds it."""
        extra = f"extra {to_base64(self.extra)}\n" if self.extra else ""
        return f"{_FIRST_LINE}\n{extra}index {self.index}\n{_lines(self.hashes)}\n".encode() + self.checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """What a witness is asked to cosign: `checkpoint`, and why it is consistent with the one of `old_size`."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return what the body of a request asks, or raise ProofTextMalformed."""
        lines, checkpoint = _split(data, MAX_NOTE_BYTES + 4096)
        try:
            return cls(old_size=decimal(_behind("old ", lines[:1])), proof=_hashes(lines[1:]), checkpoint=checkpoint)
        except ValueError as exc:
            raise ProofTextMalformed(f"a line of the request is {exc}") from exc

    def to_text(self) -> bytes:
        """Return the body of the request."""
        return f"old {self.old_size}\n{_lines(self.proof)}\n".encode() + self.checkpoint


def _split(data: bytes, most: int) -> tuple[list[str], bytes]:
    if len(data) > most:
        raise ProofTextMalformed(f"it has more than {most} bytes")
    head, blank, checkpoint = data.partition(b"\n\n")
    if not blank or not head.isascii():
        raise ProofTextMalformed("the checkpoint stands behind an empty line, and ASCII before it")
    return head.decode().split("\n"), checkpoint


def _behind(prefix: str, line: Sequence[str]) -> str:
    if not line or not line[0].startswith(prefix):
        msg = f"not `{prefix}` and a number"
        raise ValueError(msg)
    return line[0].removeprefix(prefix)


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > MAX_HASHES:
        msg = f"more than {MAX_HASHES} hashes"
        raise ValueError(msg)
    return tuple(map(hash_from_base64, lines))


def _lines(hashes: Sequence[bytes]) -> str:
    return "".join(f"{to_base64(each)}\n" for each in hashes)
