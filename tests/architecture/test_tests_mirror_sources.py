# SPDX-License-Identifier: Apache-2.0
"""Each source file has its test file under `tests/unit`, or stands in a list of those that another suite covers.

A file that is added without a test of its own shows up in the list, and so in the review.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("policies", "controlplane", "proxy_addons", "inference", "conformance")
COVERED_ELSEWHERE = Path(__file__).with_name("only_shrinks") / "covered_elsewhere.txt"


def has_own_test(source: Path) -> bool:
    mirrored = ROOT / "tests" / "unit" / source.parent.relative_to(ROOT)
    return (mirrored / f"test_{source.name}").exists()


def test_a_source_file_has_its_test_file():
    listed = {line for line in COVERED_ELSEWHERE.read_text().splitlines() if line and not line.startswith("#")}
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"]
    without = {str(path.relative_to(ROOT)) for path in sources if not has_own_test(path)}
    assert listed == without
