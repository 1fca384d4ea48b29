# SPDX-License-Identifier: Apache-2.0
import pytest

from controlplane.cli.tables import plain, show_table

ROWS = [("rel_01M7XFAWXCR6CZKJRA7CHA9JJK", "author", "ships with it"), ("rel_2", "表", None)]


@pytest.mark.parametrize(
    ("cell", "want"),
    [
        (None, "–"),
        ([], "–"),
        (["a", "b"], "a,b"),
        (0, "0"),
        ("sha256:" + "ab" * 32, "sha256:abababababab"),
        ("sha256:" + "ab" * 31, "sha256:" + "ab" * 31),
        ("2026-11-20T18:00:00.123456Z", "2026-11-20T18:00:00Z"),
        ("[red]x[/]", "[red]x[/]"),
        ("a\x1b[2J\nb\u202e", "a�[2J�b�"),
    ],
)
def test_a_cell_is_text_of_one_line(cell, want):
    assert plain(cell) == want


def test_columns_stand_under_each_other_where_they_fit(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    show_table(("RELEASE", "AUTHOR", "DESCRIPTION"), ROWS)
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.index("AUTHOR") == first.index("author") == second.index("表")
    assert head.index("DESCRIPTION") == first.index("ships")
    assert second.index("–") == head.index("DESCRIPTION") - 1  # the character before it takes two columns


def test_rows_become_blocks_where_they_do_not_fit(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    show_table(("RELEASE", "AUTHOR", "DESCRIPTION"), ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "RELEASE      rel_01M7XFAWXCR6CZKJRA7CHA9JJK"
    assert lines[2:5] == ["DESCRIPTION  ships with it", "", "RELEASE      rel_2"]


def test_a_pipe_gets_one_line_for_each_row(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    show_table(("A", "B"), [("x" * 300, "y")])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_no_rows_are_a_head_alone(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    show_table(("A", "B"), [])
    assert capsys.readouterr().out == "A  B\n"
