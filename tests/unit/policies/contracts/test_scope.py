# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.scope import UNSCOPED, Scope


@pytest.mark.parametrize(
    ("scope", "name", "want"),
    [
        pytest.param(UNSCOPED, "chat", True, id="no-scope-leaves-it-to-policy"),
        pytest.param(Scope(operations=("chat",), models=("chat",)), "chat", True, id="listed"),
        pytest.param(Scope(operations=("chat",), models=("chat",)), "chat.completions", False, id="a-longer-name"),
        pytest.param(Scope(operations=("chat",), models=("chat",)), "Chat", False, id="another-case"),
        pytest.param(Scope(operations=(), models=()), "chat", False, id="an-empty-list-permits-nothing"),
    ],
)
def test_a_scope_permits_exactly_what_it_lists(scope, name, want):
    assert (scope.permits_operation(name), scope.permits_model(name)) == (want, want)


def test_one_measure_says_nothing_of_the_other():
    assert Scope(operations=("chat",)).permits_model("parrot")
    assert Scope(models=("parrot",)).permits_operation("chat")
