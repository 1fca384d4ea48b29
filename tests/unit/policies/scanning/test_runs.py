# SPDX-License-Identifier: Apache-2.0
import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.scanning.budget import Budget, BudgetSpent
from policies.scanning.copy import ScanCopy
from policies.scanning.runs import open_run, stretches

SECRET = "AKIA" + "IOSFODNN7EXAMPLE"


def texts(text):
    return [view.data.decode() for view in stretches(ScanCopy.of(text), Budget())]


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


def base32_of(text):
    return base64.b32encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("encode", "bits"),
    [
        pytest.param(base64_of, 6, id="base64"),
        pytest.param(lambda text: base64.urlsafe_b64encode(text.encode()).decode(), 6, id="base64-of-urls"),
        pytest.param(lambda text: base64_of(text).rstrip("="), 6, id="base64-without-padding"),
        pytest.param(lambda text: text.encode().hex(), 4, id="hex"),
        pytest.param(lambda text: text.encode().hex().upper(), 4, id="hex-in-capitals"),
        pytest.param(base32_of, 5, id="base32"),
        pytest.param(lambda text: base32_of(text).lower(), 5, id="base32-in-small-letters"),
    ],
)
@pytest.mark.parametrize("shift", ["", ">", ">?", ">?~", "~~~~", "~~~~~", "~~~~~~", "~~~~~~~"])
def test_decodes_wherever_the_run_begins(encode, bits, shift):
    first = 8 * len(shift) // bits
    last = (8 * len(shift + SECRET) - 1) // bits
    for before in ("", "x", "ab/", "abcd-", "=", "0x", "\\x", "path/to/", "key=", "é"):
        for behind in ("", "=", "==", "x", "-end", " ", "\n"):
            text = before + encode(shift + SECRET) + behind
            (view,) = [view for view in stretches(ScanCopy.of(text), Budget()) if SECRET in view.data.decode()]
            at = view.data.index(SECRET.encode())
            # The characters that have a bit of it, and only they.
            assert (len(before) + first, len(before) + last + 1) == view.original(at, at + len(SECRET))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(base64_of("４１１１ 1111"), "4111 1111", id="full-width"),
        pytest.param(base64_of("\x004\u200b1\u00ad1 \u0301é1\x00"), "411 e1", id="invisible"),
        pytest.param(base64_of("\x01пароль\x02"), "пapoль", id="other-scripts"),
        pytest.param(base64_of("ab\tcdef\r\nghij"), "ab\tcdef\r\nghij", id="lines"),
        pytest.param(base64.b64encode(b"\xffpass\xc2word\xe2\x82!abcdef\xff").decode(), "!abcdef", id="broken-utf8"),
        pytest.param(
            base64.b64encode(b"aaaaa\xed\xa0\x80aaaaa").decode(), "aaaaa\ufffd\ufffd\ufffdaaaaa", id="half-a-pair"
        ),
    ],
)
def test_decodes_to_text_that_is_folded(text, want):
    assert want in texts(text)


