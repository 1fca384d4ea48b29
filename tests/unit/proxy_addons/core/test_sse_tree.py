# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.sse_tree import MAX_INDEX, NotExaminable, index_of, leaves, nested, tree


@pytest.mark.parametrize(
    ("item", "want"),
    [("text", 3), ({"a": 1}, 3), ({"index": 0}, 0), ({"index": MAX_INDEX - 1}, MAX_INDEX - 1)],
)
def test_an_item_is_known_by_its_index_or_its_place(item, want):
    assert want == index_of(item, 3)


@pytest.mark.parametrize("index", [-1, MAX_INDEX, True, "0", None, 1.0, []])
def test_an_index_that_is_no_small_number_is_refused(index):
    with pytest.raises(NotExaminable):
        index_of({"index": index}, 0)


def test_more_items_than_indices_are_refused():
    with pytest.raises(NotExaminable):
        list(leaves(["x"] * (MAX_INDEX + 1)))


@pytest.mark.parametrize(
    "value",
    ["x", None, {"a": "x", "b": {"c": 1}}, {"a": [{"index": 0, "b": "x"}, {"index": 1, "b": "y"}]}, ["x", "y"]],
)
def test_a_tree_is_made_again_of_its_leaves(value):
    assert value == tree(dict(leaves(value)))


def test_items_stand_in_the_order_of_their_numbers():
    pieces = [{"index": 5, "b": "y"}, {"index": 2, "b": "x"}]
    assert pieces[::-1] == tree(dict(leaves(pieces)))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({(): 1, ("a",): 2}, id="value-and-members"),
        pytest.param({("a",): 1, ("a", "b"): 2}, id="value-and-members-below"),
        pytest.param({("a",): 1, (0,): 2}, id="members-and-items"),
    ],
)
def test_leaves_that_fit_no_one_value_are_refused(values):
    with pytest.raises(NotExaminable):
        tree(values)


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ((), "x"),
        (("a", "b"), {"a": {"b": "x"}}),
        (("a", 3), {"a": ["x"]}),
        (("a", 3, "b"), {"a": [{"index": 3, "b": "x"}]}),
        (("#1",), {"#1": "x"}),
    ],
)
def test_a_text_is_put_where_its_path_says(path, want):
    assert want == nested(path, "x")
