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
