# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.environment import Environment, SettingInvalid, is_identifier


def test_an_empty_variable_is_one_that_is_not_set():
    assert Environment({"GATEHOUSE_A": ""}).text("A", "b") == "b"


def test_what_is_missing_is_named_with_where_to_look():
    with pytest.raises(SettingInvalid, match=r"GATEHOUSE_A: is not set; docs/reference/proxy-settings\.md"):
        Environment({}).text("A")


@pytest.mark.parametrize("value", ["7", "07"])
def test_a_whole_number_is_read(value):
    assert Environment({"GATEHOUSE_N": value}).integer("N", None, least=1, most=9) == 7


@pytest.mark.parametrize(("name", "is_one"), [("node-1", True), ("a/b", False), ("..", False), ("x" * 129, False)])
def test_what_may_name_a_node(name, is_one):
    assert is_identifier(name) is is_one
