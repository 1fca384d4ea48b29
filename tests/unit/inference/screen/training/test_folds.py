# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.screen.training.corpus import OWN, Row
from inference.screen.training.folds import BY_SOURCE, by_source


def row(source, group, *, made=""):
    return Row(text="x", injection=True, kind="direct", sources=frozenset(source), groups=frozenset({group}), made=made)


FIRST, SECOND = BY_SOURCE[0][0], BY_SOURCE[1][0]
ROWS = [
    row([FIRST], "1"),
    row([SECOND], "2"),
    row([SECOND], "1"),
    row([FIRST, SECOND], "3", made="planted"),
    row([OWN], "own/a"),
    row([SECOND], "2", made="misspelt"),
]


def test_no_source_and_no_group_is_on_both_sides():
    folds = list(by_source(ROWS))
    assert len(folds) == 2
    for fold in folds:
        trained = [ROWS[number] for number in fold.trained]
        tried = [ROWS[number] for number in fold.tried]
        assert not {each for one in trained for each in one.sources} & {each for one in tried for each in one.sources}
        assert not {each for one in trained for each in one.groups} & {each for one in tried for each in one.groups}


def test_own_and_constructed_rows_are_never_tried():
    assert sorted(number for fold in by_source(ROWS) for number in fold.tried) == [0, 1, 2]


def test_a_list_that_no_fold_knows_is_an_error():
    with pytest.raises(ValueError, match="new:list"):
        list(by_source([row(["new:list"], "1")]))
