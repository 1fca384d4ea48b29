# SPDX-License-Identifier: Apache-2.0
"""What one database of hyperscan is compiled from: said before it is compiled, so that it can be looked for first."""

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import hyperscan

_CHARSET: Final = "latin-1"  # a character for each byte


class CannotScan(ValueError):
    """Patterns that hyperscan does not take, or compiled ones that it does not load here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Expressions with the numbers that their matches are told by; with `literal` they are texts, and no expressions.

    `flags` are those of hyperscan, for each expression.
    """

    expressions: tuple[bytes, ...]
    numbers: tuple[int, ...]
    flags: tuple[int, ...]
    literal: bool = False

    @property
    def name(self) -> str:
        """A digest of all that the database depends on, hyperscan's version and the kind of machine among it."""
        version = hyperscan.__version__  # type: ignore[attr-defined]  # which its stubs do not know
        said = repr((version, platform.machine(), self.literal, self.flags, self.numbers, self.expressions))
        return hashlib.sha256(said.encode()).hexdigest()

    def compiled(self) -> bytes:
        """Return the database, of nothing if there are no expressions. May take seconds. Raises CannotScan."""
        if not self.expressions:
            return b""
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            database.compile(
                expressions=self.expressions,
                ids=self.numbers,
                elements=len(self.expressions),
                flags=self.flags,
                literal=self.literal,
            )
            dumped: bytes = hyperscan.dumpb(database)
        except hyperscan.error as exc:
            raise CannotScan(str(exc)) from exc
        return dumped

    def to_json(self) -> str:
        expressions = [expression.decode(_CHARSET) for expression in self.expressions]
        return json.dumps([expressions, self.numbers, self.flags, self.literal])

    @classmethod
    def from_json(cls, said: str) -> Self:
        """Return what `to_json` wrote."""
        raw: list[Any] = json.loads(said)
        expressions, numbers, flags, literal = raw
        return cls(
            expressions=tuple(expression.encode(_CHARSET) for expression in expressions),
            numbers=tuple(numbers),
            flags=tuple(flags),
            literal=literal,
        )


# What gives the database of a source: compiles it, or takes one that was compiled before.
Compile: TypeAlias = Callable[[Source], bytes]
