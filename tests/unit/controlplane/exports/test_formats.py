# SPDX-License-Identifier: Apache-2.0
"""Every format writes rows as they come, and the reference lists it."""

import itertools
import re
from pathlib import Path

import pytest

from controlplane.exports.formats import FORMATS
from tests.exported import make_row

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "exports.md"


def test_the_reference_lists_every_format():
    section = re.search(r"^## Formats\n(.*?)^## ", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]
    shown = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| (.*) \|$", section, re.MULTILINE)
    assert shown == [(name, one.media_type, one.meaning) for name, one in FORMATS.items()]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "parquet"])
def test_a_line_is_written_before_the_next_row_is_asked_for(name):
    endless = map(make_row, itertools.count())
    assert len(list(itertools.islice(FORMATS[name].encode(endless, include=()), 5))) == 5
