# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from policies.detectors.contract import Candidate, Detector, Pattern, certain


def test_a_detector_without_a_judge_takes_what_its_pattern_takes():
    detector = Detector(name="x", kind="X", group="g", patterns=(Pattern(expression="x"),), finds=(), ignores=())
    assert detector.judge(Candidate(value="x", before="", lenient=False)) == certain(
        Candidate(value="", before="", lenient=True)
    )


def test_a_pattern_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Pattern(expression="x").alone = ""  # type: ignore[misc]


def test_both_sides_of_a_pattern_are_free_of_the_same_characters_unless_it_says_otherwise():
    assert Pattern(expression="x", alone="a-z").alone_before is None
    assert Pattern(expression="x", alone="a-z", alone_before="").alone_before == ""
