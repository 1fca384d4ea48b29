# SPDX-License-Identifier: Apache-2.0
"""Lines and texts from bytes to bytes: in order, bounded, and nothing unread is repeated."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.cli.redaction_lines import answer_of, chunks_of, lines_of
from policies.redaction.examination import Examined, PlacedFinding
from policies.redaction.findings import AnswerBlocked

FINDING = PlacedFinding(kind="K", detector="d", start=1, end=2, score=0.5, policy="p", rule="r", action="replace")


def shout(text: str) -> Examined:
    return Examined(text=text.upper(), findings=(FINDING,))


def never(_: str) -> Examined:
    raise AssertionError("this must not be examined")


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"a\nb", [(1, b"a\n"), (2, b"b")], id="no-end-of-the-last-line"),
        pytest.param(b"a\r\n\r\n\n \t\nb\n", [(1, b"a\r\n"), (5, b"b\n")], id="empty-lines-are-counted-only"),
        pytest.param(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", [(1, b"a\n"), (2, b"\xef\xbb\xbfb\n")], id="byte-order-mark"),
        pytest.param(b"12345678\nb\n", [(1, b"12345678\n"), (2, b"b\n")], id="as-long-as-may-be"),
        pytest.param(b"123456789\nb\n", [(1, None), (2, b"b\n")], id="one-byte-too-long"),
        pytest.param(b"1" * 100, [(1, None)], id="too-long-to-the-end"),
        pytest.param(b"1" * 100 + b"\nb\n", [(1, None), (2, b"b\n")], id="much-too-long"),
    ],
)
def test_lines_are_told_apart_and_bounded(given, want):
    assert list(lines_of(io.BytesIO(given), longest=8)) == want


def test_an_answer_has_the_text_and_each_finding():
    answer, readable = answer_of(1, b'{"text": "ab", "id": 7, "more": "ab"}\r\n', shout)
    assert readable
    assert answer.endswith(b"\n")
    assert json.loads(answer) == {
        "id": 7,
        "text": "AB",
        "findings": [{"type": "K", "start": 1, "end": 2, "score": 0.5, "detector": "d"}],
    }


def test_an_answer_is_one_line_for_every_reader():
    text = "a\u2028b\x85c\x0bd\ud800"
    answer, _ = answer_of(1, json.dumps({"text": text}).encode(), lambda text: Examined(text=text, findings=()))
    assert len(answer.decode().splitlines()) == 1
    assert json.loads(answer)["text"] == text


def test_an_answer_says_who_blocks():
    blocked = AnswerBlocked(policy="p", rule="r", detector="d")
    answer, readable = answer_of(1, b'{"text": "x"}', lambda _: Examined(text="", findings=(), blocked=blocked))
    assert readable
    assert json.loads(answer) == {
        "text": "",
        "findings": [],
        "blocked": {"policy": "p", "rule": "r", "detector": "d"},
    }


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param(None, "longer than", id="too-long"),
        pytest.param(b"nope", "not JSON", id="no-json"),
        pytest.param(b'{"text": "secret"', "not JSON", id="cut-off"),
        pytest.param(b"[" * 100_000, "not JSON", id="too-deep"),
        pytest.param(b"9" * 10_000, "not JSON", id="a-number-nobody-reads"),
        pytest.param(b'{"text": "secret\xff"}', "not UTF-8 (byte 17)", id="broken-utf-8"),
        pytest.param('{"text": "secret"}'.encode("utf-16"), "not UTF-8", id="another-encoding"),
        pytest.param(b'"secret"', "not an object", id="a-string"),
        pytest.param(b"{}", "text is missing", id="no-text"),
        pytest.param(b'{"text": ["secret"]}', "no string", id="a-text-that-is-none"),
        pytest.param(b'{"text": "a", "text": "secret"}', "twice", id="a-member-twice"),
        pytest.param(b'{"text": "a", "x": {"b": 1, "b": 2}}', "twice", id="a-member-twice-further-down"),
        pytest.param(b'{"text": "secret", "id": {}}', "id", id="an-id-that-is-none"),
        pytest.param(b'{"text": "secret", "id": NaN}', "id", id="an-id-that-is-no-number"),
    ],
)
def test_what_cannot_be_read_has_its_error_in_its_place(line, says):
    answer, readable = answer_of(3, line, never)
    told = json.loads(answer)
    assert not readable
    assert told.keys() == {"error", "line"}
    assert told["line"] == 3
    assert told["error"].startswith("line 3: ")
    assert says in told["error"]
    assert b"secret" not in answer


def test_an_error_has_the_id_where_there_is_one():
    answer, _ = answer_of(1, b'{"id": "x", "text": 3}', never)
    assert json.loads(answer)["id"] == "x"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param("\ufeffé\r\nx".encode(), "é\r\nx", id="byte-order-mark-and-line-ends"),
        pytest.param(b"ol\xe9 x", "ol\ufffd x", id="no-utf-8"),
        pytest.param("é".encode()[:1], "\ufffd", id="cut-off"),
        pytest.param("\ud800x".encode("utf-8", "surrogatepass"), "\ufffd\ufffd\ufffdx", id="a-surrogate"),
    ],
)
def test_text_is_text_whatever_the_bytes(given, want):
    assert "".join(chunks_of(io.BytesIO(given))) == want


def test_a_character_may_be_cut_anywhere():
    class Dripping(io.BytesIO):
        def read1(self, _size=-1):
            return super().read1(1)

    assert "".join(chunks_of(Dripping("añ€😀".encode()))) == "añ€😀"


LINES = st.lists(
    st.binary(max_size=20).map(lambda line: line.translate(None, b"\n\xef"))  # neither an end nor a mark
    | st.dictionaries(st.sampled_from(["text", "id", "x"]), st.text(max_size=5) | st.integers() | st.none()).map(
        lambda value: json.dumps(value).encode()
    )
)


@given(LINES, st.sampled_from([b"\n", b"\r\n"]))
def test_whatever_comes_each_line_that_holds_anything_has_one_answer(given_lines, end):
    source = io.BytesIO(end.join(given_lines))
    answers = [answer_of(number, line, shout) for number, line in lines_of(source)]
    asked = [line for line in given_lines if line.strip(b" \t\r")]
    assert len(answers) == len(asked)
    for answer, readable in answers:
        told = json.loads(answer)
        assert answer.endswith(b"\n")
        assert ("error" in told) is not readable
        assert ("text" in told) is readable
