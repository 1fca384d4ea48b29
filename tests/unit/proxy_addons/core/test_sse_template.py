# SPDX-License-Identifier: Apache-2.0
"""What a template is made of, and what it knows again. That events are told likewise is shown in tests/property."""

from typing import Any

import pytest

from proxy_addons.core.sse_template import Template, marked, spoken_in

BEFORE, BEHIND = b'{"n":1,"choices":[{"index":0,"delta":{"content":"', b'"}}]}'
OURS = b'data: {"choices":[{"delta":{"content":"gatehouse:text"},"index":0}]}\n\n'
LF, CRLF = b"\n\n", b"\r\n\r\n"


def an_event(delta: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, **more}]}


def made(data: bytes, text: str, *, written: bytes = OURS, event: Any = None, end: bytes = LF) -> Template | None:
    value = {"n": 1, "choices": [{"index": 0, "delta": {"content": "gatehouse:text"}}]} if event is None else event
    return Template.of(data, text, end=end, index=0, path=("content",), event=value, written=written)


def sent(*texts: bytes, end: bytes = LF) -> bytes:
    return b"".join(b"data: " + BEFORE + text + BEHIND + end for text in texts)


@pytest.fixture
def template() -> Template:
    found = made(BEFORE + b"hi" + BEHIND, "hi")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("event", "want"),
    [
        pytest.param(an_event({"content": "x"}), (("content",), "x"), id="a-text"),
        pytest.param(
            an_event({"role": "assistant", "content": "x", "refusal": None, "tool_calls": []}, logprobs=None),
            (("content",), "x"),
            id="a-text-beside-what-says-nothing",
        ),
        pytest.param(an_event({"content": "", "reasoning": "x"}), (("reasoning",), "x"), id="reasoning"),
        pytest.param(an_event({"content": "x", "refusal": "y"}), None, id="two-texts"),
        pytest.param(an_event({"content": ""}), None, id="no-text"),
        pytest.param(an_event({"musings": "x"}), None, id="a-field-nobody-has-heard-of"),
        pytest.param(an_event({"content": [{"type": "text", "text": "x"}]}), None, id="parts"),
        pytest.param(an_event({"content": "x", "tool_calls": [{"index": 0}]}), None, id="a-call"),
        pytest.param(an_event({"content": "x"}, finish_reason="stop"), None, id="the-end"),
        pytest.param({**an_event({"content": "x"}), "usage": {}}, None, id="usage"),
        pytest.param({"choices": [{"delta": {"content": "x"}}] * 2}, None, id="two-choices"),
        pytest.param({"choices": []}, None, id="no-choice"),
    ],
)
def test_an_event_with_one_text_is_known(event, want):
    assert want == spoken_in(event, "delta")


def test_a_legacy_text_is_known():
    assert spoken_in({"choices": [{"text": "x"}]}, "text") == ((), "x")
    assert spoken_in({"choices": [{"text": ""}]}, "text") is None
    assert (marked("x", ()), marked({"a": 1, "b": "x"}, ("b",))) == ("gatehouse:text", {"a": 1, "b": "gatehouse:text"})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(BEFORE + b"content" + BEHIND, "content", id="the-name-of-the-member-is-found-first"),
        pytest.param(BEFORE + rb"\u0068i" + BEHIND, "hi", id="a-text-with-escapes"),
        pytest.param(BEFORE.replace(b",", b",\n") + b"hi" + BEHIND, "hi", id="several-lines-of-data"),
        pytest.param(BEFORE + b"hi" + b'"},"delta":{"content":"hi"}}]}', "hi", id="a-member-twice"),
        pytest.param(BEFORE.replace(b"1", b'"hi"') + b"hi" + BEHIND, "hi", id="another-member-says-so-too"),
        pytest.param(BEFORE + rb"\"hi\"" + BEHIND, '\\"hi\\', id="a-quote-that-is-none"),
    ],
)
def test_no_template_where_the_text_is_not_sure_to_stand(data, text):
    assert made(data, text) is None


def test_no_template_where_what_leaves_has_the_mark_elsewhere():
    assert made(BEFORE + b"hi" + BEHIND, "hi", written=OURS + OURS) is None
    assert made(BEFORE + b"hi" + BEHIND, "hi", written=b"") is None


@pytest.mark.parametrize("end", [LF, CRLF])
@pytest.mark.parametrize("behind", [b"", b"data: {}%b", b"data: ", b": hi%b", sent(b"c")[:-3]], ids=ascii)
def test_texts_are_read_up_to_another_form(behind, end):
    template = made(BEFORE + b"hi" + BEHIND, "hi", end=end)
    known = sent(b"a", b" b", "é漢".encode(), end=end)
    piece = b"xyz" + known + behind.replace(b"%b", end)
    assert template.texts(piece, 3) == (["a", " b", "é漢"], 3 + len(known))
    assert template.texts(piece, 2) == ([], 2)


def test_the_last_event_before_another_form_comes_by_itself_where_more_follow(template):
    piece = sent(b"a", b"b") + b": hi\n\n" + sent(b"c", b"d")
    assert template.texts(piece, 0) == (["a"], len(sent(b"a")))
    assert template.texts(piece, len(sent(b"a"))) == (["b"], len(sent(b"a", b"b")))


def test_an_event_put_together_of_pieces_is_known(template):
    known = BEFORE + rb"a\n" + BEHIND
    assert template.text(known) == "a\n"
    assert [template.text(data) for data in (known + b" ", known[1:], BEFORE + b"\xff" + BEHIND, b"")] == [None] * 4
    assert template.text((BEFORE + BEHIND)[:-1]) is None


def test_texts_with_escapes_are_what_a_parser_reads(template):
    piece = sent(b"a", rb"\n\"\u0040\ud83d\ude00", b"c")
    assert template.texts(piece, 0) == (["a", '\n"@😀', "c"], len(piece))


@pytest.mark.parametrize(
    "bad", [b"", rb"\ud800", b"\xff", b"\xc3", b"\x00", b'","x":"y', b"\\", b"\n", b"\r"], ids=ascii
)
def test_texts_are_read_up_to_one_that_is_none(template, bad):
    assert template.texts(sent(b"a", rb"\t", bad, b"c"), 0) == (["a", "\t"], len(sent(b"a", rb"\t")))
    assert template.texts(sent(bad, b"c"), 0) == ([], 0)
    assert template.texts(sent(bad), 0) == ([], 0)


def test_halves_of_a_character_are_none_though_they_stand_in_neighbours(template):
    assert template.texts(sent(b"a", b"\xc3", b"\xa9"), 0) == (["a"], len(sent(b"a")))


def test_more_than_is_looked_at_in_one_go_is_read_in_several(template):
    piece = sent(*[b"x" * 100] * 1_000)
    at, texts = 0, []
    while at < len(piece):
        more, at = template.texts(piece, at)
        assert more
        texts += more
    assert texts == ["x" * 100] * 1_000


def test_a_text_larger_than_that_is_left_to_others(template):
    assert template.texts(sent(b"x" * 20_000, b"y"), 0) == ([], 0)


def test_each_text_is_written_as_we_write(template):
    start, end = OURS.split(b"gatehouse:text")
    for texts, want in (
        (["a", "é\x7f"], [b"a", "é\x7f".encode()]),
        (['say "hi",', "\n", "c"], [rb"say \"hi\",", rb"\n", b"c"]),
    ):
        assert template.written(texts) == b"".join(start + each + end for each in want)
