# SPDX-License-Identifier: Apache-2.0
import base64
import random
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.scanning.budget import Budget, BudgetSpent
from policies.scanning.copy import ScanCopy
from policies.scanning.decoded import DEPTH, ENCODING_EXPRESSIONS, LOCAL, ends_encoded, open_from, smuggles, views
from policies.scanning.expression import parse

SECRET = "AKIA" + "IOSFODNN7EXAMPLE"


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


def url_of(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


def html_of(text):
    return "".join(f"&#{ord(character)};" for character in text)


def json_of(text):
    return "".join(f"\\u{ord(character):04x}" for character in text)


def tags_of(text):
    return "".join(chr(0xE0000 + ord(character)) if " " <= character <= "~" else character for character in text)


def lines_of(text):
    return base64.encodebytes(text.encode()).decode()


ENCODINGS = (
    base64_of, url_of, html_of, json_of, lines_of,
    lambda text: text.encode().hex(), lambda text: base64.b32encode(text.encode()).decode(),
)  # fmt: skip


@pytest.mark.parametrize("outer", ENCODINGS)
@pytest.mark.parametrize("middle", ENCODINGS)
@pytest.mark.parametrize("inner", ENCODINGS)
def test_sees_through_three_encodings(outer, middle, inner):
    text = "see: " + outer("it is " + middle("here " + inner("key " + SECRET + " end") + " .") + " .") + " so"
    found = [view for view in views(ScanCopy.of(text), Budget()) if SECRET.encode() in view.data]
    assert found
    for view in found:
        at = view.data.index(SECRET.encode())
        start, end = view.original(at, at + len(SECRET))
        assert 5 <= start < end <= len(text) - 3
        # Nothing of it is left when the span is cut out.
        rest = text[:start] + "*" + text[end:]
        assert not [view for view in views(ScanCopy.of(rest), Budget()) if SECRET[2:-2].encode() in view.data]


def test_sees_what_is_encoded_in_what_is_spelt_invisibly():
    text = "see " + tags_of(base64_of("key " + SECRET + "!")) + "."
    (view,) = [view for view in views(ScanCopy.of(text), Budget()) if SECRET.encode() in view.data]
    start, end = view.original(4, 4 + len(SECRET))
    assert text[start:end] == tags_of(base64_of("key " + SECRET + "!")[5:32])


def test_sees_through_no_more_than_the_set_depth():
    text = SECRET
    for _ in range(DEPTH + 1):
        text = base64_of("- " + text + " -")
    copy = ScanCopy.of(text)
    assert not [view for view in views(copy, Budget()) if SECRET.encode() in view.data]
    assert [view for view in views(copy, Budget(), depth=DEPTH + 1) if SECRET.encode() in view.data]


def test_all_views_of_a_text_share_its_budget():
    text = base64_of("x" * 3000 + base64_of("y" * 3000))
    with pytest.raises(BudgetSpent):
        list(views(ScanCopy.of(text), Budget(5 * len(text))))
    assert len(list(views(ScanCopy.of(text), Budget(10 * len(text))))) >= 2


# Texts of everything that may meet: words, encoded texts, broken and unfinished encodings, other scripts.
WORDS = st.sampled_from(
    ["the quick brown fox ", "a/b/c-d_e ", "internationalisation ", "\n", " = ", "'", "\r\n   ", "e\u0301４\u200b"]
)
PLAIN = st.text(st.sampled_from("abc 019@.-/+é４\u200b\u0301中𝟒AKIA%&\\\n"), max_size=40)
BROKEN = st.text(st.sampled_from("%&#x;\\u04aAdDeE8=/+-\r\n "), max_size=20)
PIECES = st.recursive(
    st.one_of(WORDS, PLAIN, BROKEN, st.just(SECRET), st.sampled_from(["A" * 40, "\\" * 30, "&amp;" * 3, "%25" * 3])),
    lambda inner: st.builds(
        lambda encode, text: encode(text.encode("utf-8", "replace").decode()),
        st.sampled_from((*ENCODINGS, tags_of)),
        inner,
    ),
    max_leaves=3,
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def readings(text, first=0, last=None, *, final=True):
    """Give every reading of the text's code points from `first` to `last`: in its copy, and in each view."""
    copy = ScanCopy.of(text)
    last = len(text) if last is None else last
    all_of_them = set()
    for view in (copy, *views(copy, Budget(1 << 40), final=final)):
        stems = [(byte, *view.original(at, at + 1)) for at, byte in enumerate(view.data)]
        all_of_them.add(tuple((byte, start, end) for byte, start, end in stems if start >= first and end <= last))
    return all_of_them - {()}


def shifted(readings, by):
    return {tuple((byte, start + by, end + by) for byte, start, end in reading) for reading in readings}


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.data())
def test_a_window_is_read_like_the_text(text, draw):
    cut = draw.draw(st.integers(0, max(0, len(text) - LOCAL)))
    assert readings(text, cut + LOCAL) == shifted(readings(text[cut:], LOCAL), cut)


def sample(seed):
    chance = random.Random(seed)
    text = "".join(
        chance.choice(ENCODINGS)(chance.choice([SECRET, "pass word é", base64_of("nested " + SECRET), "%41\\u0041"]))
        + chance.choice([" ", "/", "\n", "x", ", and so on. "])
        for _ in range(14)
    )
    return text[:1100]


@pytest.mark.parametrize("seed", range(3))
def test_every_window_of_a_sample_is_read_like_the_sample(seed):
    text = sample(seed)
    whole = readings(text)
    for cut in range(0, len(text) - LOCAL, 7):
        want = {tuple(stem for stem in reading if stem[1] >= cut + LOCAL) for reading in whole} - {()}
        assert want == shifted(readings(text[cut:], LOCAL), cut)


def held_from(text):
    """Give from where on text is held: the earliest that any copy or view that goes on holds."""
    copy = ScanCopy.of(text)
    held = len(text)
    for view in (copy, *views(copy, Budget(1 << 40), final=False)):
        at = open_from(view.data)
        if view.continues and at < len(view.data):
            held = min(held, view.original(at, len(view.data))[0])
    return held


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.data())
def test_what_is_not_held_is_read_alike_whatever_follows(text, draw):
    cut = draw.draw(st.integers(0, len(text)))
    held = held_from(text[:cut])
    assert readings(text, 0, held) == readings(text[:cut], 0, held, final=False)


