# SPDX-License-Identifier: Apache-2.0
"""The reference lists every detector of personal data, in order, with its kind and group."""

import re
from pathlib import Path

from policies.detectors.personal import ON_REQUEST, PERSONAL
from policies.detectors.personal.phone import _REGIONS

PAGE = (Path(__file__).resolve().parents[5] / "docs/reference/detectors.md").read_text()
SECTION = PAGE.partition("\n## Personal data\n")[2].partition("\n## ")[0]


def test_the_page_lists_what_there_is():
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|", SECTION, re.MULTILINE)
    assert [(detector.name, detector.kind, detector.group) for detector in (*PERSONAL, *ON_REQUEST)] == rows


def test_the_page_counts_the_regions():
    assert f"{len(_REGIONS)} regions" in SECTION
