# SPDX-License-Identifier: Apache-2.0
"""What is wrong with what screening policies look for, and with the reasons they give."""

from collections.abc import Iterator, Sequence

from policies.compiler.redaction_checks import check_expression
from policies.contracts.errors import Diagnostic
from policies.contracts.reasons import REASONS
from policies.contracts.screening import OWN_REASONS
from policies.detectors.custom import from_patterns
from policies.document.model import PolicyDocument, ScreeningSpec
from policies.evaluation.screening import detector_of
from policies.scanning.finder import Finder
from policies.scanning.fold import folded
from policies.scanning.source import CannotScan

_SHORTEST = 3


def check_screening(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    """Give what is wrong with each screening policy among `documents`, whatever release it is in."""
    for document in documents:
        if isinstance(document.spec, ScreeningSpec):
            wrong = [*_reasons(document, document.spec), *_phrases(document, document.spec)]
            wrong += _expressions(document, document.spec)
            yield from wrong or _compiled(document, document.spec)


def _reasons(document: PolicyDocument, spec: ScreeningSpec) -> Iterator[Diagnostic]:
    stated = [
        *((rule.reason, f"/spec/rules/{number}/reason") for number, rule in enumerate(spec.rules)),
        *((rule.reason, f"/spec/classifier/{number}/reason") for number, rule in enumerate(spec.classifier)),
    ]
    for reason, pointer in stated:
        if reason in REASONS and reason not in OWN_REASONS:
            at = document.places.at(pointer)
            message = f"The reason code {reason!r} is one of Gatehouse's own."
            yield Diagnostic(code="reason-taken", at=at, message=message, fix="Choose another.")


def _phrases(document: PolicyDocument, spec: ScreeningSpec) -> Iterator[Diagnostic]:
    for number, rule in enumerate(spec.rules):
        for index, phrase in enumerate(rule.phrases):
            if len("".join(folded(phrase).split())) < _SHORTEST:
                at = document.places.at(f"/spec/rules/{number}/phrases/{index}")
                message = f"Of this phrase fewer than {_SHORTEST} characters are seen."
                yield Diagnostic(code="phrase-too-short", at=at, message=message, fix="Lengthen it.")


def _expressions(document: PolicyDocument, spec: ScreeningSpec) -> Iterator[Diagnostic]:
    for number, rule in enumerate(spec.rules):
        for index, expression in enumerate(rule.expressions):
            yield from check_expression(document, expression, f"/spec/rules/{number}/expressions/{index}")


def _compiled(document: PolicyDocument, spec: ScreeningSpec) -> Iterator[Diagnostic]:
    detectors = [from_patterns(document.id, detector_of(rule)) for rule in spec.rules]
    try:
        Finder(detectors)
    except CannotScan as exc:
        at = document.places.at("/spec/rules")
        message = f"The rules together cannot be looked for: {str(exc).rstrip('.')}."
        yield Diagnostic(code="bad-expression", at=at, message=message, fix="Lower the limits of repetitions.")
