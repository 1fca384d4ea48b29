# SPDX-License-Identifier: Apache-2.0
"""From labelled rows to the two weights files, their digests and their figures."""

import hashlib
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from inference.screen import pinned
from inference.screen.encoder import LAYERS, WEIGHTS_SHA256, Encoder
from inference.screen.head import Head
from inference.screen.ngram import NgramModel
from inference.screen.scorer import WEIGHTS
from inference.screen.tensors import Tensor, Tensors, write_tensors
from inference.screen.training.construct import construct
from inference.screen.training.corpus import Row, read_corpus, read_own
from inference.screen.training.evaluate import OutOfFold, calibrate, figures_of
from inference.screen.training.folds import by_source
from inference.screen.training.heads import EPOCHS, fit_head, head_logits, mean_of
from inference.screen.training.ngrams import all_buckets, fit_tensors
from inference.screen.training.states import encode

HEADS: Final = 2
FIGURES: Final = "figures.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained on and where the result goes."""

    corpus: Path
    seed: int
    weights: Path = WEIGHTS
    pinned_file: Path | None = Path(pinned.__file__)
    cache: Path | None = None
    epochs: int = EPOCHS
    heads: int = HEADS


def train(plan: Plan) -> dict[str, object]:
    """Tries the model on what it has not seen, trains it on everything, and writes weights and figures."""
    torch.set_num_threads(1)  # sums in one order: the same numbers on the same machine
    rows = read_corpus(plan.corpus) + read_own()
    rows += construct(rows, seed=plan.seed)
    return train_on(rows, plan, Encoder())


def train_on(rows: Sequence[Row], plan: Plan, encoder: Encoder) -> dict[str, object]:
    states = encode([row.text for row in rows], encoder, cache=plan.cache)
    buckets = all_buckets([row.text for row in rows])

    def heads_of(numbers: Sequence[int], count: int) -> list[Head]:
        return [fit_head(rows, numbers, states, seed=plan.seed + at, epochs=plan.epochs) for at in range(count)]

    by_head: dict[int, float] = {}
    by_ngram: dict[int, float] = {}
    for fold in by_source(rows):
        model = NgramModel(
            Tensors(tensors=fit_tensors(rows, fold.trained, buckets, seed=plan.seed), notes={}, digest="")
        )
        by_ngram |= {number: model.logit(rows[number].text) for number in fold.tried}
        heads = heads_of(fold.trained, 1)
        by_head |= mean_of([head_logits(head, fold.tried, states) for head in heads])
    outcome = OutOfFold.of(rows, by_head, by_ngram)
    everything = range(len(rows))
    ngram = fit_tensors(rows, everything, buckets, seed=plan.seed)
    written = write_weights(plan, heads_of(everything, plan.heads), ngram, outcome)
    figures = {"weights": written, "seed": plan.seed, "encoder": WEIGHTS_SHA256, "layers": LAYERS} | figures_of(outcome)
    (plan.weights / FIGURES).write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    return figures


def write_weights(plan: Plan, heads: Sequence[Head], ngram: Mapping[str, Tensor], outcome: OutOfFold) -> dict[str, str]:
    """Both files' digests. The calibrations are fitted on the scores of rows that the models had not seen."""
    factors = calibrate(outcome)
    notes = {"seed": str(plan.seed), "encoder": WEIGHTS_SHA256, "layers": str(LAYERS)}
    ngram_file = write_tensors({**ngram, "calibration": _floats(*factors.ngram)}, notes=notes)
    ngram_digest = hashlib.sha256(ngram_file).hexdigest()
    tensors = {"calibration": _floats(*factors.both)}
    for at, head in enumerate(heads):
        for name, value in head.state_dict().items():
            tensors[f"head.{at}.{name}"] = _halves(value)
    head_file = write_tensors(tensors, notes=notes | {"ngram": ngram_digest})
    digests = {"ngram": ngram_digest, "head": hashlib.sha256(head_file).hexdigest()}
    plan.weights.mkdir(parents=True, exist_ok=True)
    (plan.weights / "ngram.safetensors").write_bytes(ngram_file)
    (plan.weights / "head.safetensors").write_bytes(head_file)
    if plan.pinned_file is not None:
        _pin(plan.pinned_file, digests)
    return digests


def _pin(file: Path, digests: Mapping[str, str]) -> None:
    lines = file.read_text().splitlines()
    for name, digest in digests.items():
        start = f"{name.upper()}_SHA256: Final = "
        lines = [f'{start}"{digest}"' if line.startswith(start) else line for line in lines]
    file.write_text("\n".join(lines) + "\n")


def _floats(*numbers: float) -> Tensor:
    return Tensor((len(numbers),), array("f", numbers))


def _halves(value: torch.Tensor) -> Tensor:
    numbers = array("H")
    numbers.frombytes(value.half().contiguous().numpy().tobytes())
    return Tensor(tuple(value.shape), numbers)
