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


EACH = pytest.mark.parametrize("detector", DETECTORS, ids=DETECTOR_NAMES)


@EACH
def test_finds_its_samples(detector: Detector):
    assert [text for text in detector.finds if len(found(detector, text)) != 1] == []


@EACH
def test_ignores_its_look_alikes(detector: Detector):
    assert [text for text in detector.ignores if found(detector, text)] == []


@EACH
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
    rule = RedactionRule(id="r", detectors=DETECTOR_NAMES, action=RedactionAction.REPLACE, strictness=Strictness.STRICT)
    policy = RedactionPolicy(id="p", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=(rule,))
    return Redaction.of([policy]).rules_for(["p"])


@EACH
def test_what_is_written_in_place_of_a_finding_is_none(detector: Detector):
    for text in detector.finds:
        once = RULES.text(text).text
        assert once != text
        assert RULES.text(once).text == once


RULES = rules()
# What stands in place of a finding, for a detector's name.
WRITTEN = (
    *("[redacted:{}]", "[redacted:{}:2]", "[{}:dkfbjaelmo]", "[{}:ajjjkbcdef]"),
    *("************", "************1111", "*****************432100", "****fQ2x"),
)


@EACH
def test_nothing_is_found_in_what_redaction_writes_behind_a_name(detector: Detector):
    for written in WRITTEN:
        text = f"{detector.name.replace('-', ' ')}: {written.format(detector.name)}"
        assert RULES.text(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("An ordinary sentence, with punctuation. And 1 number. ", id="prose-that-ends-in-a-space"),
        pytest.param("Une phrase ordinaire – avec l’accent: é, ü, 漢字\n", id="prose-that-ends-in-a-line"),
    ],
)
def test_holds_nothing_of_prose_that_ends_between_words(text: str):
    assert RULES.stream().feed(text) == text
