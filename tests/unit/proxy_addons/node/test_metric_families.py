# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from controlplane.metric_families import FAMILIES as OF_CONTROL_PLANE
from proxy_addons.node.metric_families import FAMILIES, Kind

ROOT = Path(__file__).resolve().parents[4]
REFERENCE = ROOT / "docs" / "reference" / "metrics.md"
ALERTS = ROOT / "docs" / "how-to" / "gatehouse-alerts.yaml"


def test_the_reference_lists_every_metric_of_the_node(update_golden):
    rows = [
        f"| `{family.name}` | {family.kind.value} | {', '.join(f'`{label}`' for label in family.labels) or '–'} "
        f"| {family.meaning} |"
        for family in FAMILIES
    ]
    page = REFERENCE.read_text()
    before, begin, rest = page.partition("<!-- node -->\n")
    _, end, after = rest.partition("<!-- /node -->\n")
    want = (
        before
        + begin
        + "\n".join(["| metric | kind | labels | is |", "| --- | --- | --- | --- |", *rows, ""])
        + end
        + after
    )
    if update_golden:
        REFERENCE.write_text(want)
    assert want == REFERENCE.read_text()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_follow_the_conventions(family):
    assert re.fullmatch(r"gatehouse(_[a-z]+)+", family.name)
    assert family.name.endswith("_total") is (family.kind is Kind.COUNTER)
    assert family.kind is not Kind.HISTOGRAM or family.name.endswith("_seconds")


def test_the_example_alerts_ask_for_metrics_that_are_there():
    asked = set(re.findall(r"gatehouse_[a-z_]+", ALERTS.read_text()))
    names = {family.name for family in (*FAMILIES, *OF_CONTROL_PLANE)}
    assert {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in asked} <= names
    assert asked
