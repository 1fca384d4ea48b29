# SPDX-License-Identifier: Apache-2.0
"""What every lint has in common."""

import re
from pathlib import Path

import pytest

from policies.compiler.lints.lint import named
from tests.unit.policies.compiler.lints.linting import access, found, grant

ROOT = Path(__file__).resolve().parents[5]
PAGE = ROOT / "docs" / "reference" / "lints.md"
SOURCES = ROOT / "policies" / "compiler" / "lints"


@pytest.mark.parametrize(
    ("names", "want"), [("a", "'a'"), ("abc", "'a', 'b', 'c'"), ("abcde", "'a', 'b', 'c' and 2 more")]
)
def test_of_many_names_the_first_are_told(names, want):
    assert named(list(names)) == want


def test_the_page_lists_every_code():
    codes = {
        code
        for file in SOURCES.glob("*.py")
        for code in re.findall(r'^[A-Z_]+(?:: Final)? = "([a-z][a-z-]+)"$', file.read_text(), re.MULTILINE)
    }
    assert len(codes) > 8
    assert {line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")} >= codes


def test_a_grant_that_a_person_would_write_is_not_worth_a_word():
    assert found(access(grant("group:g"), groups={"g": ["user:x"]})) == []
