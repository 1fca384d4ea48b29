# SPDX-License-Identifier: Apache-2.0
"""`python -m inference.screen.training --corpus FOLDER --seed 7`: trains the classifier and says how well it did."""

import argparse
import json
import sys
from pathlib import Path

from inference.screen.scorer import WEIGHTS
from inference.screen.training.train import Plan, train


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m inference.screen.training", description=__doc__)
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder that holds prompts.jsonl or prompts.jsonl.gz"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for the weights; else those of this package")
    parser.add_argument("--cache", type=Path, help="folder where token states are kept between runs (about 1 GB)")
    given = parser.parse_args()
    plan = Plan(corpus=given.corpus, seed=given.seed, weights=given.out, cache=given.cache)
    if given.out != WEIGHTS:
        plan = Plan(corpus=given.corpus, seed=given.seed, weights=given.out, cache=given.cache, pinned_file=None)
    json.dump(train(plan), sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
