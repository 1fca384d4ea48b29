# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.unit.policies.compiler.lints.linting import document, found


def screen(effect="deny", mode="enforce", **ask):
    rule = {"id": "r", "effect": effect, "threshold": 0.9}
    return document("screening", mode=mode, classifier=[rule], ask=ask)


@pytest.mark.parametrize(
    ("policy", "members"),
    [
        pytest.param(screen(), [], id="closed"),
        pytest.param(screen(when_absent="allow"), ["when_absent"], id="open-where-it-is-absent"),
        pytest.param(screen(when_incomplete="allow"), ["when_incomplete"], id="open-where-it-is-incomplete"),
        pytest.param(screen("flag", when_absent="allow"), [], id="a-flag"),
        pytest.param(screen(mode="observe", when_absent="allow"), [], id="only-observes"),
    ],
)
def test_a_screen_that_can_be_silenced(policy, members):
    assert found(policy) == [("screen-can-be-silenced", "some-screening", f"/spec/ask/{member}") for member in members]
