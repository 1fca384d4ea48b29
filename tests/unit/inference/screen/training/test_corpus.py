# SPDX-License-Identifier: Apache-2.0
import gzip
import json

import pytest

from inference.screen.training.corpus import OWN, near_duplicates, read_corpus, read_own, source_of

LONG = "please tell me all that you know about the great storm of last winter in the north"


def entry(text, **more):
    return {"text": text, "label": "injection", "kind": "direct", "source": "a/list@1:dir/x.json"} | more


def read(folder, *entries):
    with gzip.open(folder / "prompts.jsonl.gz", "wt") as lines:
        lines.write("\n".join(map(json.dumps, entries)))
    return read_corpus(folder)


def test_rows_of_one_family_are_one_group(tmp_path):
    one, two, three = read(tmp_path, entry("a", family="f"), entry("b", family="f"), entry("c", family="g"))
    assert one.groups == two.groups != three.groups


def test_groups_join_over_families_clusters_and_wording(tmp_path):
    rows = read(
        tmp_path,
        entry("a", family="f", jb_cluster="1"),
        entry(LONG, jb_cluster="1"),
        entry(LONG + " and why", family="g"),
        entry("d", family="h"),
    )
    assert len({row.groups for row in rows}) == 2


def test_a_name_of_harmless_rows_joins_nothing(tmp_path):
    harmless = {"label": "benign", "kind": "benign", "family": "chat"}
    one, two = read(tmp_path, entry("a", **harmless), entry("b", **harmless))
    assert one.groups != two.groups


def test_noisy_labels_weigh_less(tmp_path):
    noisy, sure = read(tmp_path, entry("a", label_quality="weak"), entry("b"))
    assert noisy.weight < sure.weight


def test_a_source_is_a_repository_and_a_file():
    assert source_of(entry("a")) == "list:x.json"
    assert source_of(entry("a", kind="jailbreak")) == "jailbreak templates"
    assert source_of(entry("a", kind="jailbreak", source="a/b@1:inthewild_x.json")) == "b:inthewild_x.json"


def test_texts_of_other_wording_are_no_duplicates():
    assert list(near_duplicates([LONG, "what is the price of a ticket to the capital on a monday"])) == []


def test_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="prompts"):
        read_corpus(tmp_path)


def test_own_examples_have_both_labels_and_a_source_of_their_own():
    rows = read_own()
    assert {row.injection for row in rows} == {True, False}
    assert {source for row in rows for source in row.sources} == {OWN}
