# SPDX-License-Identifier: Apache-2.0
"""The table of requirements is one file, names only what a pack has, and admits what it does not answer."""

import csv
import io

import pytest

from controlplane.evidence.controls import Answers, controls, controls_csv, controls_page
from controlplane.evidence.pages import to_markdown

PARTS = {
    *("entries", "range-proof.json", "checkpoint", "summary.md", "summary.json", "completeness.json"),
    *("activations.json", "admin-events.ndjson", "policies", "releases"),
}


def test_every_framework_is_there():
    assert {control.framework for control in controls()} == {"EU AI Act", "ISO/IEC 42001", "SOC 2", "NIST AI RMF"}
    references = {control.reference for control in controls() if control.framework == "EU AI Act"}
    assert {"Article 12(1)", "Article 12(3)", "Article 19(1)", "Article 26(6)"} <= references


@pytest.mark.parametrize("control", controls(), ids=lambda control: f"{control.framework} {control.reference}")
def test_a_requirement_names_parts_of_the_pack_and_what_is_left_open(control):
    assert set(control.where) <= PARTS
    assert control.gaps
    assert bool(control.where) == bool(control.how) == (control.answer is not Answers.NO)


def test_it_is_a_table_and_a_page():
    rows = list(csv.DictReader(io.StringIO(controls_csv().decode(), newline="")))
    assert [row["reference"] for row in rows] == [control.reference for control in controls()]
    assert {row["answer"] for row in rows} == {"yes", "partly", "no"}
    page = to_markdown(controls_page()).decode()
    assert page.count("\n## ") == 4
