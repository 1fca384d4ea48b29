# SPDX-License-Identifier: Apache-2.0
"""What pages say of the code is so: files they name are there, and their tables list what the code has."""

import re
from pathlib import Path

import pytest

from policies.document.kinds import KINDS
from policies.document.loader import load_documents
from policies.engines.casbin import MODEL_TEXT

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
TREES = "policies|controlplane|proxy_addons|inference|conformance|tests|docs|benchmarks|deploy|demo"
SPECIFICATION = ROOT / "docs" / "spec" / "policy-document.md"
NAMED_PATH = re.compile(rf"`((?:{TREES})/[A-Za-z0-9_./-]*)`")


def first_cells(page: str) -> set[str]:
    """Return the names in the first column of the tables of a page."""
    return set(re.findall(r"^\| `([^`]+)` \|", (ROOT / page).read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_file_that_a_page_names_is_there(page):
    named = NAMED_PATH.findall(page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_bundle_specification_lists_every_code_of_a_rejection():
    sources = [path.read_text() for path in (ROOT / "policies" / "bundle").glob("*.py")]
    raised = {code for source in sources for code in re.findall(r'BundleRejected\(\s*"([a-z-]+)"', source)}
    assert raised == first_cells("docs/spec/bundle.md")


def test_the_reference_lists_every_kind_of_policy():
    assert set(KINDS) == first_cells("docs/reference/policy-kinds.md")


def test_every_document_that_the_specification_shows_is_one():
    shown = re.findall(r"^```yaml\n(kind: .*?)^```", SPECIFICATION.read_text(), re.DOTALL | re.MULTILINE)
    documents = load_documents({f"{number}.yaml": text.encode() for number, text in enumerate(shown)})
    assert {document.kind for document in documents} == set(KINDS)


def test_the_specification_shows_the_model_that_casbin_is_given():
    shown = re.findall(r"^```ini\n(.*?)^```", SPECIFICATION.read_text(), re.DOTALL | re.MULTILINE)
    assert [MODEL_TEXT.lstrip()] == shown


def test_every_part_of_the_documentation_is_reached_from_the_first_page():
    linked = (ROOT / "README.md").read_text()
    folders = {path.name for path in (ROOT / "docs").iterdir() if path.is_dir()}
    assert [name for name in sorted(folders) if f"(docs/{name}/)" not in linked] == []
    assert "(docs/glossary.md)" in linked
