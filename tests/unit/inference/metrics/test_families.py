# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from inference.metrics.families import FAMILIES, SCREEN_FAMILIES, Kind

ROOT = Path(__file__).resolve().parents[4]
REFERENCE = ROOT / "docs" / "reference" / "metrics.md"


def test_the_reference_lists_every_metric_of_the_inference_server(request):
    rows = [
        f"| `{family.name}` | {family.kind.value} | {', '.join(f'`{label}`' for label in family.labels) or '–'} "
        f"| {family.meaning} |"
        for family in (*FAMILIES, *SCREEN_FAMILIES)
    ]
    page = REFERENCE.read_text()
    before, begin, rest = page.partition("<!-- inference -->\n")
    _, end, after = rest.partition("<!-- /inference -->\n")
    table = "\n".join(["| metric | kind | labels | is |", "| --- | --- | --- | --- |", *rows, ""])
    want = before + begin + table + end + after
    if request.config.getoption("--update-golden"):
        REFERENCE.write_text(want)
    assert want == REFERENCE.read_text()


@pytest.mark.parametrize("family", [*FAMILIES, *SCREEN_FAMILIES], ids=lambda family: family.name)
def test_names_follow_the_conventions(family):
    assert re.fullmatch(r"(vllm:|gatehouse_(inference|screen)_)[a-z0-9]+(_[a-z0-9]+)*", family.name)
    assert family.name.endswith("_total") is (family.kind is Kind.COUNTER)
    assert family.kind is not Kind.HISTOGRAM or family.name.endswith(("_seconds", "_windows"))
    assert (family.kind is Kind.HISTOGRAM) is bool(family.buckets)
    assert list(family.buckets) == sorted(family.buckets)
