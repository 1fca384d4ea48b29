# SPDX-License-Identifier: Apache-2.0
"""What the prompt screen's rules and structure find without a classifier: the baseline that a classifier has to beat.

    python -m benchmarks.screening_rules [--evasions]

Over the labelled prompts of the corpora and the held-out texts beside this file. Two thresholds: the default one, and
the one at which one in a hundred of the benign texts is taken for an attack. What is planted in documents,
and the documents without it, is judged as the result of a tool; everything else as what a user wrote.
`--evasions` prints what of the recall is left where each attack is written in another way.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.redaction_texts import rows
from policies.screening.judging import THRESHOLD, judgement_of
from policies.screening.model import Origin
from policies.screening.rule_table import RULES_VERSION
from policies.screening.structure import STRUCTURE_VERSION
from policies.screening.views import views_of
from tests.evasions import EVASIONS

HELD_OUT = Path(__file__).with_name("screening_heldout.jsonl")
FALSE_ALARMS = 0.01
# A part of the attacks is enough to see what an evasion costs, and longer texts are none that one would write so.
EACH = 5
LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Judged:
    kind: str
    source: str
    injection: bool
    score: float


def corpus() -> list[dict[str, str]]:
    found = []
    for row in rows("prompts/prompts"):
        repository = str(row["source"]).partition("@")[0]
        # The clean twins of planted documents come from the same list as those.
        is_document = row["kind"] == "indirect" or (row["label"] == "benign" and "latent" in str(row["source"]).lower())
        origin = Origin.TOOL_RESULT if is_document else Origin.USER
        found.append({**row, "source": repository, "origin": origin.value})
    return found


def held_out() -> list[dict[str, str]]:
    lines = HELD_OUT.read_text(encoding="utf-8").splitlines() if HELD_OUT.exists() else []
    return [{**json.loads(line), "source": "held out"} for line in lines]


def judged(texts: Iterable[dict[str, str]]) -> list[Judged]:
    return [
        Judged(
            row["kind"],
            row["source"],
            row["label"] == "injection",
            judgement_of(row["text"], Origin(row["origin"])).score,
        )
        for row in texts
    ]


def at_false_alarms(found: Sequence[Judged]) -> float:
    """Return the least threshold at which at most one in a hundred benign texts is taken for an attack."""
    benign = sorted((each.score for each in found if not each.injection), reverse=True)
    return benign[int(FALSE_ALARMS * len(benign))] + 1e-4


def table(title: str, found: Sequence[Judged], strict: float) -> None:
    groups: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    for each in found:
        groups[each.kind, ""].append(each)
        groups[each.kind, each.source].append(each)
    print(f"\n{title}: taken for an attack at the default threshold of {THRESHOLD}, and at {strict:.4f}\n")
    print("| kind | source | texts | default | 1 % false alarms |\n| --- | --- | ---: | ---: | ---: |")
    for (kind, source), members in sorted(groups.items()):
        shares = [sum(each.score >= limit for each in members) / len(members) for limit in (THRESHOLD, strict)]
        print(f"| {kind} | {source or 'all'} | {len(members)} | {shares[0]:.1%} | {shares[1]:.1%} |")


def evasions(texts: Sequence[dict[str, str]]) -> None:
    attacks = [row for row in texts if row["label"] == "injection" and len(row["text"]) <= LONGEST][::EACH]
    plain = [row for row in attacks if judgement_of(row["text"], Origin(row["origin"])).score >= THRESHOLD]
    print(f"\n{len(plain)} of {len(attacks)} attacks are found as they are; of those, written in another way:\n")
    print("| evasion | found |\n| --- | ---: |")
    for name, write in EVASIONS.items():
        left = sum(judgement_of(write(row["text"]), Origin(row["origin"])).score >= THRESHOLD for row in plain)
        print(f"| {name} | {left / len(plain):.1%} |")


def main() -> None:
    arguments = argparse.ArgumentParser(description="The prompt screen's rules alone.")
    arguments.add_argument("--evasions", action="store_true", help="what is left of recall under each evasion")
    asked = arguments.parse_args()
    texts = corpus()
    if not texts:
        raise SystemExit("There are no corpora: set GATEHOUSE_CORPORA to their folder")
    began = time.process_time()
    found = judged(texts)
    spent_ms = (time.process_time() - began) / len(texts) * 1_000
    strict = at_false_alarms(found)
    print(f"rules {RULES_VERSION}, structure {STRUCTURE_VERSION}; {spent_ms:.1f} ms of CPU a text")
    table("Corpus", found, strict)
    if own := held_out():
        table("Held out", judged(own), strict)
    benign = [row for row in texts if row["label"] == "benign"]
    read = sum(any(view.depth for view in views_of(row["text"])) for row in benign)
    print(f"\n{read} of {len(benign)} benign texts have a view beside their own.")
    if asked.evasions:
        evasions(texts)


if __name__ == "__main__":
    main()