@pytest.mark.parametrize("seed", range(3))
def test_every_beginning_of_a_sample_is_read_like_the_sample(seed):
    text = sample(seed)[:500]
    whole = readings(text)
    for cut in range(0, len(text), 3):
        held = held_from(text[:cut])
        want = {tuple(stem for stem in reading if stem[2] <= held) for reading in whole} - {()}
        assert want == readings(text[:cut], 0, held, final=False)


@settings(deadline=None)
@given(TEXTS)
def test_a_text_without_an_encoding_expression_has_no_views(text):
    data = ScanCopy.of(text).data
    if not smuggles(text) and not any(re.search(expression.encode(), data) for expression in ENCODING_EXPRESSIONS):
        assert list(views(ScanCopy.of(text), Budget())) == []
        assert ends_encoded(data) == bool(list(views(ScanCopy.of(text), Budget(), final=False)))


def test_encoding_expressions_are_of_the_syntax_that_is_scanned_for():
    for expression in ENCODING_EXPRESSIONS:
        parse(expression)


@pytest.mark.parametrize("encode", ENCODINGS)
def test_encoding_expressions_match_what_is_encoded(encode):
    data = encode("key " + SECRET + quote("é")).encode()
    assert [expression for expression in ENCODING_EXPRESSIONS if re.search(expression.encode(), data)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(part * (200_000 // len(part)), id=ascii(part[:12]))
        for part in (
            "\\", "%", "A", "&#", "&", "%41", "%41a", "41", "abcdefgh", '\\"', "\\ud83d", "\\xe2\\\\\\\\\\\\", "\\ ", "&amp;",
            "&#0", "A\n", "A" * 16 + "\n", "-", base64_of("\x80" * 300), base64_of("\u200b" * 100), base64_of("é" * 150),
            "%e2", "\\x", "&#x", "=", "/" * 17 + "=",
        )
    ],
)  # fmt: skip
def test_hostile_texts_cost_no_more_than_their_budget(text):
    # Each is as many repetitions of what one part of the code could take quadratic time for.
    budget = Budget(1 << 40)
    produced = sum(len(view.data) for view in views(ScanCopy.of(text), budget))
    decoded = (1 << 40) - budget.decoded_bytes
    assert produced <= decoded <= 40 * len(text)
    open_from(text.encode())


def examples(heading):
    """Give the examples of a table of the page on hidden text."""
    page = (Path(__file__).parents[4] / "docs" / "explanation" / "hidden-text.md").read_text()
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| [^|]+ \| `([^|]+)` \|$", section, re.MULTILINE)
    return [re.sub("⟨U\\+([0-9A-F]+)⟩", lambda code: chr(int(code[1], 16)), cell) for cell in cells]


def sees(text, what):
    copy = ScanCopy.of(text)
    return any(what in view.data for view in (copy, *views(copy, Budget())))


def test_the_page_on_hidden_text_shows_what_is_seen_through():
    shown = examples("What is seen through")
    assert len(shown) > 10
    assert [text for text in shown if not sees(text, b"4111111111111111")] == []


def test_the_page_on_hidden_text_states_what_is_not_seen_through():
    shown = examples("What is not seen through")
    assert len(shown) > 5
    assert [text for text in shown if sees(text, b"411111") or sees(text, b"key")] == []


def test_to_no_depth_nothing_is_decoded():
    assert list(views(ScanCopy.of("a%20b"), Budget(), depth=0)) == []
