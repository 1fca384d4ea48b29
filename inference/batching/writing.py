# SPDX-License-Identifier: Apache-2.0
"""From the tokens of one job to the text of its answer."""

from collections.abc import Callable, Sequence

from inference.job import Finished, FinishReason, Job
from inference.text import StopFilter, TextStream


class Writer:
    """Writes one answer: feed it all tokens so far, as often as there are more."""

    def __init__(self, job: Job, *, decode: Callable[[Sequence[int]], str], end_tokens: frozenset[int]) -> None:
        self._end_tokens = end_tokens
        self._text = TextStream(decode)
        self._stop = StopFilter(job.stop)
        self._ended_by_token = False
        self.count = 0

    @property
    def stopped(self) -> bool:
        """A stop sequence or an end token is there: what follows is not the answer's."""
        return self._ended_by_token or self._stop.stopped

    def feed(self, tokens: Sequence[int]) -> str:
        """The text that may be sent now."""
        ready = []
        for token in tokens[self.count :]:
            if self.stopped:
                break
            self.count += 1
            ready.append(self._stop.feed(self._text.feed(token)))
            self._ended_by_token = token in self._end_tokens
        return "".join(ready)

    def finish(self) -> tuple[str, Finished]:
        """The rest of the text, and how it ended."""
        # The last, unfinished character may complete a stop sequence.
        rest = self._stop.feed(self._text.finish()) + self._stop.finish()
        reason = FinishReason.STOP if self.stopped else FinishReason.LENGTH
        return rest, Finished(reason=reason, completion_tokens=self.count)
