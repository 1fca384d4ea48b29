# SPDX-License-Identifier: Apache-2.0
"""Redaction of a text while it arrives: a chain of stages, one for each detector, in the order of precedence.

Theory: a stage (`stage.py`) turns the text it has seen into the redaction of that text, and gives away what its
detector calls decided. What a stage has given away is thus a prefix of what it gives for the whole text, wherever the
text was cut; a chain of such stages is one too. A detector sees the text that the detectors before it have left, so
that findings never overlap.

While nothing is found, no stage changes anything: all of them see the same text, and one copy of it stands for the
state of each. The chain *sleeps*, and only those detectors look at the text that have a clue in it. The chain wakes
with the first finding, each stage with what it must still see, and sleeps again once what is in it is plain text that
every stage has seen alike.
"""

from collections.abc import Iterator
from typing import Final

from policies.redaction.chain import Chain, Met
from policies.redaction.findings import FindingCount, Tally
from policies.redaction.stage import Stage

# A placeholder begins with it, and no finding has it.
_PLACEHOLDER_BEGINS: Final = "["


class StreamRedactor:
    """Redacts one text that arrives in pieces. After AnswerBlocked it MUST NOT be used again."""

    __slots__ = ("_chain", "_path", "_stages", "_start", "_tally", "_text")

    def __init__(self, chain: Chain, tally: Tally, *, path: str = "") -> None:
        self._path = path
        self._chain = chain
        self._tally = tally
        # Asleep: no stages; the text that all of them must still see, and where in it the undecided begins.
        self._stages: tuple[Stage, ...] | None = None if chain.may_sleep else chain.stages(tally, path=path)
        self._text = ""
        self._start = 0

    @property
    def findings(self) -> tuple[FindingCount, ...]:
        return self._tally.findings

    def feed(self, text: str) -> str:
        """Return what may leave now that `text` has arrived.

        Raises AnswerBlocked once a blocking finding is certain; nothing of it was returned before.
        """
        if self._stages is not None:
            return self._through(self._stages, text)
        text = self._text + text
        seen = self._chain.seen(text, self._start)
        undecided = self._chain.undecided_from(text, self._start, seen)
        return self._wake(text, seen, undecided) if isinstance(undecided, Met) else self._let_go(text, undecided)

    def feed_run(self, texts: list[str]) -> Iterator[str]:
        """Give what may leave now that `texts` have arrived, one behind the other: pieces, cut as the texts were.

        Texts among which something is redacted leave as one piece. Where a rule may block one of them each is fed by
        itself, so that those before it have left when AnswerBlocked is raised.
        """
        if not self._chain.changes:
            self.feed("".join(texts))
            yield from texts
            return
        at = 0
        while self._stages is not None and at < len(texts):
            yield self.feed(texts[at])
            at += 1
        if at == len(texts):
            return
        text = self._text + "".join(texts[at:])
        seen = self._chain.seen(text, self._start)
        undecided = self._chain.undecided_from(text, self._start, seen)
        if not isinstance(undecided, Met):
            held = self._text[self._start :]
            yield from _cut([held + texts[at], *texts[at + 1 :]], len(self._let_go(text, undecided)))
        elif seen.isdisjoint(self._chain.blocking):
            yield self._wake(text, seen, undecided)
        else:
            yield from map(self.feed, texts[at:])

    def finish(self) -> str:
        """Return what was held, redacted; nothing more arrives. Raises AnswerBlocked as `feed` does."""
        stages, rest = self._stages, ""
        if stages is None:
            rest = self._text[self._start :]
            if not self._chain.seen(self._text, self._start):
                return rest
            stages = self._chain.stages(self._tally, before=self._text[: self._start], path=self._path)
        for stage in stages:
            rest = stage.feed(rest) + stage.finish()
        return rest

    def _let_go(self, text: str, decided: int) -> str:
        """Keep of `text` what is still to be seen, and return what of it is decided now."""
        left = text[self._start : decided]
        kept = max(0, decided - self._chain.reach)
        self._text, self._start = text[kept:], decided - kept
        return left

    def _wake(self, text: str, seen: frozenset[int], met: Met) -> str:
        """Feed what is undecided of `text` to stages that have seen the rest.

        The stages before that which `met` something change nothing, so it is given the text that was looked at.
        """
        rest = text[self._start :]
        self._stages = stages = self._chain.stages(self._tally, before=text[: self._start], path=self._path)
        for rule, stage in zip(self._chain.rules, stages, strict=True):
            # A later stage sees no more than this text, but for the placeholders, and those have no clue.
            scan = met.scan if rule.place == met.place else None
            rest = stage.feed(rest, clue=rule.place in seen, scan=scan)
        self._sleep(stages)
        return rest

    def _through(self, stages: tuple[Stage, ...], text: str) -> str:
        for stage in stages:
            text = stage.feed(text)
        if self._chain.may_sleep:
            self._sleep(stages)
        return text

    def _sleep(self, stages: tuple[Stage, ...]) -> None:
        """Let one text stand for all stages, if what they hold and have seen is of one plain text."""
        held = ""
        for stage in reversed(stages):
            held += stage.held
            if stage.inside:
                return
        if _PLACEHOLDER_BEGINS in held:
            return
        # The last stage has decided least: what it has seen reaches back the farthest.
        text = stages[-1].seen + held
        behind = held
        for stage in reversed(stages):
            behind = behind[len(stage.held) :]
            known = stage.seen + stage.held + behind
            if not text.endswith(known[-len(text) :]):
                return
        self._text, self._start, self._stages = text, len(text) - len(held), None


def _cut(texts: list[str], length: int) -> list[str]:
    """Return the first `length` characters of the texts, cut as they are. There are that many."""
    over = sum(map(len, texts)) - length
    while over > 0:
        last = texts.pop()
        if over < len(last):
            texts.append(last[:-over])
        over -= len(last)
    return texts
