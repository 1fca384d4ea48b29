# SPDX-License-Identifier: Apache-2.0
import jsonschema_rs
import pytest

from policies.document.schemas.selectors import SELECTORS


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        pytest.param("subjects", ["group:staff", "*"], ["staff"], id="a-subject-has-a-type"),
        pytest.param("models", ["parrot", "*"], ["par*"], id="a-model-is-exact"),
        pytest.param("operations", ["chat.completions", "*"], ["chat.*"], id="an-operation-is-exact"),
    ],
)
def test_a_selector_selects_exactly_or_everything(name, good, bad):
    schema = jsonschema_rs.Draft202012Validator(SELECTORS[name])
    assert (schema.is_valid(good), schema.is_valid([]), schema.is_valid(bad)) == (True, True, False)
