# SPDX-License-Identifier: Apache-2.0
from policies.contracts.asked_screen import ScoredWindow, ScreenScore
from policies.contracts.codec import canonical_bytes
from policies.evaluation.screen_report import ScreenFinding, ScreenReport

SCORED = ScreenScore(0.994, windows=(ScoredWindow(0, 4, "raw", 0.994), ScoredWindow(4, 9, "base64", 0.5)))
FINDING = ScreenFinding.of("p", "r", "deny", SCORED, field="user", path="request.input")


def test_a_long_list_is_abridged_and_says_so():
    told = ScreenReport(outcome="answered", findings=(FINDING,) * 40).to_json(None)
    assert (len(told["findings"]), told["omitted"]) == (32, 8)
    canonical_bytes(told)


def test_an_abridged_envelope_keeps_scores_and_no_places():
    told = ScreenReport(outcome="answered", findings=(FINDING, FINDING)).to_json(1)
    assert (told["omitted"], told["findings"][0]["score_percent"], told["findings"][0]["windows"]) == (1, 99, [])
