# SPDX-License-Identifier: Apache-2.0
"""What a redaction policy defines itself: detectors with their samples, and lists of literals."""

import difflib
from collections.abc import Sequence
from typing import Final

from policies.contracts.snapshot import CustomDetector, CustomPattern, LiteralList
from policies.detectors.catalogue import ALL
from policies.detectors.context import words_of
from policies.detectors.validators import VALIDATOR_NAMES, validator
from policies.document import forms
from policies.document.model import Samples
from policies.document.reader import Members

_DETECTOR: Final = ("id", "patterns", "finds")
_OF_DETECTOR: Final = ("kind", "validator", "context", "needs_context", "score_percent", "ignores")
_PATTERN: Final = ("expression", "alone", "ignore_case")
_LITERALS: Final = ("id", "values")
_OF_LITERALS: Final = ("kind", "alone", "ignore_case", "disguised")

# More would make a scan of every text slower for everybody (`docs/explanation/performance.md`).
MAX_PATTERNS: Final = 1_000
MAX_VALUES: Final = 10_000
# Each is looked for in four disguises, and there is no telling them from prose by their length.
MAX_DISGUISED: Final = 100


def read_detectors(spec: Members) -> tuple[tuple[CustomDetector, ...], tuple[Samples, ...]]:
    """Return a policy's own detectors, and the samples of each."""
    entries = spec.objects("detectors", known=(*_DETECTOR, *_OF_DETECTOR), required=_DETECTOR)
    detectors = tuple(map(_detector, entries))
    _check_ids(entries, [detector.id for detector in detectors], taken=())
    if sum(len(detector.patterns) for detector in detectors) > MAX_PATTERNS:
        problem = f"The detectors have more than {MAX_PATTERNS} patterns."
        spec.notes.add("too-many", spec.at("detectors"), problem, "Split the policy.")
    samples = tuple(
        Samples(
            finds=entry.texts("finds", forms.SAMPLE, at_least=1),
            ignores=entry.texts("ignores", forms.SAMPLE),
        )
        for entry in entries
    )
    return detectors, samples


def read_literals(spec: Members, *, taken: Sequence[str]) -> tuple[LiteralList, ...]:
    """Return a policy's literal lists. `taken` are the ids of its detectors."""
    entries = spec.objects("literals", known=(*_LITERALS, *_OF_LITERALS), required=_LITERALS)
    lists = tuple(map(_literals, entries))
    _check_ids(entries, [each.id for each in lists], taken=taken)
    for most, found, what in (
        (MAX_VALUES, lists, "values"),
        (MAX_DISGUISED, [each for each in lists if each.disguised], "disguised values"),
    ):
        if sum(len(each.values) for each in found) > most:
            problem = f"The lists have more than {most} {what}."
            spec.notes.add("too-many", spec.at("literals"), problem, "Split the policy.")
    return lists


def _detector(entry: Members) -> CustomDetector:
    detector_id = entry.text("id", forms.ID)
    detector = CustomDetector(
        id=detector_id,
        kind=_kind(entry, detector_id),
        patterns=tuple(map(_pattern, entry.objects("patterns", known=_PATTERN, required=_PATTERN[:1], at_least=1))),
        validator=_validator(entry),
        context=entry.texts("context", forms.CONTEXT),
        needs_context=entry.boolean("needs_context") or False,
        score_percent=entry.integer("score_percent", low=1, high=100) or 100,
    )
    if detector.needs_context and not detector.context:
        problem = "The detector needs context and has none."
        entry.notes.add("member-missing", entry.at("needs_context"), problem, "Add 'context'.")
    if any(word and not words_of(word) for word in detector.context):
        problem = "A word of the context has no letter, and letters are all that is compared."
        entry.notes.add("bad-context-word", entry.at("context"), problem, "Name a word.")
    return detector


def _pattern(entry: Members) -> CustomPattern:
    return CustomPattern(
        expression=entry.text("expression", forms.EXPRESSION),
        alone=_alone(entry),
        ignore_case=entry.boolean("ignore_case") or False,
    )


def _literals(entry: Members) -> LiteralList:
    list_id = entry.text("id", forms.ID)
    return LiteralList(
        id=list_id,
        kind=_kind(entry, list_id),
        values=entry.texts("values", forms.LITERAL, at_least=1),
        alone=_alone(entry),
        ignore_case=entry.boolean("ignore_case") or False,
        disguised=entry.boolean("disguised") or False,
    )


def _kind(entry: Members, of: str) -> str:
    return entry.text("kind", forms.KIND) if "kind" in entry else of.upper().replace("-", "_")


def _alone(entry: Members) -> str | None:
    return entry.text("alone", forms.CHARACTERS) if "alone" in entry else None


def _validator(entry: Members) -> str | None:
    if "validator" not in entry:
        return None
    name = entry.text("validator", forms.LINE)
    try:
        validator(name)
    except LookupError:
        if name:
            near = difflib.get_close_matches(name, VALIDATOR_NAMES, n=1)
            fix = f"Is {near[0]!r} meant?" if near else f"There are: {', '.join(VALIDATOR_NAMES)}."
            entry.notes.add("unknown-validator", entry.at("validator"), "There is no such validator.", fix)
    return name


def _check_ids(entries: Sequence[Members], ids: Sequence[str], *, taken: Sequence[str]) -> None:
    seen = {ALL, *taken}
    for entry, of in zip(entries, ids, strict=True):
        if of and of in seen:
            problem = f"{of!r} means every detector." if of == ALL else f"There is {of!r} already."
            entry.notes.add("duplicate-id", entry.at("id"), problem, "Rename one.")
        seen.add(of)
