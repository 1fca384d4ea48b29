# SPDX-License-Identifier: Apache-2.0
"""The examples the screen is trained on: their form, and that the data card tells the truth about them."""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.screening.model import Origin

ROOT = Path(__file__).resolve().parents[5]
EXAMPLES = ROOT / "inference" / "screen" / "training" / "examples"
HELD_OUT = ROOT / "benchmarks" / "screening_heldout.jsonl"
KINDS = {
    "benign.jsonl": ("benign", "benign"),
    "hard_benign.jsonl": ("hard-benign", "benign"),
    "direct.jsonl": ("direct", "injection"),
    "indirect.jsonl": ("indirect", "injection"),
    "jailbreak.jsonl": ("jailbreak", "injection"),
}
MEMBERS = {"id", "text", "label", "kind", "origin", "family", "language"}
ALIKE = 0.6  # of the shingles of two texts together; a reworded sentence stays below, a changed name does not

Row = dict[str, str]


def rows_of(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def files() -> dict[str, list[Row]]:
    return {path.name: rows_of(path) for path in sorted(EXAMPLES.glob("*.jsonl"))}


@pytest.fixture(scope="module")
def rows(files: dict[str, list[Row]]) -> list[Row]:
    return [row for of_file in files.values() for row in of_file]


@pytest.fixture(scope="module")
def held_out() -> list[Row]:
    return rows_of(HELD_OUT)


def test_there_is_one_file_for_each_kind(files):
    assert set(files) == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_each_row_of_a_file_has_its_kind_and_label(files, name):
    assert {(row["kind"], row["label"]) for row in files[name]} == {KINDS[name]}


def test_each_held_out_row_has_a_label_that_suits_its_kind(held_out):
    assert {(row["kind"], row["label"]) for row in held_out} == set(KINDS.values())


def test_rows_have_the_members_the_card_describes(rows, held_out):
    rows = [*rows, *held_out]
    assert [row["id"] for row in rows if row.keys() - {"twin", "injected_span"} != MEMBERS] == []
    assert {row["origin"] for row in rows} <= set(Origin)
    assert [row["id"] for row in rows if not re.fullmatch(r"[a-z]{2,3}", row["language"])] == []
    assert [row["id"] for row in rows if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row["family"])] == []


def test_texts_are_normalised_and_not_empty(rows, held_out):
    rows = [*rows, *held_out]
    assert [row["id"] for row in rows if not row["text"].strip()] == []
    assert [row["id"] for row in rows if unicodedata.normalize("NFC", row["text"]) != row["text"]] == []


def test_no_id_is_given_twice(rows, held_out):
    assert [name for name, count in Counter(row["id"] for row in [*rows, *held_out]).items() if count > 1] == []


def test_twins_name_each_other_and_differ_in_label(rows):
    by_id = {row["id"]: row for row in rows}
    paired = [row for row in rows if "twin" in row]
    assert paired
    for row in paired:
        other = by_id[row["twin"]]
        assert (other["twin"], other["family"], {row["label"], other["label"]}) == (
            row["id"],
            row["family"],
            {"injection", "benign"},
        )


def test_a_planted_order_is_part_of_its_text_and_of_no_clean_twin(rows):
    by_id = {row["id"]: row for row in rows}
    planted = [row for row in rows if "injected_span" in row]
    assert {row["kind"] for row in planted} == {"indirect"}
    assert [row["id"] for row in planted if row["injected_span"] not in row["text"]] == []
    assert [row["id"] for row in planted if row["injected_span"] in by_id[row["twin"]]["text"]] == []


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return frozenset(tuple(words[at : at + 5]) for at in range(max(1, len(words) - 4)))


def near_duplicates(rows: list[Row]) -> Iterator[tuple[str, str]]:
    seen: dict[tuple[str, ...], list[int]] = defaultdict(list)
    cut = [shingles(row["text"]) for row in rows]
    for at, own in enumerate(cut):
        shared = Counter(other for shingle in own for other in seen[shingle])
        for other, count in shared.items():
            if rows[other]["id"] != rows[at].get("twin") and count / len(own | cut[other]) > ALIKE:
                yield rows[other]["id"], rows[at]["id"]
        for shingle in own:
            seen[shingle].append(at)


def test_a_text_and_its_copy_with_another_ending_are_near_duplicates():
    said = "please answer the letter of our neighbour about the old fence between the gardens"
    copied = [{"id": "a", "text": said + " today"}, {"id": "b", "text": said + " tomorrow"}]
    assert list(near_duplicates(copied)) == [("a", "b")]


def test_no_two_rows_are_near_duplicates_but_twins(rows, held_out):
    assert list(near_duplicates([*rows, *held_out])) == []


def test_hosts_are_reserved_for_documentation(rows, held_out):
    hosts = re.findall(
        r"(?:https?://|@|www\.)((?:[\w-]+\.)+[a-z]{2,})", "\n".join(row["text"] for row in [*rows, *held_out])
    )
    assert hosts
    assert [host for host in hosts if not re.search(r"(\.example|\bexample\.(com|net|org))$", host)] == []


def test_what_is_held_out_comes_from_families_of_its_own(rows, held_out):
    assert {row["family"] for row in rows} & {row["family"] for row in held_out} == set()


def table_under(heading: str) -> list[tuple[str, ...]]:
    section = (EXAMPLES / "README.md").read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in lines[2:]]


def test_the_card_counts_the_rows_of_each_file(files):
    want = {(name, KINDS[name][1], str(len(of_file))) for name, of_file in files.items()}
    assert set(table_under("Counts")) == want


def test_the_card_counts_the_rows_of_each_family(rows):
    counted = Counter((row["kind"], row["family"]) for row in rows)
    assert table_under("Families") == [(*of, str(count)) for of, count in sorted(counted.items())]


def test_the_card_counts_the_rows_of_each_language(rows):
    counted = Counter((row["language"], row["label"]) for row in rows)
    want = {(of, str(counted[of, "injection"]), str(counted[of, "benign"])) for of in {row["language"] for row in rows}}
    assert set(table_under("Languages")) == want


def test_the_card_counts_the_rows_held_out(held_out):
    counted = Counter(row["kind"] for row in held_out)
    assert table_under("Held out") == [(kind, str(count)) for kind, count in sorted(counted.items())]
