# SPDX-License-Identifier: Apache-2.0
"""The reference lists every detector of secrets, in order, in its group."""

import re
from pathlib import Path

from policies.detectors.secrets import SECRETS

PAGE = (Path(__file__).resolve().parents[5] / "docs/reference/detectors.md").read_text()
SECTION = PAGE.partition("\n## Secrets\n")[2].partition("\n## ")[0]


def test_the_page_lists_what_there_is():
    rows = re.findall(r"^\| `([^`]+)` \| (`.+`) \|$", SECTION, re.MULTILINE)
    listed = [(name, group) for group, names in rows for name in re.findall(r"`([^`]+)`", names)]
    assert [(detector.name, detector.group) for detector in SECRETS] == listed
