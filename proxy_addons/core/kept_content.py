# SPDX-License-Identifier: Apache-2.0
"""What a request's record keeps of its prompt and its answer, where policy asks for it.

Rules: a prompt is what was forwarded, an answer what was delivered, each after redaction. Hashes are of whole texts,
however long; of texts to be sealed no more is held than policy keeps, so that a stream without end costs no memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from policies.contracts.codec import JSON
from policies.contracts.content import ContentHash, Side
from policies.contracts.recording import ContentMode, RecordingTerms
from policies.sealed_texts import KeptText, Seal

# Of each side. A long conversation has more texts; those that are left out are counted.
MOST_TEXTS = 64


@dataclass(slots=True)
class _Text:
    path: str
    hashed: ContentHash
    size: int = 0
    kept: list[str] = field(default_factory=list)


class KeptSide:
    """The texts of one side, as they come."""

    def __init__(self, mode: ContentMode, *, max_bytes: int, seal: Seal) -> None:
        self.mode = mode
        self.omitted = 0
        self.truncated = False
        self._seal = seal
        self._room = max_bytes
        self._texts: dict[str, _Text] = {}

    def add(self, pieces: Iterable[tuple[str, str]]) -> None:
        """Take pieces of texts with their paths. Those of one path are one text."""
        for path, piece in pieces:
            text = self._texts.get(path)
            if text is None:
                if len(self._texts) >= MOST_TEXTS:
                    self.omitted += 1
                    self.truncated = True
                    continue
                text = self._texts[path] = _Text(path, ContentHash(self._seal.key, tenant=self._seal.tenant))
            raw = piece.encode("utf-8", "surrogatepass")
            text.hashed.update(piece)
            text.size += len(raw)
            if self.mode is ContentMode.SEALED:
                self._keep(text, piece, raw)

    def _keep(self, text: _Text, piece: str, raw: bytes) -> None:
        if len(raw) > self._room:
            self.truncated = True
            piece = raw[: self._room].decode("utf-8", "ignore")  # no half of a character
            self._room = 0
        else:
            self._room -= len(raw)
        if piece:
            text.kept.append(piece)

    def hash_of(self, side: Side) -> str | None:
        """Return the hash by which it is found: of what was asked last, or of the first answer."""
        texts = list(self._texts.values())
        return None if not texts else texts[-1 if side is Side.PROMPT else 0].hashed.value()

    def to_json(self, side: Side, *, record_id: str, day: str) -> JSON:
        """Return the member of the payload."""
        listed: dict[str, JSON] = {
            "texts": [
                {"path": text.path, "hash": text.hashed.value(), "bytes": text.size} for text in self._texts.values()
            ],
            "omitted": self.omitted,
        }
        if self.mode is not ContentMode.SEALED:
            return listed
        kept = [KeptText(path=text.path, text="".join(text.kept)) for text in self._texts.values() if text.kept]
        sealed = self._seal.close(kept, side=side, record_id=record_id, day=day, truncated=self.truncated)
        return listed | {"sealed": sealed.to_json()}

    def __len__(self) -> int:
        return len(self._texts)


class KeptContent:
    """Both sides of one request. A side that policy does not keep takes nothing."""

    def __init__(self, terms: RecordingTerms, *, seal: Seal) -> None:
        modes = {Side.PROMPT: terms.prompts, Side.ANSWER: terms.answers}
        self._sides = {
            side: KeptSide(mode, max_bytes=terms.max_bytes, seal=seal)
            for side, mode in modes.items()
            if mode is not ContentMode.NONE
        }

    def wants(self, side: Side) -> bool:
        return side in self._sides

    def add(self, side: Side, pieces: Iterable[tuple[str, str]]) -> None:
        if side in self._sides:
            self._sides[side].add(pieces)

    def hashes(self) -> dict[str, JSON]:
        """Return the envelope's member `content`; nothing where no text was said."""
        return {side.value: kept.hash_of(side) for side, kept in sorted(self._sides.items()) if len(kept)}

    def to_json(self, *, record_id: str, day: str) -> dict[str, JSON]:
        """Return the payload's member `content`."""
        return {
            side.value: kept.to_json(side, record_id=record_id, day=day)
            for side, kept in self._sides.items()
            if len(kept)
        }
