# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys


def test_says_which_corpus_is_missing(tmp_path):
    found = subprocess.run(
        [sys.executable, "-m", "inference.screen.training", "--corpus", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode != 0
    assert "prompts.jsonl" in found.stderr
