# SPDX-License-Identifier: Apache-2.0
from inference.screen.kept_scores import KeptScores
from inference.screen.question import Piece
from policies.screening.model import Origin


def piece(text, origin=Origin.USER):
    return Piece(text, origin)


def test_keeps_by_text_and_origin():
    kept = KeptScores(10)
    kept.put(piece("a"), 0.5)
    assert kept.get(piece("a")) == 0.5
    assert kept.get(piece("a", Origin.TOOL_RESULT)) is None
    assert kept.get(piece("b")) is None


def test_drops_what_was_asked_for_longest_ago():
    kept = KeptScores(2)
    kept.put(piece("a"), 0.1)
    kept.put(piece("b"), 0.2)
    kept.get(piece("a"))
    kept.put(piece("c"), 0.3)
    assert [kept.get(piece(text)) for text in "abc"] == [0.1, None, 0.3]
    assert len(kept) == 2


def test_holds_no_text_and_takes_half_a_surrogate_pair():
    kept = KeptScores(2)
    kept.put(piece("unmistakable\ud800"), 0.1)
    assert kept.get(piece("unmistakable\ud800")) == 0.1
    assert "unmistakable" not in repr(vars(kept))


def test_one_that_keeps_nothing_gives_nothing():
    kept = KeptScores(0)
    kept.put(piece("a"), 0.1)
    assert kept.get(piece("a")) is None
