# SPDX-License-Identifier: Apache-2.0
"""The samples of a policy's own detectors, tried with the very search that the proxy runs."""

from collections.abc import Iterator

from policies.contracts.errors import Diagnostic
from policies.document.model import PolicyDocument, RedactionSpec
from policies.scanning.finder import Budget, Finder


def check_samples(document: PolicyDocument, spec: RedactionSpec, finder: Finder) -> Iterator[Diagnostic]:
    """Give every sample that is not found as it is to be, in strict mode.

    `finder` has the detectors of `spec` and then its literal lists. Each is tried by itself: what others find in its
    samples is no matter.
    """
    for number, of in enumerate(spec.samples):
        for index, text in enumerate(of.finds):
            if (count := _count(finder, number, text)) != 1:
                at = document.places.at(f"/spec/detectors/{number}/finds/{index}")
                message = f"The detector finds {count or 'nothing'} in this text, not one value."
                fix = "Correct the detector or the text." if count == 0 else "Give each value a text of its own."
                yield Diagnostic(code="sample-not-found", at=at, message=message, fix=fix)
        for index, text in enumerate(of.ignores):
            if _count(finder, number, text):
                at = document.places.at(f"/spec/detectors/{number}/ignores/{index}")
                message = "The detector finds something in this text."
                fix = "Correct the detector or the text."
                yield Diagnostic(code="sample-found", at=at, message=message, fix=fix)
    own = [
        *((f"/spec/detectors/{number}/id", each.id) for number, each in enumerate(spec.detectors)),
        *((f"/spec/literals/{number}/id", each.id) for number, each in enumerate(spec.literals)),
    ]
    for number, (pointer, name) in enumerate(own):
        if any(_count(finder, number, f"[redacted:{name}{behind}]") for behind in ("", ":2")):
            message = f"It finds something in [redacted:{name}], which is what replaces a finding."
            fix = "Give it another id, or let it find less."
            yield Diagnostic(code="finds-placeholder", at=document.places.at(pointer), message=message, fix=fix)


def _count(finder: Finder, number: int, text: str) -> int:
    wanted = [False if other == number else None for other in range(len(finder.detectors))]
    return len(finder.find(text, wanted=wanted, budget=Budget()).findings)
