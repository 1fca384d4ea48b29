# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.scanning.budget import Budget, BudgetSpent
from policies.scanning.copy import ScanCopy
from policies.scanning.escapes import open_escape, unescaped


def view_of(text, *, final=True):
    return unescaped(ScanCopy.of(text), Budget(), final=final)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("a%40b", "a@b", id="url"),
        pytest.param("%34%31%3a", "41:", id="url-in-a-row"),
        pytest.param("%EF%BC%94%e2%82%ac%F0%9D%9F%92%c3%a9", "4€4e", id="url-utf8"),
        pytest.param("%EF%BC.%80x%E2%82", "\ufffd\ufffd.\ufffdx\ufffd\ufffd", id="url-broken-utf8"),
        pytest.param("%ED%A0%80", "\ufffd\ufffd\ufffd", id="url-of-half-a-pair"),
        pytest.param("a&#64;b&#x40;c&#X0040;d&#000000064;", "a@b@c@d@", id="html-numbers"),
        pytest.param("&#52&#49.&#x34g", "41.4g", id="html-numbers-without-an-end"),
        pytest.param("a&commat;b&period;c &amp;&lt;&quot;&nbsp;&eacute;&hyphen;", 'a@b.c &<" e-', id="html-names"),
        pytest.param("&#65300;&#x1D7D2;&#x200b;&#1114112;", "44\ufffd", id="html-folded"),
        pytest.param(r"\u0041\x42\U00000043\u{44}\x{45}", "ABCDE", id="numbers"),
        pytest.param(r"\ud835\udfd2 \ud835. \udfd2", "4 \ufffd. \ufffd", id="surrogate-pairs"),
        pytest.param(r"\xef\xbc\x94", "4", id="bytes"),
        pytest.param(r"\101\\064\1014\777\18", "A4A4\\777\\18", id="octal"),
        pytest.param(r"a\nb\tc\/d\"e\'f\`g", "a\nb\tc/d\"e'f`g", id="letters"),
        pytest.param(r"\\\\u0041 \\\n C:\\\\dir\\file", "A \n C:\\dir\\file", id="backslashes"),
        pytest.param(r"\\\ud835\\\\udfd2", "4", id="backslashes-in-a-pair"),
        pytest.param("％４１＆＃６６；＼ｕ００４３", "ABC", id="escapes-in-full-width"),
        pytest.param("a\u200b%4\u200b1", "aA", id="escapes-with-invisible-characters"),
        pytest.param("%2541", "%41", id="once"),
    ],
)
def test_resolves(text, want):
    assert want == view_of(text).data.decode()


@pytest.mark.parametrize(
    "text",
    ["", "100% sure", "AT&T; R&D", "C:\\dir", "a \\ b", "%4", "%zz", "&#;", "&unknown;", "&#x;", "\\u004", "\\x4 \\q"],
)
def test_a_text_without_escapes_has_no_view(text):
    assert view_of(text) is None


@pytest.mark.parametrize(
    ("text", "found", "want"),
    [
        pytest.param("x%34%31y", "41", "%34%31", id="escaped-all"),
        pytest.param("x4%31y", "41", "4%31", id="escaped-end"),
        pytest.param("%20x%34.1y", "4.1", "%34.1", id="escaped-beginning"),
        pytest.param("%20 x41y", "41", "41", id="behind-an-escape"),
        pytest.param("x41%20", "41", "41", id="before-an-escape"),
        pytest.param("&#x200b;4&#x200b;1&#x200b;", "41", "4&#x200b;1", id="removed-between"),
        pytest.param("x%EF%BC%94１%20", "41", "%EF%BC%94１", id="several-bytes"),
        pytest.param("😀\\\\\\u00341", "41", "\\\\\\u00341", id="backslashes"),
    ],
)
def test_leads_back_to_what_was_escaped(text, found, want):
    view = view_of(text)
    at = view.data.rindex(found.encode())
    start, end = view.original(at, at + len(found))
    assert want == text[start:end]


def test_escapes_that_were_judged_before_make_no_view():
    copy = ScanCopy.of("%41" + " " * 300 + "B")
    assert unescaped(copy, Budget(), since=303) is None
    assert unescaped(copy, Budget(), since=200) is not None


def test_asks_the_budget():
    with pytest.raises(BudgetSpent):
        unescaped(ScanCopy.of("%41" * 10), Budget(29))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("a", "", id="none"),
        pytest.param("a%", "%", id="url"),
        pytest.param("a%4", "%4", id="url-digit"),
        pytest.param("%41 a%E2%82%", "%E2%82%", id="url-utf8"),
        pytest.param("a&", "&", id="html"),
        pytest.param("a&#x4", "&#x4", id="html-number"),
        pytest.param("a&comma", "&comma", id="html-name"),
        pytest.param("a&#64;", "", id="html-complete"),
        pytest.param("a" + "\\" * 99, "\\" * 99, id="backslashes"),
        pytest.param("a" + "\\" * 99 + "u00", "\\" * 99 + "u00", id="backslashes-and-more"),
        pytest.param(r"a\ud835\udf", r"\ud835\udf", id="pair"),
        pytest.param(r"a\u{1F6", r"\u{1F6", id="braces"),
        pytest.param(r"a\n", "", id="letter"),
    ],
)
def test_holds_what_may_become_an_escape(text, want):
    data = text.encode()
    assert want == data[open_escape(data) :].decode()


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("%41z%4", "Az", id="behind-another"),
        pytest.param("john%4", "john", id="alone"),
        pytest.param("R&D", "R", id="what-may-be-none"),
    ],
)
def test_a_view_that_goes_on_ends_before_what_may_become_an_escape(text, want):
    assert want == view_of(text, final=False).data.decode()


@given(st.text(st.sampled_from("%&#xXuUdD8aAcCeE0149fF{};\\\\\\nq .")))
def test_what_stands_before_the_hold_is_read_alike_whatever_follows(text):
    def readings(text, until, *, final=True):
        view = view_of(text, final=final) or ScanCopy.of(text)
        spans = [(view.data[at], *view.original(at, at + 1)) for at in range(len(view.data))]
        return [reading for reading in spans if reading[2] <= until]

    for cut in range(len(text)):
        until = open_escape(text[:cut].encode())
        assert readings(text, until) == readings(text[:cut], until, final=False)
