# SPDX-License-Identifier: Apache-2.0
"""Errors that cross package borders. Each names the place and the fix; none carries a prompt or an answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in a policy document: `line` and `column` count from 1, `pointer` is an RFC 6901 JSON pointer."""

    file: str
    line: int = 1
    column: int = 1
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One thing wrong with a document: what, where, and what to do about it."""

    code: str
    at: Position
    message: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.at}{f' ({self.at.pointer})' if self.at.pointer else ''}"
        return f"{place}: {self.code}: {self.message}{f' {self.fix}' if self.fix else ''}"


class PolicyRejected(Exception):
    """Documents that cannot be put to work. `diagnostics` holds everything that is wrong with them, in order."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__("\n".join(map(str, diagnostics)))
        self.diagnostics = tuple(diagnostics)


class BundleRejected(Exception):
    """A bundle that must not be activated: unsigned, altered, replayed, or not in the form of `docs/spec/bundle.md`.

    `code` is one of the kebab-case codes listed there.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class EvaluationFailed(Exception):
    """An engine could not answer (late, unreachable, broken, or answering for another revision): refuse the request."""

    def __init__(self, engine: str, problem: str) -> None:
        super().__init__(f"{engine}: {problem}")
        self.engine = engine
        self.problem = problem
