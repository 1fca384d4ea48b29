# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.content import Side, content_hash
from policies.contracts.recording import ContentMode, RecordingTerms
from policies.sealed_texts import KeptText, Seal, SealedTexts
from proxy_addons.core.kept_content import MOST_TEXTS, KeptContent

SEAL = Seal(key=b"k" * 32, tenant="default")
NAMED = {"record_id": "01R", "day": "2026-11-20"}


def kept(*, prompts=ContentMode.NONE, answers=ContentMode.NONE, max_bytes=100) -> KeptContent:
    return KeptContent(RecordingTerms(prompts=prompts, answers=answers, max_bytes=max_bytes), seal=SEAL)


def hash_of(text: str) -> str:
    return content_hash(SEAL.key, tenant="default", text=text)


def opened(content: KeptContent, side: Side) -> tuple[tuple[KeptText, ...], bool]:
    sealed = SealedTexts.from_json(content.to_json(**NAMED)[side]["sealed"])
    return SEAL.open(sealed, side=side, record_id="01R"), sealed.truncated


def test_a_side_that_is_not_kept_takes_nothing():
    content = kept(prompts=ContentMode.HASHED)
    content.add(Side.ANSWER, [("a", "x")])
    assert (content.hashes(), content.to_json(**NAMED)) == ({}, {})
    assert (content.wants(Side.PROMPT), content.wants(Side.ANSWER)) == (True, False)


def test_found_by_what_was_asked_last_and_by_the_first_answer():
    content = kept(prompts=ContentMode.HASHED, answers=ContentMode.HASHED)
    texts = [("0", "first"), ("1", "last")]
    content.add(Side.PROMPT, texts)
    content.add(Side.ANSWER, texts)
    assert content.hashes() == {"answer": hash_of("first"), "prompt": hash_of("last")}


def test_hashed_has_hashes_of_all_texts_and_no_text():
    content = kept(prompts=ContentMode.HASHED)
    content.add(Side.PROMPT, [("0", "é"), ("1", "last")])
    assert content.to_json(**NAMED) == {
        "prompt": {
            "texts": [
                {"path": "0", "hash": hash_of("é"), "bytes": 2},
                {"path": "1", "hash": hash_of("last"), "bytes": 4},
            ],
            "omitted": 0,
        }
    }


@given(st.text(max_size=60), st.lists(st.integers(0, 60), max_size=5), st.integers(1, 40))
def test_pieces_are_kept_as_the_whole_is(text, cuts, max_bytes):
    whole, pieces = (kept(answers=ContentMode.SEALED, max_bytes=max_bytes) for _ in range(2))
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    whole.add(Side.ANSWER, [("a", text)])
    for begin, end in pairwise(places):
        pieces.add(Side.ANSWER, [("a", text[begin:end])])
    if text:
        assert whole.hashes() == pieces.hashes() == {"answer": hash_of(text)}
        assert opened(whole, Side.ANSWER)[1] == opened(pieces, Side.ANSWER)[1] == (len(text.encode()) > max_bytes)
        for (left,), _ in (opened(each, Side.ANSWER) for each in (whole, pieces) if opened(each, Side.ANSWER)[0]):
            assert text.startswith(left.text)
            assert len(left.text.encode()) <= max_bytes


@pytest.mark.parametrize(
    ("max_bytes", "want", "truncated"),
    [(6, ("héllo",), False), (5, ("héll",), True), (2, ("h",), True)],
)
def test_a_text_is_cut_where_policy_keeps_no_more_and_its_hash_is_of_all_of_it(max_bytes, want, truncated):
    content = kept(answers=ContentMode.SEALED, max_bytes=max_bytes)
    content.add(Side.ANSWER, [("a", "héllo")])
    texts, told = opened(content, Side.ANSWER)
    assert (tuple(each.text for each in texts), told) == (want, truncated)
    assert content.hashes() == {"answer": hash_of("héllo")}


def test_texts_beyond_the_most_are_counted():
    content = kept(prompts=ContentMode.SEALED, max_bytes=1000)
    content.add(Side.PROMPT, [(str(number), "x") for number in range(MOST_TEXTS + 3)])
    member = content.to_json(**NAMED)["prompt"]
    assert (len(member["texts"]), member["omitted"]) == (MOST_TEXTS, 3)
    assert opened(content, Side.PROMPT)[1]


def test_what_is_held_is_bounded_however_long_a_stream_is():
    content = kept(answers=ContentMode.SEALED, max_bytes=10)
    for _ in range(10_000):
        content.add(Side.ANSWER, [("a", "x" * 100)])
    (held,) = content._sides[Side.ANSWER]._texts.values()
    assert (len("".join(held.kept)), held.size) == (10, 1_000_000)
