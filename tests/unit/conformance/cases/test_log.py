# SPDX-License-Identifier: Apache-2.0
"""The rows of cases 67 and 68: hostile texts go where they are meant to, and each kind has its sibling."""

import json

from conformance.case import Target
from conformance.cases.log import LOG_CASES
from conformance.harm import harm_in_cell

TARGET = Target(host="127.0.0.1", port=80, tls=False, key="k", model="parrot")
RECORDED, ALTERED = LOG_CASES


def sent(slug):
    (found,) = [row for row in RECORDED.rows if row.slug == slug]
    head, _, body = found.steps[0].render(TARGET, "mark-1").partition(b"\r\n\r\n")
    return head, json.loads(body)


def test_what_is_recorded_is_on_trial_in_every_row():
    assert all(row.recorded and row.want.refused for row in RECORDED.rows)


def test_a_formula_is_the_whole_prompt_and_the_whole_name():
    assert sent("prompt: equals")[1]["messages"][0]["content"] == "=1+1"
    assert sent("model: wide equals")[1]["model"] == "＝1+1"
    assert sent("user: tab")[1]["user"] == "\t=1+1"


def test_a_field_has_one_line():
    heads = [sent(row.slug)[0] for row in RECORDED.rows]
    assert {head.count(b"\r\n") for head in heads} <= {4, 5}
    assert b"User-Agent: @SUM(1)" in sent("agent: at")[0]


def test_each_kind_has_a_sibling_that_passes():
    (harmless,) = [row for row in RECORDED.rows if row.cell]
    assert harm_in_cell(harmless.cell.replace("<MARK>", "mark-1")) is None
    assert [each.slug for each in ALTERED.alterations if each.integrity == each.completeness == "holds"] == [
        "sibling: as it is"
    ]
