# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.redaction.findings import Tally
from proxy_addons.core.responses_text import Kept, SaidText
from proxy_addons.core.sse_tree import NotExaminable
from tests.streams import EMAIL, rules


def text(kept: int = 1000) -> SaidText:
    return SaidText(rules().stream(Tally()), Kept(kept))


def test_what_was_let_go_is_the_redaction_of_the_text():
    said = text()
    left = [said.feed(piece) for piece in ("ask alice", "@example.com", " now")]
    rest = said.close(f"ask {EMAIL} now")
    assert said.left == "".join([*left, rest]) == "ask [redacted:email] now"


def test_it_is_closed_once_and_told_again_and_again():
    said = text()
    said.feed("since 2024")
    assert [said.close(), said.close("since 2024"), said.left] == ["2024", "", "since 2024"]
    with pytest.raises(NotExaminable):
        said.feed(".")


def test_a_text_without_pieces_is_said_whole():
    said = text()
    assert said.close(EMAIL) == said.left == "[redacted:email]"


@pytest.mark.parametrize("whole", ["", "ab", "abcd", "ABC"])
def test_another_text_than_the_pieces_said_is_a_differential(whole):
    said = text()
    said.feed("a")
    said.feed("bc")
    with pytest.raises(NotExaminable):
        said.close(whole)


def test_a_closed_text_without_pieces_cannot_be_said_later():
    said = text()
    assert said.close() == ""
    with pytest.raises(NotExaminable):
        said.close(EMAIL)


def test_no_more_is_kept_than_allowed():
    said = text(5)
    said.feed("abcde")
    with pytest.raises(NotExaminable):
        said.feed("f")
