# SPDX-License-Identifier: Apache-2.0
"""The labelled prompts: read from where they lie, never copied, grouped so that no family is on both sides of a fold.

Their texts are data: several are offensive, most give orders, and nothing here acts on any of them.
"""

import gzip
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OWN: Final = "own"  # the source of the examples that are part of this repository
OWN_EXAMPLES: Final = Path(__file__).with_name("examples")
# Lists whose labels are known to be noisy teach at half the weight.
WEAK_WEIGHT: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A labelled text. A group is a connected set of rows that share a family, a cluster or most of their wording.

    A row that was put together from others has the sources and groups of all of them.
    """

    text: str
    injection: bool
    kind: str
    sources: frozenset[str]
    groups: frozenset[str]
    weight: float = 1.0
    span: str = ""  # the planted sentence, where it is known
    made: str = ""  # how it was put together; empty for a row of a list

    @property
    def source(self) -> str:
        return "+".join(sorted(self.sources))


def read_corpus(folder: Path) -> list[Row]:
    """Every row of `prompts.jsonl` (or `.jsonl.gz`) below the folder. Raises FileNotFoundError where there is none."""
    for name in ("prompts.jsonl.gz", "prompts.jsonl"):
        if (file := folder / name).is_file():
            content = file.read_bytes()
            lines = (gzip.decompress(content) if name.endswith("gz") else content).decode().splitlines()
            return _grouped([json.loads(line) for line in lines])
    raise FileNotFoundError(f"{folder} holds no prompts.jsonl: give the folder of the labelled prompts")


def read_own(folder: Path = OWN_EXAMPLES) -> list[Row]:
    """The examples that were written for this screen."""
    rows = []
    for file in sorted(folder.glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            rows += [_own_row(json.loads(line)) for line in lines if line.strip()]
    return rows


def _own_row(entry: dict[str, str]) -> Row:
    return Row(
        text=entry["text"],
        injection=entry["label"] == "injection",
        kind=entry["kind"],
        sources=frozenset({OWN}),
        groups=frozenset({f"{OWN}/{entry.get('family', entry['kind'])}"}),
    )


def source_of(entry: dict[str, str]) -> str:
    """The list that a row is from: repository and file, because one repository may hold several lists."""
    repository, _, rest = entry["source"].partition("@")
    name = rest.partition(":")[2].rpartition("/")[2]
    if entry["kind"] == "jailbreak" and not name.startswith("inthewild"):
        # A dozen tiny files of jailbreak templates, copied from one another.
        return "jailbreak templates"
    return f"{repository.rpartition('/')[2]}:{name}"


def _grouped(entries: Sequence[dict[str, str]]) -> list[Row]:
    texts = [entry["text"] for entry in entries]
    joined = _Sets(len(entries))
    for name in ("family", "jb_cluster"):
        first: dict[str, int] = {}
        for index, entry in enumerate(entries):
            family = entry.get(name)
            if family is None or (name == "family" and entry["kind"] in {"benign", "hard-benign"}):
                continue  # a benign list's name is its source, which folds leave out whole anyway
            joined.join(index, first.setdefault(str(family), index))
    for one, other in near_duplicates(texts):
        joined.join(one, other)
    return [
        Row(
            text=entry["text"],
            injection=entry["label"] == "injection",
            kind=entry["kind"],
            sources=frozenset({source_of(entry)}),
            groups=frozenset({str(joined.first_of(index))}),
            weight=WEAK_WEIGHT if entry.get("label_quality") else 1.0,
            span=str(entry.get("injected_span") or ""),
        )
        for index, entry in enumerate(entries)
    ]


class _Sets:
    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def first_of(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.first_of(one), self.first_of(other)))
        self._parent[high] = low


SHINGLE_WORDS: Final = 5
SKETCH: Final = 24  # of a text's shingles, those with the lowest hashes: two texts that share most share some of these
SHARED: Final = 0.5


def near_duplicates(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of texts that share at least half of the shorter one's five-word shingles."""
    shingles = [_shingles(text) for text in texts]
    by_hash: dict[int, list[int]] = {}
    for index, own in enumerate(shingles):
        for shingle in sorted(own)[:SKETCH]:
            by_hash.setdefault(shingle, []).append(index)
    seen = set()
    for indexes in by_hash.values():
        for one, other in _neighbours(indexes):
            if (one, other) in seen:
                continue
            seen.add((one, other))
            if len(shingles[one] & shingles[other]) >= SHARED * min(len(shingles[one]), len(shingles[other])):
                yield one, other


def _neighbours(indexes: Sequence[int]) -> Iterable[tuple[int, int]]:
    # A chain is enough for the union, and a shingle that hundreds of texts share would else give thousands of pairs.
    return itertools.pairwise(indexes)


def _shingles(text: str) -> set[int]:
    words = re.findall(r"\w+", text.lower())
    ends = range(max(1, len(words) - SHINGLE_WORDS + 1)) if len(words) >= SHINGLE_WORDS else ()
    return {
        int.from_bytes(
            hashlib.blake2b(" ".join(words[at : at + SHINGLE_WORDS]).encode(), digest_size=8).digest(), "big"
        )
        for at in ends
    }