def test_spans_are_right_behind_characters_beyond_ascii():
    decoded = "４１é\u200b１ " + SECRET + "\u00ad."
    text = base64_of(decoded)
    (view,) = [view for view in stretches(ScanCopy.of(text), Budget()) if SECRET in view.data.decode()]
    at = view.data.index(SECRET.encode())
    start, end = view.original(at, at + len(SECRET))
    byte = decoded.encode().index(SECRET.encode())
    assert (8 * byte // 6, (8 * (byte + len(SECRET)) - 1) // 6 + 1) == (start, end)


@pytest.mark.parametrize("width", [16, 20, 64, 76])
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\n    ", "\r\n\t"])
def test_lines_go_on(width, line_break):
    run = base64_of("x" * 100 + SECRET + "y" * 50)
    text = "PEM:" + line_break + line_break.join(run[at : at + width] for at in range(0, len(run), width))
    (view,) = [view for view in stretches(ScanCopy.of(text), Budget()) if SECRET in view.data.decode()]
    at = view.data.index(SECRET.encode())
    start, end = view.original(at, at + len(SECRET))
    assert "".join(text[start:end].split()) in run
    assert SECRET[1:-1] in base64.b64decode(run[run.index("".join(text[start:end].split())) // 4 * 4 :] + "==").decode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(base64_of("secret key")[:15], id="short"),
        pytest.param("internationalisation of characteristics", id="words"),
        pytest.param("/usr/local/lib/python3/site-packages/and/on", id="path"),
        pytest.param("-" * 80 + "\n" + "_" * 80 + "\n" + "/" * 80, id="rules"),
        pytest.param("A" * 1000, id="one-character"),
        pytest.param("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", id="digest"),
    ],
)
def test_what_is_no_text_has_no_view(text):
    assert texts(text) == []


def test_a_byte_with_bits_of_what_stands_beside_a_run_is_not_decoded():
    # Of the last two characters' twelve bits, four are left over. A decoder drops them, whatever they are.
    run = base64_of("x" * 21 + "4111")[:-2]
    spoilt = run[:-1] + chr(ord(run[-1]) + 3)
    assert texts(run) == texts(spoilt) == ["x" * 21 + "4111"]


def test_runs_that_were_judged_before_are_left_out():
    old, new = base64_of("old " + SECRET), base64_of("new " + SECRET)
    copy = ScanCopy.of(f"{old} {new}")
    assert [view.data.decode() for view in stretches(copy, Budget(), since=len(old) + 1)] == ["new " + SECRET]
    assert len(list(stretches(copy, Budget(), since=len(old) - 1))) == 2


def test_asks_the_budget_before_it_decodes():
    for text in ("A" * 400, "41" * 200, "MFRGG" * 80):
        with pytest.raises(BudgetSpent):
            list(stretches(ScanCopy.of(text), Budget(1200)))


@pytest.mark.parametrize(
    ("text", "continues"),
    [
        pytest.param(base64_of(SECRET), False, id="padded"),
        pytest.param(base64_of(SECRET + "!"), True, id="at-the-end"),
        pytest.param(base64_of(SECRET + "!") + "\n", True, id="before-a-line-end"),
        pytest.param(base64_of(SECRET + "!") + "\r", True, id="before-half-a-line-end"),
        pytest.param(base64_of(SECRET + "!") + " ", False, id="before-a-space"),
        pytest.param(base64.b64encode(SECRET.encode() + b"!\xf0\x9d\x9f").decode(), True, id="before-half-a-character"),
        pytest.param(base64.b64encode(SECRET.encode() + b"!\x00\x00\x00\x00\x00").decode(), False, id="before-no-text"),
        pytest.param((SECRET + "!").encode().hex(), True, id="hex"),
        pytest.param((SECRET + "!").encode().hex() + "'", False, id="hex-ended"),
    ],
)
def test_knows_whether_text_goes_on(text, continues):
    (view,) = [view for view in stretches(ScanCopy.of(text), Budget()) if SECRET in view.data.decode()]
    assert continues == view.continues


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("some words. ", "", id="words-behind-a-space"),
        pytest.param("some words", "words", id="word"),
        pytest.param("some words\n", "", id="short-line"),
        pytest.param("x " + "A" * 15, "A" * 15, id="short"),
        pytest.param("x " + "A" * 100, "A" * 48, id="long"),
        pytest.param("x " + "A" * 100 + "\n  ", "A" * 48 + "\n  ", id="long-line"),
        pytest.param("x " + "A" * 100 + "\r", "A" * 48 + "\r", id="half-a-line-end"),
        pytest.param("x " + "A" * 16 + "\n" + "B" * 4, "A" * 16 + "\nBBBB", id="short-line-behind-a-long-one"),
        pytest.param("x " + "A" * 15 + "\n" + "B" * 4, "BBBB", id="short-line-behind-a-short-one"),
        pytest.param("A" * 30 + "\n" + "B" * 40, "A" * 8 + "\n" + "B" * 40, id="lines"),
        pytest.param("A" * 100 + "=", "", id="padded"),
    ],
)
def test_holds_what_may_become_text(text, want):
    data = text.encode()
    assert want == data[open_run(data) :].decode()


@given(st.binary(max_size=60), st.binary(max_size=3), st.sampled_from([base64.b64encode, base64.b32encode, bytes.hex]))
def test_finds_all_text_of_six_characters(before, behind, encode):
    encoded = encode(before + b"\x00secret\x00" + behind)
    text = encoded if isinstance(encoded, str) else encoded.decode()
    assert not len(text.rstrip("=")) >= 24 or "secret" in texts(text)
