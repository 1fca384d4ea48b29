# SPDX-License-Identifier: Apache-2.0
"""Code, weights and published figures belong together: each is of no use with another's."""

import hashlib
import json

import pytest
from safetensors.torch import load_file

from inference.screen import pinned
from inference.screen.scorer import WEIGHTS
from tests.conftest import ROOT


def test_the_figures_are_those_of_the_pinned_weights():
    figures = json.loads((WEIGHTS / "figures.json").read_text())
    assert figures["weights"] == {"head": pinned.HEAD_SHA256, "ngram": pinned.NGRAM_SHA256}


def test_the_weights_are_the_pinned_ones_and_small():
    for name, digest in (("head", pinned.HEAD_SHA256), ("ngram", pinned.NGRAM_SHA256)):
        content = (WEIGHTS / f"{name}.safetensors").read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert len(content) < 700_000


@pytest.mark.parametrize("name", ["head", "ngram"])
def test_the_weights_are_read_by_the_library_too(name):
    assert load_file(WEIGHTS / f"{name}.safetensors")


def test_the_page_shows_the_figures_of_these_weights():
    page = (ROOT / "docs" / "explanation" / "prompt-screen.md").read_text()
    found = json.loads((WEIGHTS / "figures.json").read_text())["left_out_sources"]
    minilm, ngram = (found[name]["by_kind_and_source"] for name in ("minilm", "ngram"))
    for kind in ("direct", "jailbreak", "indirect", "hard-benign", "benign"):
        shares = [
            f"{100 * table[kind][name]:.1f}"
            for table in (minilm, ngram)
            for name in ("flagged_at_default", "flagged_at_1_percent_false_alarms")
        ]
        assert f"| **{kind}** | {minilm[kind]['rows']} | {' | '.join(shares)} |" in page
