# SPDX-License-Identifier: Apache-2.0
"""Every detector finds its `finds` and ignores its `ignores`, in what the scanner and the engine make of it."""

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction, RedactionPolicy, RedactionRule, Strictness
from policies.detectors.contract import SECRET, Detector
from policies.detectors.registry import DETECTOR_NAMES, DETECTORS
from policies.redaction.engine import Redaction
from policies.redaction.rules import ActiveRules
from policies.scanning.budget import Budget
from policies.scanning.finder import Finder

FINDER = Finder(DETECTORS)


def found(detector: Detector, text: str, *, lenient: bool = False) -> list[str]:
    wanted = [lenient if each is detector else None for each in DETECTORS]
    findings = FINDER.find(text, wanted=wanted, budget=Budget()).findings
    # What overlaps is redacted as one.
    return [text[a.start : a.end] for n, a in enumerate(findings) if all(b.end <= a.start for b in findings[:n])]


def samples(kind: str):
    return [
        pytest.param(detector, text, id=f"{detector.name}-{number}")
        for detector in DETECTORS
        for number, text in enumerate(getattr(detector, kind))
    ]


@pytest.mark.parametrize(("detector", "text"), samples("finds"))
def test_finds_its_samples(detector: Detector, text: str):
    assert len(found(detector, text)) == 1


@pytest.mark.parametrize(("detector", "text"), samples("ignores"))
def test_ignores_its_look_alikes(detector: Detector, text: str):
    assert found(detector, text) == []


@pytest.mark.parametrize("detector", DETECTORS, ids=DETECTOR_NAMES)
def test_has_at_least_three_samples_of_each_kind(detector: Detector):
    assert len(detector.finds) >= 3
    assert len(detector.ignores) >= 3


def test_names_are_told_apart():
    assert len(set(DETECTOR_NAMES)) == len(DETECTORS)
    assert not {detector.group for detector in DETECTORS} & set(DETECTOR_NAMES)


def test_a_secret_is_named_as_one():
    secrets = [detector for detector in DETECTORS if detector.group.startswith("secrets")]
    assert secrets
    assert all(detector.kind.startswith(SECRET) for detector in secrets)


def rules() -> ActiveRules:
    rule = RedactionRule(id="r", detectors=("all",), action=RedactionAction.REPLACE, strictness=Strictness.STRICT)
    policy = RedactionPolicy(id="p", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=(rule,))
    return Redaction.of([policy]).rules_for(["p"])


@pytest.mark.parametrize(("detector", "text"), samples("finds"))
def test_what_is_written_in_place_of_a_finding_is_none(detector: Detector, text: str):
    once = RULES.text(text).text
    assert once != text, detector.name
    assert RULES.text(once).text == once


RULES = rules()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("An ordinary sentence, with punctuation. And 1 number. ", id="prose-that-ends-in-a-space"),
        pytest.param("Une phrase ordinaire – avec l’accent: é, ü, 漢字\n", id="prose-that-ends-in-a-line"),
    ],
)
def test_holds_nothing_of_prose_that_ends_between_words(text: str):
    assert RULES.stream().feed(text) == text
