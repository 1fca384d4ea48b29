# SPDX-License-Identifier: Apache-2.0
"""From texts to judgements: what is to be looked at, and what follows from how it scored.

Theory. Reading (views, rules, windows) and concluding are pure and cheap; scoring windows is dear and can be shared. So
a question is taken apart by `examine`, its windows are scored by whoever has a scorer, alone or together with those of
other questions, and `conclude` puts the judgement together. `judge` does all three.

Rules
    What was not looked at for want of time or room makes a judgement incomplete; it never makes it harmless.
    Equal windows of one question are scored once.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias

from inference.screen.combining import classified_by, combined
from inference.screen.joining import stretches
from inference.screen.merging import worst_signals, worst_windows
from inference.screen.question import BOUNDS, Bounds, Input, Judged, Piece, Score, Scores, Versions
from inference.screen.reading import Cut, Place, Reading, read
from policies.screening.model import RAW, Judgement, Layer, Origin, Signal, Window

# Windows between two looks at the clock, where nobody else batches them.
_AT_ONCE: Final = 128
_MANY: Final = 3

IsOver: TypeAlias = Callable[[], bool]
Read: TypeAlias = Callable[[str, Origin, IsOver], Reading]


class Scorer(Protocol):
    """A classifier: calibrated probabilities of texts, in their order."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    def score(self, texts: Sequence[str], origins: Sequence[Origin]) -> list[float]: ...


@dataclass(slots=True)
class Looked:
    """What was seen of one text, or across the seams of several: `cuts` are each the number of a piece, and where.

    `complete` once it was looked at to its end: whoever takes it before takes what there is.
    """

    origin: Origin
    signals: list[Signal] = field(default_factory=list)
    cuts: list[tuple[int, Cut]] = field(default_factory=list)
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """A question taken apart, or as much of it as there is yet: `numbers` are the different pieces, to be scored."""

    texts: tuple[Looked, ...]
    seams: Looked | None
    most: int
    numbers: dict[Piece, int] = field(default_factory=dict)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        return tuple(self.numbers)

    def add(self, looked: Looked, cut: Cut, origin: Origin) -> bool:
        """Whether there was room for it."""
        piece = Piece(cut.text, origin)
        number = self.numbers.get(piece)
        if number is None:
            if len(self.numbers) >= self.most:
                return False
            number = self.numbers[piece] = len(self.numbers)
        looked.cuts.append((number, cut))
        return True


