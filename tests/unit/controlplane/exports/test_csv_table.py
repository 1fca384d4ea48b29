# SPDX-License-Identifier: Apache-2.0
"""A reader of CSV gets every cell back, and a spreadsheet gets nothing to run."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.exports.cells import harmless
from controlplane.exports.columns import COLUMNS, Content
from controlplane.exports.csv_table import cell, encode
from tests.exported import FORMULAS, every_kind_of_row, make_row

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "exports" / "decisions.csv"


def read_back(rows, include=()) -> list[dict[str, str]]:
    text = b"".join(encode(rows, include=include)).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_golden(update_golden):
    written = b"".join(encode(every_kind_of_row(), include=list(Content)))
    if update_golden:
        GOLDEN.write_bytes(written)
    assert GOLDEN.read_bytes() == written


def test_a_reader_gets_the_columns_and_their_values():
    [row] = read_back([make_row(5, outcome="deny", reasons=(("a", "p"), ("b", "p")))])
    assert list(row) == [column.name for column in COLUMNS]
    assert (row["log_index"], row["status"], row["stream"], row["reasons"]) == ("5", "200", "false", "a b")
    assert (row["received_at"], row["trace_id"]) == ("2026-11-20T12:00:00Z", "")


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_a_formula_in_a_model_name_stays_text_in_one_row(text):
    [row] = read_back([make_row(model=text)])
    assert row["model"].startswith("'")
    assert len(row["model"].splitlines()) == 1


def test_lists_are_guarded_as_a_whole():
    assert cell(["=1", "+2"]) == "'=1 +2"
    assert cell(["a", ";=2"]) == "a ;'=2"


@given(st.text(max_size=40))
def test_every_cell_comes_back_as_it_was_made_harmless(model):
    [row] = read_back([make_row(model=model)])
    assert row["model"] == harmless(model)
    assert b"".join(encode([make_row(model=model)])).count(b"\r\n") == 2
