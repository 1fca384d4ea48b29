# SPDX-License-Identifier: Apache-2.0
"""The shape of the source: what a reviewer would otherwise have to look for in every change."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from policies.contracts.reasons import REASONS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("policies", "controlplane", "proxy_addons", "inference", "conformance")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_FILE = 300
LONG_FILES = Path(__file__).with_name("only_shrinks") / "long_files.txt"


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_source_file_names_its_licence(path):
    assert path.read_text().startswith("# SPDX-License-Identifier: Apache-2.0\n")


def test_no_file_outgrows_its_one_job():
    """A file above 300 lines wants a reason; those that had one are listed, and the list may only shrink."""
    excused = {line for line in LONG_FILES.read_text().splitlines() if line and not line.startswith("#")}
    long = {relative(path) for path in SOURCES if len(path.read_text().splitlines()) > LONGEST_FILE}
    assert excused == long


BANNED = re.compile(r"(Manager|Helper|Util|Utils|Handler)$")


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_class_is_named_after_nothing(path):
    names = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    assert [name for name in names if BANNED.search(name)] == []


def test_security_does_not_rest_on_assert():
    """Under -O an assert is gone, and what it guarded with it."""
    asserting = [
        relative(path)
        for path in SOURCES
        if any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(path.read_text())))
    ]
    assert asserting == []


def test_reason_codes_are_kebab_case_and_documented(update_golden):
    reference = ROOT / "docs" / "reference" / "reasons.md"
    rows = [f"| `{spec.code}` | {spec.status} | `{spec.error_type}` | {spec.message} |" for spec in REASONS.values()]
    want = "\n".join(
        [
            "# Reason codes",
            "",
            "Every refusal carries one as `error.code`, and every record as `reasons[].code`. A code is never reused for another meaning.",
            "In order of refusal: framing, identity, host, path, route, scope, size, encoding, media type, body, policy, limits. Guards declare further codes in their",
            "documents (`spec.reasons`); those are answered with 403. Codes with status 499 stand in records only: nobody is left to be told.",
            "",
            "| code | status | `error.type` | message |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ],
    )
    if update_golden:
        reference.write_text(want)
    assert want == reference.read_text()
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in REASONS)


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        return [relative(path) for path in SOURCES]
    return listed.stdout.split("\n")


def test_links_between_documents_lead_somewhere():
    pages = [ROOT / name for name in tracked_files() if name.endswith(".md") and (ROOT / name).exists()]
    targets = [(page, target) for page in pages for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text())]
    broken = [
        f"{relative(page)}: {target}"
        for page, target in targets
        if "://" not in target and not page.parent.joinpath(target).exists()
    ]
    assert broken == []
