# SPDX-License-Identifier: Apache-2.0
"""`gatehouse redact --jsonl` over every text of the corpora: a line for each, and its places are those of the text."""

import gzip
import json
import re
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.corpus, pytest.mark.slow]

FILES = (
    "pii/presidio_synth_v2",
    "pii/presidio_generated_large_sample",
    "secrets/gitleaks",
    "prompts/prompts",
)
PLACEHOLDER = r"\[redacted:[a-z0-9-]+(?::[0-9]+)?\]"


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def texts_of(corpora, name):
    with gzip.open(corpora / f"{name}.jsonl.gz", "rt", encoding="utf-8") as rows:
        return [json.loads(row)["text"] for row in rows]


def redacted(texts):
    given = "".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts))
    done = subprocess.run(
        [sys.executable, "-O", "-m", "controlplane.cli", "redact", "--jsonl"],
        input=given.encode(),
        capture_output=True,
        check=True,
        timeout=100,
    )
    return [json.loads(line) for line in done.stdout.split(b"\n")[:-1]]


@pytest.mark.parametrize("name", FILES)
def test_places_are_those_of_the_text_and_all_else_is_as_it_was(corpora, name):
    texts = texts_of(corpora, name)
    answers = redacted(texts)
    assert [answer["id"] for answer in answers] == list(range(len(texts)))
    for text, answer in zip(texts, answers, strict=True):
        kept, at = [], 0
        for finding in answer["findings"]:
            assert at <= finding["start"] < finding["end"] <= len(text)
            assert 0 < finding["score"] <= 1
            kept.append(re.escape(text[at : finding["start"]]))
            at = finding["end"]
        want = PLACEHOLDER.join([*kept, re.escape(text[at:])])
        assert re.fullmatch(want, answer["text"], re.DOTALL), f"row {answer['id']}"


@pytest.mark.parametrize("name", FILES[:3])
def test_what_was_redacted_is_redacted_no_more(corpora, name):
    once = [answer["text"] for answer in redacted(texts_of(corpora, name))]
    again = [answer["text"] for answer in redacted(once)]
    assert [number for number, (first, second) in enumerate(zip(once, again, strict=True)) if first != second] == []
