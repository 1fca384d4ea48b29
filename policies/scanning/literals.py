# SPDX-License-Identifier: Apache-2.0
"""Patterns that are plain texts, looked for as such: ten thousand of them are compiled in a fifth of a second.

As expressions they would be found as well, but it takes half a minute to compile what tells how they begin. Here that
is two steps: hyperscan tells where the first few bytes of some text stand, and a search by halves in the sorted texts
tells whether what follows up to the end of the data goes on as one of them does.

Fact: hyperscan compiles texts of one number in time that grows with the square of how many there are. Each has its own.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import hyperscan

from policies.scanning.source import Compile, Source
from policies.scanning.tree import Chars, Node
from policies.scanning.tree import Sequence as Parts

# Of how many first bytes a text is known. More are rarer in prose, and make the shorter texts known by fewer.
_KNOWN_BY: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A text. No byte of `before` may stand before it, none of `behind` behind it. `number` is that of its pattern."""

    number: int
    text: bytes
    caseless: bool
    before: frozenset[int]
    behind: frozenset[int]


def text_of(tree: Node) -> tuple[bytes, bool] | None:
    """Return the one text that an expression matches, and whether in any case; None where it matches others."""
    text = bytearray()
    turned = plain = False
    for part in _flat(tree):
        if not isinstance(part, Chars):
            return None
        small = min(part.of, default=0) + 32
        if len(part.of) == 1:
            (byte,) = part.of
            plain = plain or (chr(byte).isalpha() and byte < 128)  # noqa: PLR2004  # ASCII
        elif part.of == {small - 32, small} and chr(small - 32).isupper():
            byte, turned = small, True
        else:
            return None
        text.append(byte)
    # With letters in one case and letters in both it is neither.
    return (bytes(text), turned) if text and not (turned and plain) else None


def _flat(tree: Node) -> Iterator[Node]:
    if isinstance(tree, Parts):
        for part in tree.parts:
            yield from _flat(part)
    else:
        yield tree


@dataclass(frozen=True, slots=True)
class _Kind:
    """Texts of which the same may stand before; `texts` are sorted, and in lower case where they are caseless.

    `beginnings` are what they begin with, of less than `known_by` bytes.
    """

    before: frozenset[int]
    caseless: bool
    known_by: int
    texts: tuple[bytes, ...]
    beginnings: frozenset[bytes]

    @classmethod
    def of(cls, literals: Sequence[Literal]) -> Self:
        texts = sorted({literal.text for literal in literals})
        known_by = min(_KNOWN_BY, *map(len, texts))
        return cls(
            before=literals[0].before,
            caseless=literals[0].caseless,
            known_by=known_by,
            texts=tuple(texts),
            beginnings=frozenset(text[:length] for text in texts for length in range(1, known_by)),
        )

    def goes_on(self, tail: bytes) -> bool:
        """Whether one of the texts begins with `tail`."""
        if self.caseless:
            tail = tail.lower()
        if len(tail) < self.known_by:
            return tail in self.beginnings
        place = bisect_left(self.texts, tail)
        return place < len(self.texts) and self.texts[place].startswith(tail)


@dataclass(frozen=True, slots=True)
class LiteralDatabases:
    """What is compiled of some literals, as bytes; `whole` finds them, `begun` the first bytes of each.

    `kinds` has for each of those first bytes of which kind they are.
    """

    whole: bytes = b""
    begun: bytes = b""
    literals: tuple[Literal, ...] = ()
    kinds: tuple[_Kind, ...] = ()

    @classmethod
    def of(cls, literals: Sequence[Literal], compiled: Compile = Source.compiled) -> Self:
        """Raises what `compiled` raises."""
        if not literals:
            return cls()
        by_kind: dict[tuple[frozenset[int], bool], list[Literal]] = {}
        for literal in literals:
            by_kind.setdefault((literal.before, literal.caseless), []).append(literal)
        kinds = [_Kind.of(of_kind) for of_kind in by_kind.values()]
        first = [(text, kind) for kind in kinds for text in sorted({text[: kind.known_by] for text in kind.texts})]
        return cls(
            whole=compiled(_source([(each.text, each.caseless) for each in literals])),
            begun=compiled(_source([(text, kind.caseless) for text, kind in first])),
            literals=tuple(literals),
            kinds=tuple(kind for _, kind in first),
        )


class LiteralScanner:
    """Not safe to be asked by several threads at once: `Scanner` sees to that."""

    __slots__ = ("_begun", "_databases", "_kinds", "_longest", "_whole")

    def __init__(self, databases: LiteralDatabases) -> None:
        self._databases = databases
        self._kinds = tuple({id(kind): kind for kind in databases.kinds}.values())
        self._whole = _loaded(databases.whole)
        self._begun = _loaded(databases.begun)
        self._longest = max((len(literal.text) for literal in databases.literals), default=0)

    def ends(self, data: bytes, *, begun: bool, final: bool) -> list[tuple[int, int]]:
        """Return what `Scanner.ends` does, in the same order."""
        literals, found = self._databases.literals, list[tuple[int, int]]()
        length, first = len(data), 1 if begun else 0

        def note(place: int, _start: int, end: int, _flags: int, _context: object) -> None:
            literal = literals[place]
            start = end - len(literal.text)
            if start < first or (start and data[start - 1] in literal.before):
                return
            if final if end == length else data[end] not in literal.behind:
                found.append((literal.number, end))

        if self._whole is not None and data:
            self._whole.scan(data, match_event_handler=note)
        return found

    def opening(self, data: bytes) -> int:
        """Return what `Scanner.opening` does."""
        from_ = max(0, len(data) - self._longest)
        tail, before = data[from_:], data[from_ - 1] if from_ else None
        kinds, first = self._databases.kinds, len(tail)

        def begins(kind: _Kind, place: int) -> bool:
            beside = tail[place - 1] if place else before
            return beside not in kind.before and kind.goes_on(tail[place:])

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            nonlocal first
            kind = kinds[number]
            place = end - kind.known_by
            if place < first and begins(kind, place):
                first = place
            return False

        if self._begun is not None and tail:
            self._begun.scan(tail, match_event_handler=note)
            for kind in self._kinds:
                for place in range(max(0, len(tail) - kind.known_by + 1), first):
                    if begins(kind, place):
                        first = place
                        break
        return from_ + first


def _source(texts: Sequence[tuple[bytes, bool]]) -> Source:
    return Source(
        expressions=tuple(text for text, _ in texts),
        numbers=tuple(range(len(texts))),
        flags=tuple(hyperscan.HS_FLAG_CASELESS if caseless else 0 for _, caseless in texts),
        literal=True,
    )


def _loaded(serialised: bytes) -> hyperscan.Database | None:
    if not serialised:
        return None
    database = hyperscan.loadb(serialised, hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    return database
