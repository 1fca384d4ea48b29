# SPDX-License-Identifier: Apache-2.0
"""What a policy defines itself is found however a stream is cut, and no prefix of what leaves shows it."""

from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    CustomDetector,
    CustomPattern,
    LiteralList,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
)
from policies.redaction.engine import Redaction
from policies.redaction.findings import Tally

POLICY = RedactionPolicy(
    id="own",
    version="1",
    mode=Mode.ENFORCE,
    operations=(),
    models=(),
    rules=(RedactionRule(id="a", detectors=("badge", "words", "names", "canaries"), action=RedactionAction.REPLACE),),
    detectors=(
        CustomDetector(
            id="badge",
            kind="BADGE",
            patterns=(CustomPattern(expression=r"B-(?P<value>\d{7})"), CustomPattern(expression=r"badge\d{7,9}")),
            validator="luhn",
            context=("badge",),
            needs_context=True,
        ),
        CustomDetector(
            id="words",
            kind="WORDS",
            patterns=(CustomPattern(expression="(?:ab|abc){2,4}", alone="", ignore_case=True),),
        ),
    ),
    literals=(
        LiteralList(id="names", kind="NAME", values=("Nougat & Sons", "Nougat", "nougatine"), ignore_case=True),
        LiteralList(id="canaries", kind="CANARY", values=("quartz-7",), disguised=True),
    ),
)
RULES = Redaction.of([POLICY]).rules_for(["own"])

PIECES = st.sampled_from(
    [
        *("B-1234566", "badge ", "B-1234567", "badge1234566", "abcab", "aba", "AbC", "c"),
        *("Nougat & Sons", "Nougat & S", "NOUGATINE", "nougat", "Ｎougat", "n\u200bougat", "é"),
        *("quartz-7", "7-ztrauq", "q u a r t z 7", "q.u.a.r.t.z.-.7", "7 z t r", "quartz", "bm91Z2F0aW5l", "%6eougat"),
        *(" ", ", ", "x", "-", "7", "\n", "&amp;"),
    ]
)
FORBIDDEN = ("B-1234566", "Nougat & Sons", "nougatine", "quartz-7", "7-ztrauq")


@given(st.lists(PIECES, max_size=14).map("".join), st.data())
def test_a_stream_says_what_the_whole_text_does_wherever_it_is_cut(text, data):
    whole = RULES.whole(text, Tally())
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stream = RULES.stream(Tally())
    left = ""
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        left += stream.feed(text[start:end])
        assert whole.startswith(left)
    assert left + stream.finish() == whole


@given(st.lists(PIECES, max_size=14).map("".join))
def test_each_character_by_itself_is_a_cut_like_any_other(text):
    stream = RULES.stream(Tally())
    assert "".join(map(stream.feed, text)) + stream.finish() == RULES.whole(text, Tally())


@given(st.lists(PIECES, max_size=14).map(" ".join))
def test_what_is_redacted_once_is_redacted_for_good(text):
    # Not numbers that need context: what replaces one may bring the next within reach of a word.
    once = RULES.whole(text.replace("B-", "").replace("badge", ""), Tally())
    assert RULES.whole(once, Tally()) == once


@given(st.sampled_from(FORBIDDEN), st.lists(PIECES, max_size=5).map(" ".join))
def test_nothing_that_stands_by_itself_is_left(forbidden, around):
    around = around.replace("B-", "b")  # a number far from its context is none
    assert forbidden not in RULES.whole(f"{around} badge {forbidden} {around}", Tally())
