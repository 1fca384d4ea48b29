# SPDX-License-Identifier: Apache-2.0
from policies.detectors.contract import Candidate, Pattern
from policies.detectors.secrets.form import ALNUM, base64, form, varied, word
from tests.unit.policies.detectors.reference import findings

DETECTOR = form(
    "example-key", "secrets-example", r"exa_[A-Za-z0-9]{20}", tokens=(("ex" + "a_", ALNUM[:20]),), ignores=("no",)
)


def judged(value: str, floor: float) -> float | None:
    return varied(floor)(Candidate(value=value, before="", lenient=False))


def test_a_form_is_a_secret_of_its_name_and_has_samples_of_both_kinds():
    assert (DETECTOR.kind, DETECTOR.group) == ("secret.example-key", "secrets-example")
    assert (len(DETECTOR.finds), len(DETECTOR.ignores)) == (3, 4)
    assert [text for text in DETECTOR.finds if len(findings(DETECTOR, text)) != 1] == []
    assert [text for text in DETECTOR.ignores if findings(DETECTOR, text)] == []


def test_takes_what_varies_and_leaves_what_does_not():
    assert judged(ALNUM[:20], 3.0) == 1.0
    assert judged("exa_" + "ab" * 8, 3.0) is None
    assert judged("exa_your-key-goes-here-1234", 3.0) is None


def test_a_token_ends_where_none_of_its_characters_follows():
    assert (word("x").alone, word("x").alone_before) == ("A-Za-z0-9_-", "A-Za-z0-9")
    assert (base64("x").alone, base64("x").alone_before) == ("A-Za-z0-9+/=", "A-Za-z0-9")
    assert DETECTOR.patterns == (Pattern(expression=r"exa_[A-Za-z0-9]{20}"),)


def test_a_token_without_a_greatest_length_begins_once_in_a_run_of_its_characters():
    assert word(r"exa-[a-z-]{4,}").alone_before == "A-Za-z0-9_-"
    assert base64(r"exa[A-Za-z0-9+/]{4,}").alone_before == "A-Za-z0-9+/"
