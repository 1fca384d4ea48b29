# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from controlplane.metric_families import FAMILIES, Kind

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"


def test_the_reference_lists_every_metric_of_the_control_plane(update_golden):
    rows = [
        f"| `{family.name}` | {family.kind.value} | {', '.join(f'`{label}`' for label in family.labels) or '–'} "
        f"| {family.meaning} |"
        for family in FAMILIES
    ]
    before, begin, rest = REFERENCE.read_text().partition("<!-- controlplane -->\n")
    _, end, after = rest.partition("<!-- /controlplane -->\n")
    table = "\n".join(["| metric | kind | labels | is |", "| --- | --- | --- | --- |", *rows, ""])
    want = before + begin + table + end + after
    if update_golden:
        REFERENCE.write_text(want)
    assert want == REFERENCE.read_text()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_follow_the_conventions(family):
    assert re.fullmatch(r"gatehouse_controlplane(_[a-z]+)+", family.name)
    assert family.name.endswith("_total") is (family.kind is Kind.COUNTER)
    assert family.kind is not Kind.HISTOGRAM or family.name.endswith("_seconds")
