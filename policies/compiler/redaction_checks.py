# SPDX-License-Identifier: Apache-2.0
"""What must hold of a redaction policy beyond its form: its names are known, and what it looks for can be looked for.

What a node would choke on is refused here, where its author is told the place: a node that cannot build the detectors
of a snapshot keeps serving the one before.
"""

from collections import abc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from policies.compiler.sample_checks import check_samples
from policies.contracts.errors import Diagnostic, Position
from policies.contracts.snapshot import CustomPattern
from policies.detectors import presidio
from policies.detectors.catalogue import Catalogue, Entry, Named, own_name
from policies.detectors.contract import ALPHANUMERIC, Pattern
from policies.detectors.custom import from_literals, from_patterns
from policies.document.model import PolicyDocument, RedactionSpec
from policies.scanning.databases import CannotScan, Databases
from policies.scanning.expression import ExpressionError, characters, parse
from policies.scanning.finder import Finder
from policies.scanning.fold import folded
from policies.scanning.tree import Chars, Choice, Node, Repeat, Sequence, Value, has_value, widths

_SHORTEST_LITERAL: Final = 3
# Positions of an expression with its repetitions written out. Compiling takes time that grows with their square: of one
# such expression a second, and of one eight times as large minutes.
_MOST_POSITIONS: Final = 4_096
_MOST_TOGETHER: Final = 131_072


def check_redactions(documents: abc.Sequence[PolicyDocument], detectors: Iterable[Named]) -> Iterator[Diagnostic]:
    """Give what is wrong with the redaction policies among `documents`; `detectors` are ours."""
    ours = tuple(detectors)
    for document in documents:
        if isinstance(document.spec, RedactionSpec):
            yield from _Checked(document, document.spec, ours).problems()


def check_expression(document: PolicyDocument, expression: str, pointer: str) -> Iterator[Diagnostic]:
    """Give what is wrong with an expression of another kind of policy, which stands at `pointer`."""
    pattern = CustomPattern(expression=expression, ignore_case=True)
    for found in _Checked(document, RedactionSpec(), ())._pattern(pattern, pointer):  # noqa: SLF001  # of this module
        yield replace(found, message=found.message.replace(".expression:", ":"))


