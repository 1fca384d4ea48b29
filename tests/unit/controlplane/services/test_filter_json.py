# SPDX-License-Identifier: Apache-2.0
"""A question comes back from its JSON as it was, and equal questions are equal there."""

import json
from dataclasses import fields

import pytest

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import Dimension
from controlplane.services.filter_json import filter_from_json, filter_to_json
from tests.records import NOON

EVERYTHING = DecisionFilter(
    values={Dimension.SUBJECT: ("p1:" + "0" * 32,), Dimension.OUTCOME: ("allow", "deny"), Dimension.MODEL: ("é",)},
    request_ids=("q",),
    record_ids=("r",),
    since=NOON,
    until=NOON.replace(microsecond=1),
    min_latency_us=1,
    max_latency_us=2,
    has_gap=True,
)


@pytest.mark.parametrize("wanted", [DecisionFilter(), EVERYTHING], ids=["nothing", "everything"])
def test_a_question_comes_back(wanted):
    assert filter_from_json(json.loads(json.dumps(filter_to_json(wanted)))) == wanted


def test_the_test_asks_everything():
    assert all(getattr(EVERYTHING, field.name) for field in fields(EVERYTHING))


def test_the_order_of_alternatives_makes_no_difference():
    one, other = (
        filter_to_json(DecisionFilter(values={Dimension.OUTCOME: order}))
        for order in (("allow", "deny"), ("deny", "allow"))
    )
    assert one == other
    assert filter_to_json(DecisionFilter(values={Dimension.MODEL: ()}, has_gap=None)) == {}