class Judge:
    """Judges texts by all layers. Safe for use by many threads if its scorer is."""

    def __init__(
        self,
        scorer: Scorer,
        *,
        versions: Versions,
        thresholds: Mapping[Origin, float],
        bounds: Bounds = BOUNDS,
        read: Read = read,
    ) -> None:
        self.scorer = scorer
        self.versions = versions
        self._thresholds = thresholds
        self._bounds = bounds
        self._read = read

    def judge(self, inputs: Sequence[Input], *, joined: bool, is_over: IsOver = lambda: False) -> Judged:
        """The judgement of texts by themselves and, if `joined`, as one. `is_over` ends it early, and incomplete."""
        (judged,) = self.judge_many([inputs], joined=joined, is_over=is_over)
        return judged

    def judge_many(
        self, questions: Sequence[Sequence[Input]], *, joined: bool, is_over: IsOver = lambda: False
    ) -> list[Judged]:
        """As `judge`, of each question by itself. They share the classifier's batches, and what they have in common."""
        examined = [self.examine(inputs, joined=joined, is_over=is_over) for inputs in questions]
        scores = self._scores({piece for each in examined for piece in each.pieces}, is_over)
        return [self.conclude(each, tuple(map(scores.get, each.pieces))) for each in examined]

    def examine(self, inputs: Sequence[Input], *, joined: bool, is_over: IsOver) -> Examined:
        examined = self.begin(inputs, joined=joined)
        self.fill(examined, inputs, is_over)
        return examined

    def begin(self, inputs: Sequence[Input], *, joined: bool) -> Examined:
        """A question of which nothing was looked at yet."""
        seams = Looked(Origin.USER) if joined and len(inputs) > 1 else None
        return Examined(tuple(Looked(each.origin) for each in inputs), seams, self._bounds.windows)

    def fill(self, examined: Examined, inputs: Sequence[Input], is_over: IsOver) -> None:
        """Looks at the texts one by one. Another thread may conclude from what there is, whenever it likes."""
        left = self._bounds.chars
        for each, looked in zip(inputs, examined.texts, strict=True):
            reading = self._read(each.text[:left], each.origin, is_over)
            looked.signals += reading.signals
            added = [examined.add(looked, cut, each.origin) for cut in _ends_first(reading.cuts)]
            looked.complete = reading.complete and all(added) and len(each.text) <= left
            left -= min(left, len(each.text))
        if examined.seams is not None:
            self._fill_seams(examined, examined.seams, inputs, is_over)

    def conclude(self, examined: Examined, scores: Scores) -> Judged:
        return Judged(
            results=tuple(self._judgement(looked, scores) for looked in examined.texts),
            joined=self._judgement(examined.seams, scores) if examined.seams else None,
            versions=self.versions,
        )

    def _fill_seams(self, examined: Examined, seams: Looked, inputs: Sequence[Input], is_over: IsOver) -> None:
        """What stands across the seams. What a text shows by itself is no news."""
        known = {(signal.layer, signal.name) for looked in examined.texts for signal in looked.signals}
        complete = sum(len(each.text) for each in inputs) <= self._bounds.chars
        signals: list[Signal] = []
        for stretch in stretches(inputs):
            if is_over():
                complete = False
                break
            reading = self._read(stretch.text, stretch.origin, is_over)
            complete &= reading.complete
            signals += (each for each in reading.signals if (each.layer, each.name) not in known)
            for cut in reading.cuts:
                if across := stretch.place(cut.place.start, cut.place.end):
                    placed = replace(cut, place=Place(*across, _joined(cut.place.view)))
                    complete &= examined.add(seams, placed, stretch.origin)
        seams.signals += worst_signals(signals)
        seams.complete = complete

    def _scores(self, pieces: Collection[Piece], is_over: IsOver) -> dict[Piece, Score]:
        # Of about one length together: a batch is padded to its longest.
        ordered = sorted(pieces, key=lambda piece: (len(piece.text), piece.text, piece.origin))
        scores: dict[Piece, Score] = {}
        for start in range(0, len(ordered), _AT_ONCE):
            if is_over():
                break
            some = ordered[start : start + _AT_ONCE]
            given = self.scorer.score([each.text for each in some], [each.origin for each in some])
            scores |= zip(some, given, strict=True)
        return scores

    def _judgement(self, looked: Looked, scores: Scores) -> Judgement:
        threshold = self._thresholds[looked.origin]
        cuts = tuple(looked.cuts)
        scored = [(cut, score) for piece, cut in cuts if piece < len(scores) and (score := scores[piece]) is not None]
        classified = Signal(
            layer=Layer.CLASSIFIER,
            name=self.scorer.name,
            version=self.scorer.version,
            score=classified_by((score, cut.is_sentence) for cut, score in scored),
        )
        windows = [
            Window(start=cut.place.start, end=cut.place.end, view=cut.place.view, score=score) for cut, score in scored
        ]
        return Judgement(
            score=combined(classified.score, looked.signals),
            threshold=threshold,
            signals=(*looked.signals, classified),
            windows=worst_windows(windows, threshold),
            complete=looked.complete and len(scored) == len(cuts),
        )


def _ends_first(cuts: Sequence[Cut]) -> Sequence[Cut]:
    # Where time runs out in the middle of a long text, its last words have been looked at: orders stand there.
    return cuts if len(cuts) < _MANY else (cuts[0], cuts[-1], *cuts[1:-1])


def _joined(view: str) -> str:
    return "joined" if view == RAW else f"joined/{view}"
