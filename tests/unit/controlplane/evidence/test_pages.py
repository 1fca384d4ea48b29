# SPDX-License-Identifier: Apache-2.0
"""A page shows what is in it, and nothing in it becomes markup."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.evidence.pages import Page, Table, to_html, to_markdown

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></tr></table><h1>",
    "a|b",
    "a\n| b | c |",
    "`code` **bold** [link](http://a.example)",
    "# heading",
    "\x1b[31mred",
    "\u202edesrever",
    "&lt;b&gt;",
    "http://a.example/x",
    "user@a.example",
    "~~gone~~",
    "\\",
]


def page_of(cell: object) -> Page:
    table = Table(title=str(cell), columns=("One", "Two"), rows=((cell, 7),), note=str(cell))
    return Page(title="T", paragraphs=(str(cell),), tables=(table, Table(title="No", columns=("x",), rows=())))


class Read(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data


PLAIN = Read(to_html(page_of("plain")).decode()).tags


@pytest.mark.parametrize("cell", HOSTILE, ids=ascii)
def test_no_cell_becomes_markup_of_html(cell):
    assert Read(to_html(page_of(cell)).decode()).tags == PLAIN


@given(st.text(min_size=1))
def test_no_text_becomes_markup_of_html(cell):
    assert Read(to_html(page_of(cell)).decode()).tags == PLAIN


@pytest.mark.parametrize("cell", HOSTILE, ids=ascii)
def test_no_cell_breaks_a_row_or_begins_markup_of_markdown(cell):
    text = to_markdown(page_of(cell)).decode()
    [row] = [line for line in text.split("\n") if line.endswith("| 7 |")]
    unescaped = row.replace("\\\\", "")
    assert unescaped.count("|") - unescaped.count("\\|") == 3
    assert "<script" not in text
    assert "\x1b" not in text


def test_there_is_nothing_that_runs_or_leads_elsewhere():
    text = to_html(page_of("plain")).decode()
    assert {tag for tag, _ in PLAIN} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert "http" not in text.replace("http-equiv", "")
    assert "default-src 'none'" in text


def test_an_empty_table_says_so():
    assert b"None." in to_html(page_of("x"))
    assert b"None." in to_markdown(page_of("x"))


@pytest.mark.parametrize(
    "cell", ["2026-11-20T12:00:00Z", "chat-access", "sha256:9f2c", "rel_01M7", "half (0.5)", "a/b"]
)
def test_plain_words_stay_as_they_are(cell):
    assert f"| {cell} | 7 |" in to_markdown(page_of(cell)).decode()
