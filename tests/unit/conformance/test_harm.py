# SPDX-License-Identifier: Apache-2.0
"""What the suite takes for harm in a log's tables, lines and JSON, judged by its own eyes."""

import pytest

from conformance.harm import harm_in_cell, harm_in_json, lines_of, rows_of_csv

FORMULAS = [
    "=1",
    "+1",
    "-1",
    "@A1",
    "\t=1",
    "\r1",
    "\n1",
    "  =1",
    '"=1',
    "\u00a0=1",
    "\u200b=1",
    "＝1",
    "－1",
    "＠A",
    "−1",
    "⁼1",
]


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_a_formula_is_seen(text):
    assert harm_in_cell(text) is not None


@pytest.mark.parametrize("text", ["", "parrot", "a=1+1", "'=1+1", "{}", "2026-01-01", "x -1", "\\n=1"])
def test_a_harmless_cell_is_none(text):
    assert harm_in_cell(text) is None


@pytest.mark.parametrize("text", ["a\x1b[31m", "a\nb", "a\u202eb", "a\u2028b", "a\x9bb"], ids=ascii)
def test_what_moves_a_terminal_is_seen(text):
    assert harm_in_cell(text) is not None


@pytest.mark.parametrize("content", [b'{"a":"\x1b"}', b'{"a":"\r"}', b"{", b"", b"[" * 100_000], ids=lambda c: c[:9])
def test_json_that_is_none_or_holds_controls_is_seen(content):
    assert harm_in_json(content) is not None


def test_json_with_escapes_is_harmless():
    assert harm_in_json(b'{"a":"\\u001b\\n"}\n') is None


def test_lines_are_objects():
    assert lines_of(b'{"a":1}\n{"a":2}\n') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("content", [b'{"a":1}', b'{"a":1}\n2\n', b'{"a":"x\ny"}\n', b"\n"])
def test_a_line_that_is_none_is_told(content):
    with pytest.raises(ValueError, match=r"line|JSON"):
        lines_of(content)


def test_a_table_is_names_and_rows():
    assert rows_of_csv(b'"a","b"\r\n"1","2\r\n3"\r\n') == (["a", "b"], [["1", "2\r\n3"]])


@pytest.mark.parametrize("content", [b"", b'"a","b"\r\n"1"\r\n', b'"a"\r\n"1","2"\r\n'])
def test_a_table_of_another_width_is_told(content):
    with pytest.raises(ValueError, match="table"):
        rows_of_csv(content)
