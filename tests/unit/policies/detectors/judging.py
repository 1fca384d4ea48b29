# SPDX-License-Identifier: Apache-2.0
"""Ask a detector's judge in one line."""

from policies.detectors.contract import Candidate, Detector


def score(detector: Detector, value: str, before: str = "", *, lenient: bool = False) -> float | None:
    return detector.judge(Candidate(value=value, before=before, lenient=lenient))
