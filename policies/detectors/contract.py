# SPDX-License-Identifier: Apache-2.0
"""What a detector is: patterns that say where to look, and a judge that says what is there.

A detector is data and pure functions, so that one scanner (`policies.scanning`) can look for all of them at once in
linear time, derive from the same patterns how little of a stream must be held back, and treat the detectors of a
policy's author like our own.

Rules for a detector:

1. It is local. A judge sees the value and at most BEFORE characters before it, nothing behind: so whole texts and
   streams cannot be judged differently.
2. It is pure. The same candidate has the same score whenever and wherever it is asked.
3. It never judges its own work: no value that `redaction` writes in place of a finding is one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

# How many characters before a value a judge may look at.
BEFORE: Final = 64

# What may not touch a match of a pattern, unless the pattern says otherwise.
ALPHANUMERIC: Final = "A-Za-z0-9"

# The types of findings that begin with this are secrets: what gives access, not what tells of a person.
SECRET: Final = "secret."  # noqa: S105  # a prefix of types, and no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    r"""What a value looks like, in the subset of the syntax of `re` that `policies.scanning.expression` takes.

    There are no lookarounds, no back references and no anchors. Classes are of ASCII; bytes beyond ASCII can be named
    as `[\x80-\xff]`. A group `(?P<value>…)`, at most one and not within a repetition, says which part of a match is
    the value; without it the whole is. `alone` is the inside of a class of ASCII characters: a match that has one of
    them directly before or behind it is none; "" lets anything touch it. `alone_before` says it for the left side where
    that differs: the name in `githubToken = …` may begin within a word, but its value may not end within one. With
    `until`, also an expression, a finding lasts until that has passed, or the text ends.
    """

    expression: str
    alone: str = ALPHANUMERIC
    alone_before: str | None = None
    ignore_case: bool = False
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a pattern matched, in the normalised copy of a text that is scanned.

    `before` is what stands directly before `value`, at most BEFORE characters. Where `lenient`, a value of the right
    shape in strong context is a finding although its check digit is wrong.
    """

    value: str
    before: str
    lenient: bool


# A score from 0 (exclusive) to 1, or None where the candidate is no finding.
Judge: TypeAlias = Callable[[Candidate], float | None]


def certain(_candidate: Candidate) -> float | None:
    """Take whatever the pattern takes: its form alone decides."""
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One kind of thing to find. Immutable, shared by all texts.

    `name` is what policies say (kebab-case), `kind` what findings say (`CREDIT_CARD`, `secret.github-token`), `group`
    the name under which policies can say it together with others. `finds` and `ignores` are its samples, in strict
    mode: each of `finds` has exactly one finding, none of `ignores` has any.
    """

    name: str
    kind: str
    group: str
    patterns: tuple[Pattern, ...]
    finds: tuple[str, ...]
    ignores: tuple[str, ...]
    judge: Judge = certain