class _Checked:
    """One document, with its places at hand."""

    def __init__(self, document: PolicyDocument, spec: RedactionSpec, ours: abc.Sequence[Named]) -> None:
        self._document = document
        self._spec = spec
        own = [*(each.id for each in spec.detectors), *(each.id for each in spec.literals)]
        self._positions = 0
        self._missing = ""
        optional: tuple[Named, ...] = ()
        try:
            optional = presidio.entries()
        except presidio.NotInstalled as exc:
            self._missing = str(exc)
        self._catalogue = Catalogue([*ours, *optional, *(Entry(own_name(document.id, of)) for of in own)])

    def problems(self) -> Iterator[Diagnostic]:
        yield from self._names()
        yield from self._unused()
        yield from self._literals()
        wrong = [
            problem
            for number, detector in enumerate(self._spec.detectors)
            for index, pattern in enumerate(detector.patterns)
            for problem in self._pattern(pattern, f"/spec/detectors/{number}/patterns/{index}")
        ]
        yield from wrong or self._compiled()

    def _at(self, pointer: str) -> Position:
        return self._document.places.at(pointer)

    def _names(self) -> Iterator[Diagnostic]:
        policy = self._document.id
        for number, rule in enumerate(self._spec.rules):
            for index, said in enumerate(rule.detectors):
                if self._catalogue.named(said, policy=policy):
                    continue
                at = self._at(f"/spec/rules/{number}/detectors/{index}")
                if presidio.wanted(said):
                    message = f"{said!r} is recognised by Presidio, and {self._missing}."
                    yield Diagnostic(code="detector-not-installed", at=at, message=message, fix=presidio.FIX)
                    continue
                near = self._catalogue.nearest(said, policy=policy)
                names = self._catalogue.sayable(policy=policy)
                fix = f"Is {_listed(near)} meant?" if near else f"There are: {', '.join(names)}."
                yield Diagnostic(code="unknown-detector", at=at, message=f"No detector is {said!r}.", fix=fix)

    def _unused(self) -> Iterator[Diagnostic]:
        policy = self._document.id
        said = {said for rule in self._spec.rules for said in rule.detectors}
        used = {name for each in said for name in self._catalogue.named(each, policy=policy)}
        for member, ids in (
            ("detectors", [each.id for each in self._spec.detectors]),
            ("literals", [each.id for each in self._spec.literals]),
        ):
            for number, of in enumerate(ids):
                if own_name(policy, of) not in used:
                    at = self._at(f"/spec/{member}/{number}/id")
                    message = f"No rule names {of!r}."
                    yield Diagnostic(code="unused-detector", at=at, message=message, fix="Name it in a rule.")

    def _literals(self) -> Iterator[Diagnostic]:
        for number, literals in enumerate(self._spec.literals):
            yield from self._alone(literals.alone, f"/spec/literals/{number}/alone")
            for index, value in enumerate(literals.values):
                if len(folded(value)) < _SHORTEST_LITERAL:
                    at = self._at(f"/spec/literals/{number}/values/{index}")
                    message = "Of this text fewer than 3 characters are seen."
                    yield Diagnostic(code="literal-too-short", at=at, message=message, fix="Lengthen it.")

    def _pattern(self, pattern: CustomPattern, pointer: str) -> Iterator[Diagnostic]:
        yield from self._alone(pattern.alone, f"{pointer}/alone")
        at = f"{pointer}/expression"
        if (column := _unfolded(pattern.expression)) is not None:
            message = f"column {column + 1}: texts are scanned with this character as another, so it is never found"
            as_what = folded(pattern.expression[column])
            fix = f"Write {as_what!r}: it stands for all that looks like it." if as_what else "Remove it."
            yield self._refused(at, message, column, fix)
            return
        try:
            tree = parse(pattern.expression, ignore_case=pattern.ignore_case)
        except ExpressionError as exc:
            yield self._refused(at, f"column {exc.offset + 1}: {exc.problem}", exc.offset, "")
            return
        if has_value(tree) and _has_winding_repetition(tree):
            message = "beside a value, a repetition has neither a repetition nor alternatives in it"
            yield self._refused(at, message, 0, "Write it out, or let all of the match be the value.")
            return
        yield from self._width(tree, at)

    def _width(self, tree: Node, at: str) -> Iterator[Diagnostic]:
        least, most = widths(tree)
        bound = self._spec.hold.max_bytes
        size = positions(tree)
        self._positions += size
        if size > _MOST_POSITIONS:
            message = f"with its repetitions written out it has {size} characters, more than {_MOST_POSITIONS}"
            yield self._refused(at, message, 0, "Lower the limits of its repetitions.")
            return
        if least == 0:
            yield self._refused(at, "it matches nothing at all, and so everywhere", 0, "Let it need a character.")
        elif most is None and "/spec/hold/max_bytes" not in self._document.places.by_pointer:
            fix = "Give each repetition a limit, or state spec.hold.max_bytes, at which a stream ends."
            yield self._refused(at, "what it matches has no longest length", 0, fix)
        elif most is not None and most > bound:
            message = f"it matches up to {most} bytes, and a stream holds {bound}"
            yield self._refused(at, message, 0, "Lower the limits of its repetitions, or raise spec.hold.max_bytes.")

    def _alone(self, alone: str | None, pointer: str) -> Iterator[Diagnostic]:
        try:
            characters(ALPHANUMERIC if alone is None else alone)
        except ExpressionError as exc:
            yield self._refused(pointer, f"column {max(1, exc.offset)}: {exc.problem}", 0, "")

    def _compiled(self) -> Iterator[Diagnostic]:
        """Give the patterns that hyperscan does not take, or what is wrong with the samples if it takes all.

        Each pattern is asked for by itself only where all together fail.
        """
        if self._positions > _MOST_TOGETHER:
            message = f"the expressions together have more than {_MOST_TOGETHER} characters, repetitions written out"
            yield self._refused("/spec/detectors", message, 0, "Split the policy.")
            return
        detectors = [from_patterns(self._document.id, detector) for detector in self._spec.detectors]
        literals = [from_literals(self._document.id, each) for each in self._spec.literals]
        if not detectors and not literals:
            return
        try:
            finder = Finder([*detectors, *literals])
        except CannotScan:
            for number, detector in enumerate(detectors):
                for index, pattern in enumerate(detector.patterns):
                    if problem := _unscannable(pattern):
                        at = f"/spec/detectors/{number}/patterns/{index}/expression"
                        yield self._refused(at, problem, 0, "Make it simpler: split it, or lower its repetitions.")
        else:
            yield from check_samples(self._document, self._spec, finder)

    def _refused(self, pointer: str, message: str, column: int, fix: str) -> Diagnostic:
        at = self._document.places.within(pointer, row=1, column=column + 1)
        return Diagnostic(code="bad-expression", at=at, message=f"{_place(pointer)}: {message}.", fix=fix)


def positions(node: Node) -> int:
    """Return how many characters an expression has, its repetitions written out."""
    match node:
        case Chars():
            return 1
        case Value(part):
            return positions(part)
        case Repeat(part, least, most):
            return positions(part) * max(least, most or 1)
        case Sequence(parts) | Choice(parts):
            return sum(map(positions, parts))


def _winding(node: Node) -> bool:
    """Whether there are several ways through a repetition of `node`: a search for the value may try them all."""
    match node:
        case Chars():
            return False
        case Value(part):
            return _winding(part)
        case Repeat(part, least, most):
            return most != least or _winding(part)
        case Choice(parts):
            return not all(isinstance(part, Chars) for part in parts)
        case Sequence(parts):
            return any(map(_winding, parts))


def _has_winding_repetition(node: Node) -> bool:
    match node:
        case Chars():
            return False
        case Value(part):
            return _has_winding_repetition(part)
        case Repeat(part, _, most):
            return (most != 1 and _winding(part)) or _has_winding_repetition(part)
        case Sequence(parts) | Choice(parts):
            return any(map(_has_winding_repetition, parts))


def _unscannable(pattern: Pattern) -> str | None:
    """Return why a pattern cannot be compiled; None where it can."""
    try:
        Databases.of([pattern])
    except CannotScan as exc:
        return str(exc).rstrip(".")
    return None


def _unfolded(text: str) -> int | None:
    """Return the place of the first character that is scanned as another; None where there is none."""
    return next((place for place, character in enumerate(text) if folded(character) != character), None)


def _place(pointer: str) -> str:
    """Return a pointer as an author writes the place: `spec.detectors[2].patterns[0].expression`."""
    steps = pointer.strip("/").split("/")
    return "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps).lstrip(".")


def _listed(names: abc.Sequence[str]) -> str:
    return " or ".join(map(repr, names))
