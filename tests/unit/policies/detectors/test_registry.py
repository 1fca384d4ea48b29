# SPDX-License-Identifier: Apache-2.0
"""Every detector finds its `finds` and ignores its `ignores`; each keeps the promises of `detector.py`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction, RedactionPolicy, RedactionRule
from policies.detectors.clues import Clues
from policies.detectors.detector import Detector, Scan
from policies.detectors.registry import DETECTOR_NAMES, DETECTORS
from policies.redaction.engine import Redaction
from policies.redaction.rules import ActiveRules
from tests.texts import TEXTS


def rules_of(*names: str) -> ActiveRules:
    rule = RedactionRule(id="rule", detectors=names, action=RedactionAction.REPLACE)
    policy = RedactionPolicy(id="policy", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=(rule,))
    return Redaction.of([policy]).rules_for(["policy"])


def samples(kind: str):
    return [
        pytest.param(detector, text, id=f"{detector.name}-{number}")
        for detector in DETECTORS
        for number, text in enumerate(getattr(detector, kind))
    ]


@pytest.mark.parametrize(("detector", "text"), samples("finds"))
def test_finds_its_samples(detector: Detector, text: str):
    redacted = rules_of(detector.name).text(text)
    assert [(detector.name, 1)] == [(finding.detector, finding.count) for finding in redacted.findings]
    assert f"[redacted:{detector.name}]" in redacted.text


@pytest.mark.parametrize(("detector", "text"), samples("ignores"))
def test_ignores_its_look_alikes(detector: Detector, text: str):
    assert text == rules_of(detector.name).text(text).text


@pytest.mark.parametrize("detector", DETECTORS, ids=DETECTOR_NAMES)
def test_has_at_least_five_samples_of_each_kind(detector: Detector):
    assert len(detector.finds) >= 5
    assert len(detector.ignores) >= 5


@pytest.mark.parametrize("detector", DETECTORS, ids=DETECTOR_NAMES)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("An ordinary sentence, with punctuation. And 1 number ", id="prose-that-ends-in-a-space"),
        pytest.param("Une phrase ordinaire – avec l’accent: é, ü, 漢字\n", id="prose-that-ends-in-a-line"),
    ],
)
def test_holds_nothing_of_prose_that_ends_between_words(detector: Detector, text: str):
    assert len(text) == detector.scan(text, 0, final=False).decided_to


@pytest.mark.parametrize("detector", DETECTORS, ids=DETECTOR_NAMES)
@given(text=TEXTS)
def test_never_holds_more_than_it_states(detector: Detector, text: str):
    start = 0
    for end in range(1, len(text) + 1):
        scan = detector.scan(text[:end], start, final=False)
        if scan.opening:
            return
        assert scan.decided_to >= start
        assert end - scan.decided_to <= detector.max_hold
        start = scan.decided_to


@pytest.mark.parametrize("names", [*[(name,) for name in DETECTOR_NAMES], DETECTOR_NAMES], ids="+".join)
@given(text=TEXTS, data=st.data())
def test_finds_the_same_however_the_text_is_cut(names: tuple[str, ...], text: str, data: st.DataObject):
    rules = rules_of(*names)
    want = rules.text(text)
    by_character = rules.stream()
    assert want.text == "".join(map(by_character.feed, text)) + by_character.finish()
    assert want.findings == by_character.findings
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    by_piece = rules.stream()
    assert want.text == "".join(map(by_piece.feed, pieces)) + by_piece.finish()


@pytest.mark.parametrize("names", [*[(name,) for name in DETECTOR_NAMES], DETECTOR_NAMES], ids="+".join)
@given(text=TEXTS)
def test_redacting_twice_changes_nothing(names: tuple[str, ...], text: str):
    rules = rules_of(*names)
    once = rules.text(text).text
    assert once == rules.text(once).text


@pytest.mark.parametrize(("detector", "text"), samples("finds"))
def test_has_its_clue_in_each_of_its_finds(detector: Detector, text: str):
    assert Clues([detector]).seen(text)


@pytest.mark.parametrize("detector", DETECTORS, ids=DETECTOR_NAMES)
@given(text=TEXTS, data=st.data())
def test_finds_nothing_and_holds_the_same_without_its_clue(detector: Detector, text: str, data: st.DataObject):
    clues = Clues([detector])
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    if clues.seen(text[max(0, start - detector.lookbehind) : end]):
        return
    assert Scan((), end) == detector.scan(text[:end], start, final=True)
    assert Scan((), detector.undecided_from(text[:end], start)) == detector.scan(text[:end], start, final=False)


@pytest.mark.parametrize("detector", DETECTORS, ids=DETECTOR_NAMES)
def test_has_no_clue_in_any_placeholder(detector: Detector):
    assert not [name for name in DETECTOR_NAMES if Clues([detector]).seen(f"[redacted:{name}]")]
