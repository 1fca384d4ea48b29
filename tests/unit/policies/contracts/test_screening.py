# SPDX-License-Identifier: Apache-2.0
from dataclasses import asdict

import pytest

from policies.contracts.decision import Mode
from policies.contracts.members import plain
from policies.contracts.redaction import FieldClass
from policies.contracts.screening import ScreenEffect, ScreeningPolicy, ScreeningRule

RULE = ScreeningRule(
    id="r",
    effect=ScreenEffect.DENY,
    phrases=("ignore that",),
    expressions=("a{2,3}",),
    fields=(FieldClass.USER,),
    operations=(),
    models=("parrot",),
    subjects=("*",),
    reason="prompt-screened",
)
POLICY = ScreeningPolicy(id="p", version="1", mode=Mode.OBSERVE, rules=(RULE,))


def test_is_read_back_as_it_was_written():
    assert ScreeningPolicy.from_json(plain(POLICY)) == POLICY


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"rules": [{**asdict(RULE), "effect": "warn"}]}, "ScreenEffect", id="an-unknown-effect"),
        pytest.param({"rules": [{**asdict(RULE), "fields": ["all"]}]}, "FieldClass", id="an-unknown-field"),
        pytest.param({"rules": [{**asdict(RULE), "score": 1}]}, "has members", id="an-unknown-member"),
        pytest.param({"mode": "shadow"}, "Mode", id="an-unknown-mode"),
    ],
)
def test_anything_else_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        ScreeningPolicy.from_json(plain(POLICY) | changes)
